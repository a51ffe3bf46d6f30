package rbacreach

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// holder is the account that the tests give rights to.
var holder = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "acme-app", Name: "bot"}

// given is two tenants, and a rule for acme's account: in a namespace, or in the whole
// cluster where that is empty.
func given(namespace string, subject rbacv1.Subject, rule rbacv1.PolicyRule) *snapshot.Snapshot {
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{rule}}
	ref := rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}
	var binding runtime.Object = &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "b"}, Subjects: []rbacv1.Subject{subject}, RoleRef: ref}
	if namespace != "" {
		binding = &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "b"}, Subjects: []rbacv1.Subject{subject}, RoleRef: ref}
	}
	objects := []runtime.Object{role, binding}
	for _, name := range []string{"acme", "globex"} {
		objects = append(objects,
			&v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TenantSpec{
				Owners:     []v1alpha1.Owner{{Kind: "Group", Name: name + "-admins"}, {Kind: "User", Name: name + "-jo"}, {Kind: "ServiceAccount", Namespace: "ci", Name: name}},
				Namespaces: []v1alpha1.TenantNamespace{{Name: "app"}},
			}},
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name + "-app", Labels: map[string]string{v1alpha1.LabelTenant: name}}})
	}
	return load.Objects(objects...)
}

// brokenFor lists what is broken for a tenant, as "API-3 NodesProxy".
func brokenFor(s *snapshot.Snapshot, tenant string) []string {
	var out []string
	for _, f := range Run(s) {
		if f.Tenant == tenant && f.Verdict == guarantee.Broken {
			out = append(out, fmt.Sprintf("%s %s", f.Guarantee, f.Reason))
		}
	}
	return out
}

// TestDangers gives each dangerous right where it is one, and where it is none.
func TestDangers(t *testing.T) {
	ids := map[string]bool{}
	for _, d := range dangers {
		if ids[d.ID] || d.Effect == "" || d.Reference == "" {
			t.Errorf("%s is doubled or lacks effect or reference", d.ID)
		}
		ids[d.ID] = true
		for _, verb := range d.Verbs {
			for _, resource := range d.Resources {
				rule := rbacv1.PolicyRule{APIGroups: d.Groups[:1], Verbs: []string{verb}, Resources: []string{resource}}
				want := fmt.Sprintf("%s %s", d.Guarantee, d.ID)
				if got := brokenFor(given("", holder, rule), "acme"); !slices.Contains(got, want) {
					t.Errorf("%s %s cluster-wide: want %s, got %v", verb, resource, want, got)
				}
				inside := slices.Contains(brokenFor(given("acme-app", holder, rule), "acme"), want)
				if inside != (d.Where == anywhere) {
					t.Errorf("%s %s in the own namespace: %s broken %t", verb, resource, want, inside)
				}
				if got := brokenFor(given("", rbacv1.Subject{Kind: "User", Name: "stranger"}, rule), "acme"); len(got) != 0 {
					t.Errorf("%s %s for a stranger: %v", verb, resource, got)
				}
			}
		}
	}
}

// TestWildcards are dangers too.
func TestWildcards(t *testing.T) {
	all := rbacv1.PolicyRule{APIGroups: []string{"*"}, Verbs: []string{"*"}, Resources: []string{"*"}}
	for _, f := range []guarantee.ID{guarantee.API1, guarantee.API2, guarantee.API3, guarantee.API4} {
		if got := brokenFor(given("", holder, all), "acme"); !slices.ContainsFunc(got, func(s string) bool { return s[:5] == string(f) }) {
			t.Errorf("%s is not broken by all rights: %v", f, got)
		}
	}
	sub := rbacv1.PolicyRule{APIGroups: []string{""}, Verbs: []string{"create"}, Resources: []string{"*/exec"}}
	if got := brokenFor(given("globex-app", holder, sub), "acme"); !slices.Contains(got, "API-3 PodsExec") {
		t.Errorf("*/exec: %v", got)
	}
	noWildcard := rbacv1.PolicyRule{APIGroups: []string{""}, Verbs: []string{"create"}, Resources: []string{"pods/*"}}
	if got := brokenFor(given("globex-app", holder, noWildcard), "acme"); slices.Contains(got, "API-3 PodsExec") {
		t.Errorf("pods/* is no wildcard: %v", got)
	}
}

// TestSubjects finds the tenant behind each kind of subject.
func TestSubjects(t *testing.T) {
	rule := rbacv1.PolicyRule{APIGroups: []string{""}, Verbs: []string{"get"}, Resources: []string{"pods"}}
	user := func(n string) rbacv1.Subject { return rbacv1.Subject{Kind: "User", Name: n} }
	group := func(n string) rbacv1.Subject { return rbacv1.Subject{Kind: "Group", Name: n} }
	account := func(ns, n string) rbacv1.Subject {
		return rbacv1.Subject{Kind: "ServiceAccount", Namespace: ns, Name: n}
	}
	for subject, want := range map[rbacv1.Subject]bool{
		user("acme-jo"): true, group("acme-admins"): true, account("acme-app", "default"): true, account("acme-app", "to-come"): true,
		account("ci", "acme"): true, account("ci", "other"): false, account("watertight-system", "owner-acme"): true,
		account("watertight-system", "watertight-operator"): false, account("watertight-system", "owner-globex"): false,
		user("system:serviceaccount:acme-app:x"): true, user("system:serviceaccount:ci:acme"): true, user("system:serviceaccount:ci:x"): false,
		group("system:serviceaccounts:acme-app"): true, group("system:serviceaccounts:kube-system"): false,
		group("system:serviceaccounts"): true, group("system:authenticated"): true, group("system:unauthenticated"): true,
		user("system:anonymous"): true, group("system:nodes"): false, user("globex-jo"): false,
	} {
		if got := len(brokenFor(given("", subject, rule), "acme")) > 0; got != want {
			t.Errorf("%v: broken %t, want %t", subject, got, want)
		}
	}
}

// TestHarmless are rights that Kubernetes, or Watertight, gives on purpose.
func TestHarmless(t *testing.T) {
	for name, rule := range map[string]rbacv1.PolicyRule{
		"own Tenant":     {APIGroups: []string{"watertight.dev"}, Resources: []string{"tenants"}, ResourceNames: []string{"acme"}, Verbs: []string{"get", "list", "watch"}},
		"self reviews":   {APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews"}, Verbs: []string{"create"}},
		"who am I":       {APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}, Verbs: []string{"create"}},
		"discovery":      {NonResourceURLs: []string{"/api", "/api/*", "/apis/*", "/healthz", "/openapi/*", "/version/"}, Verbs: []string{"get"}},
		"issuer":         {NonResourceURLs: []string{"/.well-known/openid-configuration", "/openid/v1/jwks"}, Verbs: []string{"get"}},
		"storageclasses": {APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}, Verbs: []string{"get", "list"}},
		"trust bundles":  {APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"clustertrustbundles"}, Verbs: []string{"get", "list", "watch"}},
		"named create":   {APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"x"}, Verbs: []string{"create"}},
	} {
		if got := brokenFor(given("", rbacv1.Subject{Kind: "Group", Name: "system:authenticated"}, rule), "acme"); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPlaces tells namespaces apart: own, neighbour's, nobody's.
func TestPlaces(t *testing.T) {
	rule := rbacv1.PolicyRule{APIGroups: []string{""}, Verbs: []string{"get", "update"}, Resources: []string{"secrets"}}
	for namespace, want := range map[string][]string{
		"acme-app":    nil,
		"globex-app":  {"API-1 ReadsOthers", "API-2 WritesOthers"},
		"kube-system": {"API-2 WritesOthers", "API-3 SecretsRead"},
	} {
		if got := brokenFor(given(namespace, holder, rule), "acme"); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", namespace, got, want)
		}
	}
	others := rbacv1.PolicyRule{APIGroups: []string{"watertight.dev"}, Resources: []string{"tenants"}, Verbs: []string{"list"}}
	if got := brokenFor(given("", holder, others), "acme"); !slices.Equal(got, []string{"API-1 ReadsOthers"}) {
		t.Errorf("all Tenants: %v", got)
	}
	metrics := rbacv1.PolicyRule{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}
	if got := brokenFor(given("", holder, metrics), "acme"); !slices.Equal(got, []string{"API-1 NonResourceURL"}) {
		t.Errorf("/metrics: %v", got)
	}
}

// TestAggregation follows aggregated ClusterRoles, round a circle too.
func TestAggregation(t *testing.T) {
	label := func(n string) map[string]string { return map[string]string{"into-" + n: "true"} }
	aggregated := func(name string, l map[string]string) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{
			ObjectMeta:      metav1.ObjectMeta{Name: name, Labels: l},
			AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: label(name)}}},
		}
	}
	s := given("", holder, rbacv1.PolicyRule{}).With(
		aggregated("r", label("middle")), aggregated("middle", label("r")),
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "leaf", Labels: label("middle")}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Verbs: []string{"get"}, Resources: []string{"nodes/proxy"}},
		}})
	if got := brokenFor(s, "acme"); !slices.Equal(got, []string{"API-3 NodesProxy"}) {
		t.Errorf("got %v", got)
	}
}

// TestUnknown says unknown where a role is missing from a folder or a kind may not be listed.
func TestUnknown(t *testing.T) {
	s := given("", holder, rbacv1.PolicyRule{})
	lost := s.ClusterRoleBindings[0].DeepCopy()
	lost.RoleRef.Name = "elsewhere"
	verdicts := func(s *snapshot.Snapshot) map[guarantee.Verdict]int {
		count := map[guarantee.Verdict]int{}
		for _, f := range Run(s) {
			if f.Tenant == "acme" {
				count[f.Verdict]++
			}
		}
		return count
	}
	if got := verdicts(s.With(lost)); got[guarantee.Unknown] != 5 || got[guarantee.Holds] != 0 {
		t.Errorf("role missing in a folder: %v", got)
	}
	live := s.With(lost)
	live.Origin = snapshot.OriginLive
	if got := verdicts(live); got[guarantee.Holds] != 5 {
		t.Errorf("a dangling binding grants nothing on a live cluster: %v", got)
	}
	if got := verdicts(s.WithProblems(snapshot.Problem{Source: "roles", Kind: "Role", Message: "403"})); got[guarantee.Unknown] != 5 {
		t.Errorf("403 on roles: %v", got)
	}
	admin := s.ClusterRoleBindings[0].DeepCopy()
	admin.RoleRef.Name = "cluster-admin"
	if got := brokenFor(s.With(admin), "acme"); len(got) < 4 {
		t.Errorf("cluster-admin is built in: %v", got)
	}
}

// TestDrift breaks API-4: guards go by the label.
func TestDrift(t *testing.T) {
	s := given("", holder, rbacv1.PolicyRule{}).With(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-app"}})
	if got := brokenFor(s, "acme"); !slices.Equal(got, []string{"API-4 LabelDrift"}) {
		t.Errorf("got %v", got)
	}
}
