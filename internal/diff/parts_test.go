package diff

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/verify"
)

// TestEffects is every change of a verdict.
func TestEffects(t *testing.T) {
	const h, b, u, n = guarantee.Holds, guarantee.Broken, guarantee.Unknown, guarantee.NotPromised
	for _, c := range []struct {
		before, after guarantee.Verdict
		want          Effect
	}{
		{h, h, ""}, {h, b, Worsens}, {h, u, Blurs}, {h, n, Worsens},
		{b, h, Betters}, {b, b, ""}, {b, u, Blurs}, {b, n, Worsens},
		{u, h, Betters}, {u, b, Worsens}, {u, u, ""}, {u, n, Worsens},
		{n, h, Betters}, {n, b, Worsens}, {n, u, Changes}, {n, n, ""},
	} {
		if got := effectOf(c.before, c.after); got != c.want {
			t.Errorf("%s -> %s is %q, want %q", c.before, c.after, got, c.want)
		}
	}
}

// TestUnits: what a pod is one of.
func TestUnits(t *testing.T) {
	pod := func(name, ownerKind, owner, hash string) *corev1.Pod {
		p := &corev1.Pod{}
		p.Namespace, p.Name = "a", name
		if owner != "" {
			yes := true
			p.OwnerReferences = []metav1.OwnerReference{{Kind: ownerKind, Name: owner, Controller: &yes}}
		}
		if hash != "" {
			p.Labels = map[string]string{"pod-template-hash": hash}
		}
		return p
	}
	for _, c := range []struct {
		pod  *corev1.Pod
		want unit
	}{
		{pod("web", "", "", ""), unit{"Pod", "a", "web"}},
		{pod("web-abc-xyz", "ReplicaSet", "web-abc", "abc"), unit{"Deployment", "a", "web"}},
		{pod("web-abc-xyz", "ReplicaSet", "web-abc", ""), unit{"ReplicaSet", "a", "web-abc"}},
		{pod("web-abc-xyz", "ReplicaSet", "web-abc", "def"), unit{"ReplicaSet", "a", "web-abc"}},
		{pod("db-0", "StatefulSet", "db", ""), unit{"StatefulSet", "a", "db"}},
	} {
		if got := unitOf(c.pod); got != c.want {
			t.Errorf("%s is %v, want %v", c.pod.Name, got, c.want)
		}
	}
	e := guarantee.Evidence{Object: guarantee.Ref{Kind: "Pod", Namespace: "a", Name: "web-abc-xyz"}, Field: "spec.hostNetwork"}
	unitsOf(new(snapshot.Snapshot).With(pod("web-abc-xyz", "ReplicaSet", "web-abc", "abc"))).lasting(&e)
	if e.Object.String() != "Deployment a/web" || e.Field != "spec.template.spec.hostNetwork" {
		t.Errorf("evidence about a pod is about %s %s", e.Object, e.Field)
	}
}

// TestChangedFields: where two objects differ, and what is no difference.
func TestChangedFields(t *testing.T) {
	service := func(alter func(*corev1.Service)) *corev1.Service {
		s := &corev1.Service{}
		s.Name, s.Labels = "web", map[string]string{"app": "web"}
		s.Spec.Ports = []corev1.ServicePort{{Port: 80}}
		alter(s)
		return s
	}
	same := service(func(*corev1.Service) {})
	for name, c := range map[string]struct {
		alter func(*corev1.Service)
		want  []string
	}{
		"nothing":    {func(*corev1.Service) {}, nil},
		"a value":    {func(s *corev1.Service) { s.Spec.Type = "NodePort" }, []string{"spec.type"}},
		"in a list":  {func(s *corev1.Service) { s.Spec.Ports[0].Port = 81 }, []string{"spec.ports[0].port"}},
		"a list":     {func(s *corev1.Service) { s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Port: 81}) }, []string{"spec.ports"}},
		"gone":       {func(s *corev1.Service) { s.Labels = nil }, []string{"metadata.labels"}},
		"status":     {func(s *corev1.Service) { s.Status.Conditions = []metav1.Condition{{Type: "X"}} }, nil},
		"the server": {func(s *corev1.Service) { s.UID, s.ResourceVersion, s.Generation = "x", "7", 3 }, nil},
		"kubectl": {func(s *corev1.Service) {
			s.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
		}, nil},
		"an annotation": {func(s *corev1.Service) { s.Annotations = map[string]string{"a": "b"} }, []string{"metadata.annotations"}},
	} {
		if got := changedFields(same, service(c.alter)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestSpan: a code span cannot be left, and shows what it holds.
func TestSpan(t *testing.T) {
	for text, want := range map[string]string{
		"":      "",
		"a":     "`a`",
		"a|b":   "`a\\|b`",
		"a`b":   "``a`b``",
		"`a``b": "``` `a``b ```",
		"<b>":   "`<b>`",
		"a\nb":  "`a\\x0ab`",
		"  ":    "`    `",
	} {
		if got := span(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestFolding: what says the same of many rows is said once, and names the first tenants.
func TestFolding(t *testing.T) {
	var findings []FindingChange
	for i := range 10 {
		tenant := fmt.Sprintf("t%d", i)
		for _, id := range []guarantee.ID{guarantee.NET1, guarantee.NET3} {
			findings = append(findings, FindingChange{Appears: true, Column: "predicted", Finding: guarantee.Finding{
				Guarantee: id, Tenant: tenant, Verdict: guarantee.Unknown, Reason: "NotRead", Message: "x",
			}})
		}
	}
	other := findings[0]
	other.Message = "y"
	lines := foldFindings(append(findings, other))
	want := "t0 NET-1, NET-3; t1 NET-1, NET-3; t2 NET-1, NET-3; t3 NET-1, NET-3; t4 NET-1, NET-3; t5 NET-1, NET-3; t6 NET-1, NET-3; t7 NET-1, NET-3; and 2 more tenants"
	if len(lines) != 2 || lines[0].rows() != want || lines[1].rows() != "t0 NET-1" {
		t.Errorf("got %d lines: %s", len(lines), lines[0].rows())
	}
	blurred := VerdictChange{Tenant: "a", Guarantee: guarantee.NET1, Effect: Blurs, Before: guarantee.Holds, After: guarantee.Unknown}
	worse := blurred
	worse.Effect, worse.After = Worsens, guarantee.Broken
	again := func(v VerdictChange) VerdictChange { v.Guarantee = guarantee.NET3; return v }
	if got := foldVerdicts([]VerdictChange{worse, again(worse), blurred, again(blurred)}); len(got) != 3 || got[2].guarantees != "NET-1, NET-3" {
		t.Errorf("got %+v", got)
	}
}

// TestAlone: a pod's way to itself counts for nothing, nor that to another of the same
// workload, and that to its twin does.
func TestAlone(t *testing.T) {
	closed := &networkingv1.NetworkPolicy{}
	closed.Namespace, closed.Name = "a", "closed"
	closed.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	for want, names := range [][]string{{"web-x-1", "web-x-2"}, {"p0", "p1"}} {
		open := &snapshot.Snapshot{}
		for _, name := range names {
			p := &corev1.Pod{}
			p.Namespace, p.Name = "a", name
			if want == 0 {
				p.Labels = map[string]string{"pod-template-hash": "x"}
				p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-x", Controller: new(true)}}
			}
			open = open.With(p)
		}
		got := reachChanges([2]network{networkOf(open.With(closed)), networkOf(open)}, verify.Report{})
		if len(got) != want {
			t.Errorf("%v: %+v", names, got)
		}
	}
}
