package rbacreach

import "watertight.dev/watertight/internal/guarantee"

// place says where a grant must hold to be a danger.
type place int

const (
	// anywhere includes the tenant's own namespaces.
	anywhere place = iota
	// outside is any namespace but the tenant's own.
	outside
	// beyondTenants is the whole cluster or a namespace of no tenant.
	beyondTenants
	// clusterWide is a grant for the whole cluster.
	clusterWide
)

// danger is one way in which a right leads further than it seems.
type danger struct {
	// ID is stable: reports and suppressions name it.
	ID        string
	Verbs     []string
	Groups    []string
	Resources []string
	Where     place
	Guarantee guarantee.ID
	// Effect says what the right gives.
	Effect string
	// Reference is where it is documented.
	Reference string
}

var (
	readVerbs   = []string{"get", "list", "watch"}
	changeVerbs = []string{"update", "patch"}
	writeVerbs  = []string{"create", "update", "patch", "delete", "deletecollection"}
	makeVerbs   = []string{"create", "update", "patch"}
)

const (
	rbacGroup    = "rbac.authorization.k8s.io"
	certGroup    = "certificates.k8s.io"
	admGroup     = "admissionregistration.k8s.io"
	practices    = "kubernetes.io/docs/concepts/security/rbac-good-practices"
	kubectlMTB   = "kubernetes-retired/multi-tenancy benchmarks"
	authn        = "authentication.k8s.io"
	tenantsGroup = "watertight.dev"
)

// dangers are judged for every grant. Rights inside the tenant's own namespaces are
// dangers only where they undo its guards.
var dangers = []danger{
	{"SecretsRead", readVerbs, []string{""}, []string{"secrets"}, beyondTenants, guarantee.API3, "holds the tokens of others", practices + "#listing-secrets"},
	{"TokenRequest", []string{"create"}, []string{""}, []string{"serviceaccounts/token"}, outside, guarantee.API3, "becomes any ServiceAccount there", practices + "#token-request"},
	{"Impersonate", []string{"impersonate"}, []string{"", authn}, []string{"users", "groups", "serviceaccounts", "uids", "userextras"}, outside, guarantee.API3, "acts as somebody else", practices + "#impersonate-verb"},
	{"ImpersonateConstrained", []string{"impersonate:user-info", "impersonate:serviceaccount", "impersonate:arbitrary-node"}, []string{authn}, []string{"users", "groups", "serviceaccounts", "nodes", "uids"}, outside, guarantee.API3, "acts as somebody else, in what its impersonate-on rights name", "KEP-5284"},
	{"Escalate", []string{"escalate"}, []string{rbacGroup}, []string{"roles", "clusterroles"}, anywhere, guarantee.API3, "writes roles with rights it does not have", practices + "#escalate-verb"},
	{"Bind", []string{"bind"}, []string{rbacGroup}, []string{"roles", "clusterroles"}, anywhere, guarantee.API3, "binds itself to roles it does not have", practices + "#bind-verb"},
	{"ClusterRBACWrite", writeVerbs, []string{rbacGroup}, []string{"clusterroles", "clusterrolebindings"}, clusterWide, guarantee.API3, "changes what everybody may do", practices + "#escalate-verb"},
	{"PodsCreate", makeVerbs, []string{""}, []string{"pods", "podtemplates", "replicationcontrollers"}, outside, guarantee.API3, "runs as any ServiceAccount there", practices + "#workload-creation"},
	{"WorkloadsCreate", makeVerbs, []string{"apps", "batch", "extensions"}, []string{"deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs"}, outside, guarantee.API3, "runs as any ServiceAccount there", practices + "#workload-creation"},
	{"PodsExec", []string{"get", "create"}, []string{""}, []string{"pods/exec", "pods/attach", "pods/portforward", "pods/proxy"}, outside, guarantee.API3, "enters others' pods", "ATT&CK T1609"},
	{"ServicesProxy", []string{"get", "create", "update", "patch", "delete"}, []string{""}, []string{"services/proxy"}, outside, guarantee.API3, "talks to others' Services as the API server, past every network policy", "kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services"},
	{"EphemeralContainers", changeVerbs, []string{""}, []string{"pods/ephemeralcontainers"}, outside, guarantee.API3, "enters others' pods", "KEP-277"},
	{"NodesProxy", []string{"get", "create"}, []string{""}, []string{"nodes/proxy"}, anywhere, guarantee.API3, "runs commands in every pod of a node, past admission and audit", practices + "#access-to-proxy-subresource-of-nodes"},
	{"NodesWrite", writeVerbs, []string{""}, []string{"nodes", "nodes/status"}, clusterWide, guarantee.API3, "draws others' pods, with their tokens, to nodes of its choice", practices},
	{"CSRApprove", changeVerbs, []string{certGroup}, []string{"certificatesigningrequests/approval"}, clusterWide, guarantee.API3, "issues itself a certificate for any identity", practices + "#csrs-and-certificate-issuing"},
	{"CSRSign", []string{"approve", "sign"}, []string{certGroup}, []string{"signers"}, clusterWide, guarantee.API3, "issues itself a certificate for any identity", practices + "#csrs-and-certificate-issuing"},
	{"PersistentVolumesWrite", makeVerbs, []string{""}, []string{"persistentvolumes"}, clusterWide, guarantee.API3, "mounts any path of a node", practices + "#persistent-volume-creation"},
	{"APIServicesWrite", makeVerbs, []string{"apiregistration.k8s.io"}, []string{"apiservices"}, clusterWide, guarantee.API3, "answers others' requests, and takes their tokens", practices},
	{"AdmissionWrite", writeVerbs, []string{admGroup}, []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "validatingwebhookconfigurations", "mutatingwebhookconfigurations"}, clusterWide, guarantee.API4, "switches guards off, which no other guard can refuse", practices + "#control-admission-webhooks"},
	{"CRDWrite", writeVerbs, []string{"apiextensions.k8s.io"}, []string{"customresourcedefinitions"}, clusterWide, guarantee.API4, "deletes the parameters of every guard", practices},
	{"TenantsWrite", writeVerbs, []string{tenantsGroup}, []string{"tenants", "tenants/status", "tenantclasses", "guards"}, anywhere, guarantee.API4, "rewrites its own limits", "DESIGN invariant 3"},
	{"NamespaceWrite", []string{"update", "patch", "delete"}, []string{""}, []string{"namespaces", "namespaces/status", "namespaces/finalize"}, anywhere, guarantee.API4, "changes the labels that guards and Pod Security go by", practices + "#namespace-modification"},
	{"QuotaWrite", writeVerbs, []string{""}, []string{"resourcequotas", "resourcequotas/status", "limitranges"}, anywhere, guarantee.API4, "lifts its own limits", kubectlMTB + ": block_modify_resource_quota"},
	{"RoleWrite", writeVerbs, []string{rbacGroup}, []string{"roles", "rolebindings"}, anywhere, guarantee.API4, "lets others in and hands its rights on", kubectlMTB + ": block_role_privilege_escalation"},
	{"EndpointsWrite", makeVerbs, []string{"", "discovery.k8s.io"}, []string{"endpoints", "endpointslices"}, anywhere, guarantee.API4, "points its Services at others' pods, past policies", "CVE-2021-25740"},
	{"BindingCreate", []string{"create"}, []string{""}, []string{"bindings", "pods/binding"}, anywhere, guarantee.API4, "chooses nodes past the scheduler", "kubernetes.io pods/binding"},
}
