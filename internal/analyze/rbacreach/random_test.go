package rbacreach

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// dice makes choices out of the bytes of a fuzzer, or of a seed.
type dice struct {
	data []byte
	rng  *rand.Rand
}

func (d *dice) n(below int) int {
	if len(d.data) > 0 {
		v := int(d.data[0])
		d.data = d.data[1:]
		return v % below
	}
	if d.rng != nil {
		return d.rng.IntN(below)
	}
	return 0
}

func (d *dice) pick(list string) string {
	choices := fields(list)
	return choices[d.n(len(choices))]
}

func (d *dice) some(list string, most int) []string {
	var out []string
	for range 1 + d.n(most) {
		out = append(out, d.pick(list))
	}
	return out
}

const (
	spaces = "acme-app lab kube-system"
	// rulesOf are what a random rule is about: group, resources and verbs that go together,
	// so that one in a few leads somewhere.
	rulesOf = `core:secrets:get,list,create core:serviceaccounts/token:create core:users,groups,serviceaccounts:impersonate
		rbac.authorization.k8s.io:roles,clusterroles:bind,escalate,update rbac.authorization.k8s.io:rolebindings,clusterrolebindings:create,patch
		core:pods:create,patch,get apps:deployments:create,update batch:jobs:create,update core:pods/exec,*/exec,pods/log:get,create core:pods/ephemeralcontainers:patch
		core:nodes/proxy,*/proxy:get core:persistentvolumes:create certificates.k8s.io:certificatesigningrequests,certificatesigningrequests/approval:create,update
		certificates.k8s.io:signers:approve admissionregistration.k8s.io:mutatingwebhookconfigurations:create,patch watertight.dev:tenants:patch,create,get
		kustomize.toolkit.fluxcd.io:kustomizations:create tekton.dev:taskruns:create`
	restrictions = "x deployer default agg token pod acme ops system:masters kubernetes.io/kube-apiserver-client"
)

func (d *dice) rule() rbacv1.PolicyRule {
	if d.n(40) == 0 {
		return rbacv1.PolicyRule{} // half written
	}
	parts := strings.Split(d.pick(rulesOf), ":")
	r := rbacv1.PolicyRule{
		APIGroups: fields(parts[0]), Resources: d.some(strings.ReplaceAll(parts[1], ",", " "), 2),
		Verbs: d.some(strings.ReplaceAll(parts[2], ",", " "), 3),
	}
	switch d.n(12) {
	case 0:
		r.APIGroups = []string{"*"}
	case 1:
		r.Resources = []string{"*"}
	case 2:
		r.Verbs = []string{"*"}
	case 3, 4:
		r.ResourceNames = d.some(restrictions, 2)
	}
	return r
}

func (d *dice) rules() []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for range d.n(4) {
		out = append(out, d.rule())
	}
	return out
}

func (d *dice) subject() rbacv1.Subject {
	switch d.n(8) {
	case 0:
		return rbacv1.Subject{Kind: "User", Name: d.pick("ops jo system:serviceaccount:lab:deployer")}
	case 1:
		return rbacv1.Subject{Kind: "Group", Name: d.pick("ops system:authenticated system:serviceaccounts system:serviceaccounts:lab system:masters system:unauthenticated")}
	}
	return serviceAccount(d.pick(spaces), d.pick("bot deployer default kustomize-controller"))
}

func (d *dice) ref() rbacv1.RoleRef {
	switch d.n(8) {
	case 0:
		return rbacv1.RoleRef{Kind: "ClusterRole", Name: "nowhere"}
	case 1:
		return rbacv1.RoleRef{Kind: "ClusterRole", Name: d.pick("agg agg2")}
	case 2, 3:
		return rbacv1.RoleRef{Kind: "ClusterRole", Name: d.pick("x c1 c2")}
	}
	return rbacv1.RoleRef{Kind: "Role", Name: d.pick("x r1 r2")}
}

// cluster makes a small one, with circles of aggregation and bindings to nowhere.
func (d *dice) cluster() *snapshot.Snapshot {
	objects := []runtime.Object{
		&v1alpha1.Tenant{ObjectMeta: named("", "acme"), Spec: v1alpha1.TenantSpec{Namespaces: []v1alpha1.TenantNamespace{{Name: "app"}}}},
		aggregate("agg", "in-agg", "in-agg2"), aggregate("agg2", "in-agg2", "in-agg"),
		tokenSecret(d.pick(spaces), "token", "deployer"),
	}
	for _, ns := range fields(spaces) {
		objects = append(objects, &corev1.Namespace{ObjectMeta: named("", ns)})
		for _, r := range []string{"x", "r1", "r2"} {
			objects = append(objects, &rbacv1.Role{ObjectMeta: named(ns, r), Rules: d.rules()})
		}
		pod := &corev1.Pod{ObjectMeta: named(ns, d.pick("pod web"))}
		pod.Spec.ServiceAccountName = d.pick("bot deployer")
		mounted := d.n(3) > 0
		pod.Spec.AutomountServiceAccountToken = &mounted
		objects = append(objects, pod)
	}
	for _, r := range []string{"x", "c1", "c2"} {
		objects = append(objects, &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: r, Labels: map[string]string{d.pick("in-agg in-agg2 other"): "true"}}, Rules: d.rules()})
	}
	for i := range 2 + d.n(8) {
		objects = append(objects, roleBinding(d.pick(spaces), fmt.Sprintf("b%d", i), d.ref(), d.subject(), d.subject()))
	}
	for i := range d.n(3) {
		objects = append(objects, clusterBinding(fmt.Sprintf("b%d", i), d.ref(), d.subject()))
	}
	return cluster(objects...)
}

func aggregate(name, selects, label string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		ObjectMeta:      metav1.ObjectMeta{Name: name, Labels: map[string]string{label: "true"}},
		AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{selects: "true"}}}},
	}
}

// agree compares the closure of every subject with the oracle's.
func agree(t *testing.T, s *snapshot.Snapshot) (places int) {
	t.Helper()
	subjects := map[rbacv1.Subject]bool{serviceAccount("acme-app", "default"): true}
	for _, b := range s.RoleBindings {
		for _, sub := range b.Subjects {
			subjects[sub] = true
		}
	}
	for _, b := range s.ClusterRoleBindings {
		for _, sub := range b.Subjects {
			subjects[sub] = true
		}
	}
	for sub := range subjects {
		p, _ := subjectPlace(sub)
		got, want := map[string]bool{}, reach(s, spelledPlace(p))
		for q := range reachable(s, p) {
			got[spelledPlace(q)] = true
		}
		places += len(want)
		if got[total] && want[total] {
			continue // everything falls with it
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s gets\n  %v, and by the oracle\n  %v\n%s", spelledPlace(p), slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)), printed(s))
		}
	}
	return places
}

// printed shows the RBAC of a counterexample.
func printed(s *snapshot.Snapshot) string {
	var b strings.Builder
	for _, r := range s.Roles {
		fmt.Fprintf(&b, "Role %s/%s %v\n", r.Namespace, r.Name, r.Rules)
	}
	for _, r := range s.ClusterRoles {
		fmt.Fprintf(&b, "ClusterRole %s %v %v\n", r.Name, r.Labels, r.Rules)
	}
	for _, x := range s.RoleBindings {
		fmt.Fprintf(&b, "RoleBinding %s/%s %v %v\n", x.Namespace, x.Name, x.RoleRef, x.Subjects)
	}
	for _, x := range s.ClusterRoleBindings {
		fmt.Fprintf(&b, "ClusterRoleBinding %s %v %v\n", x.Name, x.RoleRef, x.Subjects)
	}
	for _, p := range s.Pods {
		fmt.Fprintf(&b, "Pod %s/%s as %s, mounted %t\n", p.Namespace, p.Name, p.Spec.ServiceAccountName, *p.Spec.AutomountServiceAccountToken)
	}
	for _, o := range s.Others {
		fmt.Fprintf(&b, "Secret %s/%s\n", o.GetNamespace(), o.GetName())
	}
	return b.String()
}

// TestClosureAgreesWithOracle on random clusters.
func TestClosureAgreesWithOracle(t *testing.T) {
	places := 0
	for seed := range uint64(50) {
		d := &dice{rng: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // a test repeats itself
		places += agree(t, d.cluster())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if places < 1200 {
		t.Errorf("the clusters are dull: %d places reached", places)
	}
}

// FuzzClosure compares with the oracle, and judges the tenant: nothing may panic.
func FuzzClosure(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := (&dice{data: data}).cluster()
		agree(t, s)
		Run(s)
	})
}
