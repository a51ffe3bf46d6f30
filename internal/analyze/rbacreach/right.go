package rbacreach

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// right is something that a rule may allow. A step of an attack needs one or more.
type right struct {
	Verbs, Groups, Resources []string
	// Cluster marks what only a ClusterRoleBinding can give: it is about cluster-scoped
	// objects, and a RoleBinding to the same role allows nothing.
	Cluster bool
}

// rightID is the place of a right in the table.
type rightID int

// The rights that steps are made of.
const (
	readSecrets rightID = iota
	createSecrets
	requestTokens
	impersonateUsers
	impersonateGroups
	impersonateAccounts
	bindRoles
	bindClusterRoles
	writeRoleBindings
	writeClusterRoleBindings
	escalateRoles
	escalateClusterRoles
	writeRoles
	writeClusterRoles
	createPods
	patchPods
	writeControllers
	writeTemplates
	createJobs
	writeCronJobs
	execPods
	connectPods
	addContainers
	proxyNodes
	writeNodes
	createRequests
	approveRequests
	approveSigners
	writeVolumes
	createClaims
	writeAPIServices
	writeWebhooks
	writePolicies
	writeCRDs
	writeNamespaces
	placePods
	writeTenants
	rightCount
)

var (
	rbac = []string{rbacGroup}
	core = []string{""}
)

// rights is what each right asks of a rule.
var rights = [rightCount]right{
	readSecrets:              {Verbs: readVerbs, Groups: core, Resources: []string{"secrets"}},
	createSecrets:            {Verbs: []string{"create"}, Groups: core, Resources: []string{"secrets"}},
	requestTokens:            {Verbs: []string{"create"}, Groups: core, Resources: []string{"serviceaccounts/token"}},
	impersonateUsers:         {Verbs: []string{"impersonate"}, Groups: core, Resources: []string{"users"}, Cluster: true},
	impersonateGroups:        {Verbs: []string{"impersonate"}, Groups: core, Resources: []string{"groups"}, Cluster: true},
	impersonateAccounts:      {Verbs: []string{"impersonate"}, Groups: core, Resources: []string{"serviceaccounts"}},
	bindRoles:                {Verbs: []string{"bind"}, Groups: rbac, Resources: []string{"roles"}},
	bindClusterRoles:         {Verbs: []string{"bind"}, Groups: rbac, Resources: []string{"clusterroles"}},
	writeRoleBindings:        {Verbs: makeVerbs, Groups: rbac, Resources: []string{"rolebindings"}},
	writeClusterRoleBindings: {Verbs: makeVerbs, Groups: rbac, Resources: []string{"clusterrolebindings"}, Cluster: true},
	escalateRoles:            {Verbs: []string{"escalate"}, Groups: rbac, Resources: []string{"roles"}},
	escalateClusterRoles:     {Verbs: []string{"escalate"}, Groups: rbac, Resources: []string{"clusterroles"}, Cluster: true},
	writeRoles:               {Verbs: makeVerbs, Groups: rbac, Resources: []string{"roles"}},
	writeClusterRoles:        {Verbs: makeVerbs, Groups: rbac, Resources: []string{"clusterroles"}, Cluster: true},
	createPods:               {Verbs: []string{"create"}, Groups: core, Resources: []string{"pods"}},
	patchPods:                {Verbs: changeVerbs, Groups: core, Resources: []string{"pods"}},
	writeControllers:         {Verbs: makeVerbs, Groups: core, Resources: []string{"replicationcontrollers"}},
	writeTemplates:           {Verbs: makeVerbs, Groups: []string{"apps", "extensions"}, Resources: []string{"deployments", "statefulsets", "daemonsets", "replicasets"}},
	createJobs:               {Verbs: []string{"create"}, Groups: []string{"batch"}, Resources: []string{"jobs"}},
	writeCronJobs:            {Verbs: makeVerbs, Groups: []string{"batch"}, Resources: []string{"cronjobs"}},
	execPods:                 {Verbs: []string{"get", "create"}, Groups: core, Resources: []string{"pods/exec", "pods/attach"}},
	connectPods:              {Verbs: []string{"get", "create"}, Groups: core, Resources: []string{"pods/portforward", "pods/proxy"}},
	addContainers:            {Verbs: changeVerbs, Groups: core, Resources: []string{"pods/ephemeralcontainers"}},
	proxyNodes:               {Verbs: []string{"get", "create"}, Groups: core, Resources: []string{"nodes/proxy"}, Cluster: true},
	writeNodes:               {Verbs: makeVerbs, Groups: core, Resources: []string{"nodes", "nodes/status"}, Cluster: true},
	createRequests:           {Verbs: []string{"create"}, Groups: []string{certGroup}, Resources: []string{"certificatesigningrequests"}, Cluster: true},
	approveRequests:          {Verbs: changeVerbs, Groups: []string{certGroup}, Resources: []string{"certificatesigningrequests/approval"}, Cluster: true},
	approveSigners:           {Verbs: []string{"approve"}, Groups: []string{certGroup}, Resources: []string{"signers"}, Cluster: true},
	writeVolumes:             {Verbs: makeVerbs, Groups: core, Resources: []string{"persistentvolumes"}, Cluster: true},
	createClaims:             {Verbs: []string{"create"}, Groups: core, Resources: []string{"persistentvolumeclaims"}},
	writeAPIServices:         {Verbs: makeVerbs, Groups: []string{"apiregistration.k8s.io"}, Resources: []string{"apiservices"}, Cluster: true},
	writeWebhooks: {Verbs: makeVerbs, Groups: []string{admGroup}, Cluster: true, Resources: []string{
		"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "mutatingadmissionpolicies"}},
	writePolicies: {Verbs: writeVerbs, Groups: []string{admGroup}, Cluster: true, Resources: []string{
		"validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicybindings",
		"mutatingadmissionpolicies", "validatingwebhookconfigurations", "mutatingwebhookconfigurations"}},
	writeCRDs:       {Verbs: makeVerbs, Groups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Cluster: true},
	writeNamespaces: {Verbs: changeVerbs, Groups: core, Resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"}},
	placePods:       {Verbs: []string{"create"}, Groups: core, Resources: []string{"bindings", "pods/binding"}},
	writeTenants:    {Verbs: makeVerbs, Groups: []string{tenantsGroup}, Resources: []string{"tenants"}, Cluster: true},
}

// allowedBy reports whether a rule allows something of the right, and for which names;
// no names are all of them.
func (r *right) allowedBy(rule *rbacv1.PolicyRule) (names []string, ok bool) {
	if !overlap(rule.APIGroups, r.Groups) {
		return nil, false
	}
	for _, resource := range r.Resources {
		if !grants(rule.Resources, resource) {
			continue
		}
		for _, verb := range r.Verbs {
			if (slices.Contains(rule.Verbs, verb) || slices.Contains(rule.Verbs, rbacv1.VerbAll)) && nameable(rule, verb, resource) {
				return rule.ResourceNames, true
			}
		}
	}
	return nil, false
}

// nameable reports whether a rule's resourceNames, if it has any, can be met: the
// request to create an object carries no name, one to create a subresource does.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
func nameable(rule *rbacv1.PolicyRule, verb, resource string) bool {
	return len(rule.ResourceNames) == 0 || verb != "deletecollection" && (verb != "create" || strings.Contains(resource, "/"))
}
