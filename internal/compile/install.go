package compile

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// Names of what "watertight install" makes.
const (
	// OwnerRole is the ClusterRole that every tenant's owners are bound to, in their
	// namespaces only. It is installed by an administrator; the operator may bind it but
	// not change it, and so needs none of the rights in it.
	OwnerRole = "watertight:owner"
	// OperatorName names the operator's ServiceAccount, ClusterRole and binding.
	OperatorName = "watertight-operator"
	// CanaryName names the ServiceAccount, in SystemNamespace, that tries the guards with
	// dry-runs, and what it may do with its namespaces.
	CanaryName = "watertight-canary"
	// CanaryRole is what it may try inside them.
	CanaryRole = "watertight:canary"
)

// System is what an administrator installs once beside the CRDs and the guards: the
// operator's namespace, identity and rights, and the roles that it binds.
func System(operator string) []Object {
	canary := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: CanaryName}
	return []Object{
		systemNamespace(),
		serviceAccount(v1alpha1.SystemNamespace, OperatorName),
		serviceAccount(v1alpha1.SystemNamespace, CanaryName),
		clusterRole(OwnerRole, ownerRules()),
		clusterRole(OperatorName, operatorRules()),
		clusterRoleBinding(OperatorName, operatorSubject(operator)),
		role(v1alpha1.SystemNamespace, OperatorName, operatorSystemRules()),
		roleBinding(v1alpha1.SystemNamespace, OperatorName, operatorSubject(operator)),
		clusterRole(CanaryRole, canaryRules()),
		clusterRole(CanaryName, canaryNamespaceRules()),
		clusterRoleBinding(CanaryName, canary),
	}
}

// canaryNamespaceRules let the canary try to change and delete its own namespaces.
func canaryNamespaceRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"},
		ResourceNames: []string{CanaryNamespace, CanarySealedNamespace}, Verbs: []string{"get", "update", "patch", "delete"},
	}}
}

// canaryRules let the canary try in its own namespace what the guards must refuse.
func canaryRules() []rbacv1.PolicyRule {
	verbs := []string{"get", "list", "create", "update", "patch", "delete"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Verbs: verbs, Resources: []string{
			"pods", "pods/binding", "bindings", "services", "configmaps", "secrets", "endpoints",
			"persistentvolumeclaims", "serviceaccounts", "resourcequotas", "limitranges"}},
		{APIGroups: []string{"discovery.k8s.io"}, Verbs: verbs, Resources: []string{"endpointslices"}},
		{APIGroups: []string{"networking.k8s.io"}, Verbs: verbs, Resources: []string{"networkpolicies", "ingresses"}},
		{APIGroups: []string{"policy"}, Verbs: verbs, Resources: []string{"poddisruptionbudgets"}},
		{APIGroups: []string{"gateway.networking.k8s.io"}, Verbs: verbs, Resources: []string{"httproutes", "gateways"}},
		{APIGroups: []string{"snapshot.storage.k8s.io"}, Verbs: verbs, Resources: []string{"volumesnapshots"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Verbs: verbs, Resources: []string{"guards"}},
	}
}

// operatorRules are everything the operator may do in the whole cluster. It reads no
// Secret, creates no pod, writes by no wildcard and cannot escalate: the only roles it may
// bind beyond what it holds itself are the owners' and the canary's.
func operatorRules() []rbacv1.PolicyRule {
	manage := []string{"get", "list", "watch", "create", "patch", "delete"}
	stop := []string{"list", "delete", "deletecollection"}
	guards := guardNames()
	return []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"tenants"}, Verbs: []string{"get", "list", "watch", "patch", "update"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"tenants/status", "tenants/finalizers"}, Verbs: []string{"get", "patch", "update"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"tenantclasses"}, Verbs: readVerbs},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"guards"}, Verbs: manage},
		{APIGroups: []string{""}, Resources: []string{"namespaces", "resourcequotas", "limitranges", "serviceaccounts"}, Verbs: manage},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: manage},
		{APIGroups: []string{"policy.networking.k8s.io"}, Resources: []string{"clusternetworkpolicies"}, Verbs: manage},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings", "clusterroles", "clusterrolebindings"}, Verbs: manage},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{OwnerRole, CanaryRole}, Verbs: []string{"bind"}},
		{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: admissionResources, Verbs: []string{"get", "list", "watch", "create", "delete"}}, // delete: guards of older versions
		{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: admissionResources, ResourceNames: guards, Verbs: []string{"patch", "update"}},
		{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: readVerbs},
		{APIGroups: []string{"node.k8s.io"}, Resources: []string{"runtimeclasses"}, Verbs: readVerbs},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"servicecidrs"}, Verbs: readVerbs},
		{APIGroups: []string{"scheduling.k8s.io"}, Resources: []string{"priorityclasses"}, Verbs: readVerbs},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch", "list", "watch"}},
		{APIGroups: []string{"events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		// What a deleted tenant leaves running is stopped before its namespaces go.
		{APIGroups: []string{""}, Resources: []string{"pods", "replicationcontrollers"}, Verbs: stop},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets", "daemonsets", "replicasets"}, Verbs: stop},
		{APIGroups: []string{"batch"}, Resources: []string{"jobs", "cronjobs"}, Verbs: stop},
		{APIGroups: []string{""}, Resources: []string{"persistentvolumeclaims"}, Verbs: []string{"list"}},
		// What verification looks at besides.
		{APIGroups: []string{""}, Resources: []string{"services", "endpoints", "persistentvolumes"}, Verbs: []string{"list"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses"}, Verbs: []string{"list"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"list"}},
		{APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}, Verbs: []string{"list"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingressclasses"}, Verbs: []string{"list"}},
		{APIGroups: []string{"flowcontrol.apiserver.k8s.io"}, Resources: []string{"flowschemas", "prioritylevelconfigurations"}, Verbs: []string{"list"}},
		{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"list"}},
		{APIGroups: []string{"crd.projectcalico.org", "projectcalico.org"}, Resources: calicoResources, Verbs: []string{"list"}},
		{APIGroups: []string{"projectcalico.org"}, Resources: []string{"tiers"}, Verbs: []string{"get"}},
		{APIGroups: []string{"crd.antrea.io"}, Resources: []string{"networkpolicies", "clusternetworkpolicies"}, Verbs: []string{"list"}},
		{APIGroups: []string{"capsule.clastix.io"}, Resources: []string{"tenants"}, Verbs: []string{"list"}},
		{APIGroups: lookedIntoGroups, Resources: []string{"*"}, Verbs: []string{"list"}},
	}
}

// lookedIntoGroups are the groups of other policy engines, meshes, gateways and devices,
// whose kinds bear on verdicts; which kinds they have differs from version to version.
// None of them keeps a secret. A group that a cluster does not have does no harm here.
var lookedIntoGroups = []string{
	"policy.networking.k8s.io", "cilium.io", "security.istio.io", "networking.istio.io", "policy.linkerd.io",
	"gateway.networking.k8s.io", "gateway.networking.x-k8s.io", "resource.k8s.io",
}

// calicoResources are what of Calico bears on verdicts; another kind of its groups may
// hold credentials. Its API server lists policies of the tiers that one may get, by the
// names tier.* (docs.tigera.io/calico/latest, Configure RBAC for tiered policies).
var calicoResources = []string{
	"networkpolicies", "globalnetworkpolicies", "networksets", "globalnetworksets", "hostendpoints", "ippools", "tiers",
	"tier.networkpolicies", "tier.globalnetworkpolicies",
}

var admissionResources = []string{
	"validatingadmissionpolicies", "validatingadmissionpolicybindings",
	"mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
}

// operatorSystemRules are the operator's rights in its own namespace.
func operatorSystemRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, ResourceNames: []string{CanaryName}, Verbs: []string{"create"}},
	}
}

// guardNames are the names of the guards' policies, on a cluster that offers everything.
func guardNames() []string {
	objects, err := Guards(Capabilities{MutatingAdmissionPolicy: true}, v1alpha1.OperatorUser)
	if err != nil {
		panic(err) // the guards are part of the program; a test reads them all
	}
	var names []string
	for _, o := range objects {
		names = append(names, o.GetName())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// operatorSubject is the operator's user; for its ServiceAccount the kind is spelled out.
func operatorSubject(user string) rbacv1.Subject {
	if user == v1alpha1.OperatorUser {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: OperatorName}
	}
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}
}

func systemNamespace() *corev1.Namespace {
	ns := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: objectMeta("", "", v1alpha1.SystemNamespace)}
	ns.Labels[podSecurityPrefix+"enforce"] = string(v1alpha1.PodSecurityRestricted)
	ns.Labels[podSecurityPrefix+"enforce-version"] = "latest"
	return ns
}

func serviceAccount(namespace, name string) *corev1.ServiceAccount {
	no := false
	return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: objectMeta("", namespace, name), AutomountServiceAccountToken: &no}
}

func clusterRole(name string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{TypeMeta: rbacType("ClusterRole"), ObjectMeta: objectMeta("", "", name, guarantee.API3), Rules: rules}
}

func clusterRoleBinding(name string, subject rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{TypeMeta: rbacType("ClusterRoleBinding"), ObjectMeta: objectMeta("", "", name),
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{subject}}
}

func role(namespace, name string, rules []rbacv1.PolicyRule) *rbacv1.Role {
	return &rbacv1.Role{TypeMeta: rbacType("Role"), ObjectMeta: objectMeta("", namespace, name), Rules: rules}
}

func roleBinding(namespace, name string, subject rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{TypeMeta: rbacType("RoleBinding"), ObjectMeta: objectMeta("", namespace, name),
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{subject}}
}
