package rbacreach

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// estate makes a cluster of so many tenants: each with 3 namespaces, 3 roles, 6 bindings,
// 4 ServiceAccounts and 9 pods. Every tenth tenant may read Secrets of a platform
// namespace in which the token of a deployer lies that may write webhooks.
func estate(tenants int) *snapshot.Snapshot {
	objects := platformObjects()
	for i := range tenants {
		objects = append(objects, oneTenant(i)...)
	}
	return load.Objects(objects...)
}

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func rule(groups, resources, verbs string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: fields(groups), Resources: fields(resources), Verbs: fields(verbs)}
}

func roleBinding(namespace, name string, ref rbacv1.RoleRef, subjects ...rbacv1.Subject) runtime.Object {
	return &rbacv1.RoleBinding{ObjectMeta: named(namespace, name), RoleRef: ref, Subjects: subjects}
}

func clusterBinding(name string, ref rbacv1.RoleRef, subjects ...rbacv1.Subject) runtime.Object {
	return &rbacv1.ClusterRoleBinding{ObjectMeta: named("", name), RoleRef: ref, Subjects: subjects}
}

func serviceAccount(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

func platformObjects() []runtime.Object {
	owner := &rbacv1.ClusterRole{ObjectMeta: named("", "owner"), Rules: []rbacv1.PolicyRule{
		rule("core", "pods services configmaps secrets persistentvolumeclaims serviceaccounts", "get list watch create update patch delete"),
		rule("core", "pods/exec pods/attach pods/portforward", "get create"), rule("core", "pods/ephemeralcontainers", "patch"),
		rule("core", "pods/log endpoints events", "get list"), rule("apps", "deployments statefulsets daemonsets", "*"),
		rule("batch", "jobs cronjobs", "*"), rule("networking.k8s.io", "networkpolicies ingresses", "*"),
	}}
	webhooks := &rbacv1.ClusterRole{ObjectMeta: named("", "webhooks"), Rules: []rbacv1.PolicyRule{
		rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "create")}}
	return []runtime.Object{owner, webhooks, tokenSecret("platform", "deployer-token", "deployer"),
		&rbacv1.Role{ObjectMeta: named("platform", "reader"), Rules: []rbacv1.PolicyRule{rule("core", "secrets", "get")}},
		clusterBinding("deployer", rbacv1.RoleRef{Kind: "ClusterRole", Name: "webhooks"}, serviceAccount("platform", "deployer"))}
}

func oneTenant(i int) []runtime.Object {
	tenant := fmt.Sprintf("t%05d", i)
	group := rbacv1.Subject{Kind: "Group", Name: tenant + "-admins"}
	t := &v1alpha1.Tenant{ObjectMeta: named("", tenant), Spec: v1alpha1.TenantSpec{Owners: []v1alpha1.Owner{{Kind: "Group", Name: group.Name}}}}
	objects := []runtime.Object{t}
	for k := range 3 {
		short := fmt.Sprintf("n%d", k)
		ns := tenant + "-" + short
		t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: short})
		objects = append(objects,
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{v1alpha1.LabelTenant: tenant}}},
			&corev1.ServiceAccount{ObjectMeta: named(ns, "worker")},
			&rbacv1.Role{ObjectMeta: named(ns, "worker"), Rules: []rbacv1.PolicyRule{rule("core", "configmaps secrets", "get list"), rule("core", "pods", "create")}},
			roleBinding(ns, "owner", rbacv1.RoleRef{Kind: "ClusterRole", Name: "owner"}, group),
			roleBinding(ns, "worker", rbacv1.RoleRef{Kind: "Role", Name: "worker"}, serviceAccount(ns, "worker")))
		for p := range 3 {
			pod := &corev1.Pod{ObjectMeta: named(ns, fmt.Sprintf("pod-%d", p))}
			pod.Spec.ServiceAccountName = "worker"
			objects = append(objects, pod)
		}
	}
	objects = append(objects, &corev1.ServiceAccount{ObjectMeta: named(tenant+"-n0", "ci")})
	if i%10 == 0 {
		objects = append(objects, roleBinding("platform", tenant, rbacv1.RoleRef{Kind: "Role", Name: "reader"}, serviceAccount(tenant+"-n0", "ci")))
	}
	return objects
}

// BenchmarkClosure is the aim of the closure: 1,000 tenants under half a second.
func BenchmarkClosure(b *testing.B) {
	for _, tenants := range []int{1000, 10000} {
		s := estate(tenants)
		s.TenantOf("") // the index of the snapshot is no part of it
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				broken := 0
				for _, f := range Run(s) {
					if f.Verdict == guarantee.Broken {
						broken++
					}
				}
				if want := tenants / 10; broken != want {
					b.Fatalf("%d are broken, want %d", broken, want)
				}
			}
		})
		b.Run(fmt.Sprintf("edges/tenants=%d", tenants), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				Edges(s, func(analyze.Edge) bool { n++; return true })
				if n < tenants*10 {
					b.Fatalf("%d edges", n)
				}
			}
		})
	}
}
