package compile

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

var (
	readVerbs  = []string{"get", "list", "watch"}
	writeVerbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
)

// ownerRules are what an owner may do in the tenant's namespaces. They are our own and
// not the built-in admin or edit role: those carry impersonation of ServiceAccounts and
// writes of RoleBindings, and aggregate whatever third parties label into them. Missing
// on purpose: serviceaccounts/token, roles and rolebindings (write), endpoints and
// endpointslices (write), pods/proxy and services/proxy, bindings, namespaces (write),
// resourcequotas, limitranges and guards (write).
func ownerRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Verbs: writeVerbs, Resources: []string{
			"pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "serviceaccounts"}},
		{APIGroups: []string{""}, Verbs: []string{"create", "get"}, Resources: []string{
			"pods/exec", "pods/attach", "pods/portforward"}},
		{APIGroups: []string{""}, Verbs: []string{"create"}, Resources: []string{"pods/eviction"}},
		{APIGroups: []string{""}, Verbs: []string{"get", "update", "patch"}, Resources: []string{
			"pods/ephemeralcontainers", "pods/resize"}},
		{APIGroups: []string{""}, Verbs: readVerbs, Resources: []string{
			"pods/log", "pods/status", "services/status", "endpoints", "events", "namespaces", "resourcequotas", "limitranges"}},
		{APIGroups: []string{"apps"}, Verbs: writeVerbs, Resources: []string{
			"deployments", "statefulsets", "daemonsets", "replicasets",
			"deployments/scale", "statefulsets/scale", "replicasets/scale"}},
		{APIGroups: []string{"batch"}, Verbs: writeVerbs, Resources: []string{"jobs", "cronjobs"}},
		{APIGroups: []string{"autoscaling"}, Verbs: writeVerbs, Resources: []string{"horizontalpodautoscalers"}},
		{APIGroups: []string{"policy"}, Verbs: writeVerbs, Resources: []string{"poddisruptionbudgets"}},
		{APIGroups: []string{"networking.k8s.io"}, Verbs: writeVerbs, Resources: []string{"networkpolicies", "ingresses"}},
		{APIGroups: []string{"gateway.networking.k8s.io"}, Verbs: writeVerbs, Resources: []string{
			"httproutes", "grpcroutes", "tlsroutes"}},
		{APIGroups: []string{"discovery.k8s.io"}, Verbs: readVerbs, Resources: []string{"endpointslices"}},
		{APIGroups: []string{"events.k8s.io"}, Verbs: readVerbs, Resources: []string{"events"}},
		{APIGroups: []string{"rbac.authorization.k8s.io"}, Verbs: readVerbs, Resources: []string{"roles", "rolebindings"}},
		{APIGroups: []string{"metrics.k8s.io"}, Verbs: readVerbs, Resources: []string{"pods"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Verbs: readVerbs, Resources: []string{"guards"}},
	}
}

// addAccess binds the owners to OwnerRole in every namespace, and gives them read access to their
// own Tenant.
func addAccess(b *builder) {
	tenant := b.Tenant.Name
	sa := v1alpha1.OwnerServiceAccount(tenant)
	no := false
	b.add(&corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   b.meta(v1alpha1.SystemNamespace, sa),
		AutomountServiceAccountToken: &no,
	})
	subjects := ownerSubjects(b.Tenant)
	for _, n := range b.Tenant.Spec.Namespaces {
		b.add(&rbacv1.RoleBinding{
			TypeMeta:   rbacType("RoleBinding"),
			ObjectMeta: b.meta(b.host(n.Name), "watertight-owner", guarantee.API1, guarantee.API2, guarantee.API3, guarantee.API4),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: OwnerRole},
			Subjects:   subjects,
		})
	}
	name := "watertight:tenant:" + tenant
	b.add(&rbacv1.ClusterRole{
		TypeMeta:   rbacType("ClusterRole"),
		ObjectMeta: b.meta("", name, guarantee.API4),
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"tenants"},
			ResourceNames: []string{tenant}, Verbs: readVerbs,
		}},
	})
	b.add(&rbacv1.ClusterRoleBinding{
		TypeMeta:   rbacType("ClusterRoleBinding"),
		ObjectMeta: b.meta("", name, guarantee.API4),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   subjects,
	})
}

func rbacType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

// ownerSubjects are the owners in the order of the spec, then the ServiceAccount that
// "watertight kubeconfig" mints tokens for.
func ownerSubjects(t *v1alpha1.Tenant) []rbacv1.Subject {
	var out []rbacv1.Subject
	for _, o := range t.Spec.Owners {
		s := rbacv1.Subject{Kind: o.Kind, Name: o.Name, Namespace: o.Namespace}
		if o.Kind != rbacv1.ServiceAccountKind {
			s.APIGroup = rbacv1.GroupName
		}
		out = append(out, s)
	}
	return append(out, rbacv1.Subject{
		Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: v1alpha1.OwnerServiceAccount(t.Name),
	})
}
