package verify

import (
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

func quotaOf(s *snapshot.Snapshot) *corev1.ResourceQuota { return s.ResourceQuotas[0].DeepCopy() }

// drifts are changes of a cluster on which everything was applied.
var drifts = []struct {
	name    string
	change  func(s *snapshot.Snapshot) []runtime.Object // replacements
	remove  func(o runtime.Object) bool
	id      guarantee.ID
	verdict guarantee.Verdict
	says    string
}{
	{name: "as compiled", id: guarantee.NET1, verdict: guarantee.Holds},
	{name: "as compiled, quota", id: guarantee.CAP1, verdict: guarantee.Holds},
	{name: "a policy is missing", remove: func(o runtime.Object) bool {
		p, ok := o.(metav1.Object)
		return ok && p.GetName() == "watertight-default-deny" && p.GetNamespace() == "acme-frontend"
	}, id: guarantee.NET1, verdict: guarantee.Broken, says: "acme-frontend/watertight-default-deny is missing"},
	{name: "a policy is wider", change: func(s *snapshot.Snapshot) []runtime.Object {
		for _, p := range s.NetworkPolicies {
			if p.Namespace == "acme-frontend" && p.Name == "watertight-default-deny" {
				p = p.DeepCopy()
				p.Spec.PolicyTypes = p.Spec.PolicyTypes[:1]
				return []runtime.Object{p}
			}
		}
		return nil
	}, id: guarantee.NET1, verdict: guarantee.Broken, says: "spec.policyTypes"},
	{name: "the seal and other labels are not ours to compare", change: func(s *snapshot.Snapshot) []runtime.Object {
		ns := s.Namespace("acme-frontend").DeepCopy()
		ns.Labels[v1alpha1.LabelUnsealed] = "true"
		ns.Spec.Finalizers = []corev1.FinalizerName{"kubernetes"}
		return []runtime.Object{ns}
	}, id: guarantee.KRN1, verdict: guarantee.Holds},
	{name: "Pod Security is lowered", change: func(s *snapshot.Snapshot) []runtime.Object {
		ns := s.Namespace("acme-frontend").DeepCopy()
		ns.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
		return []runtime.Object{ns}
	}, id: guarantee.KRN1, verdict: guarantee.Broken, says: "metadata.labels[pod-security.kubernetes.io/enforce]"},
	{name: "a share has moved to another namespace", change: func(s *snapshot.Snapshot) []runtime.Object {
		q := quotaOf(s)
		q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("1")
		return []runtime.Object{q}
	}, id: guarantee.CAP1, verdict: guarantee.Holds},
	{name: "the shares exceed the budget", change: func(s *snapshot.Snapshot) []runtime.Object {
		q := quotaOf(s)
		q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("1000")
		return []runtime.Object{q}
	}, id: guarantee.CAP1, verdict: guarantee.Broken, says: "add up to"},
	{name: "a bound is gone from a quota", change: func(s *snapshot.Snapshot) []runtime.Object {
		q := quotaOf(s)
		delete(q.Spec.Hard, corev1.ResourcePods)
		return []runtime.Object{q}
	}, id: guarantee.CAP1, verdict: guarantee.Broken, says: "spec.hard.pods"},
	{name: "a quota counts only some pods", change: func(s *snapshot.Snapshot) []runtime.Object {
		q := quotaOf(s)
		q.Spec.Scopes = []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}
		return []runtime.Object{q}
	}, id: guarantee.CAP1, verdict: guarantee.Broken, says: "spec.scopes"},
	{name: "a guard's binding only warns", change: func(s *snapshot.Snapshot) []runtime.Object {
		for _, b := range s.PolicyBindings {
			if b.Name == "watertight-networkpolicy" {
				b = b.DeepCopy()
				b.Spec.ValidationActions = b.Spec.ValidationActions[1:]
				return []runtime.Object{b}
			}
		}
		return nil
	}, id: guarantee.NET5, verdict: guarantee.Broken, says: "spec.validationActions"},
}

// TestCompiledColumn compares a cluster with what is compiled: each change of an object
// breaks exactly the guarantees that it enforces, and names the field.
func TestCompiledColumn(t *testing.T) {
	for _, c := range drifts {
		t.Run(c.name, func(t *testing.T) {
			live := asApplied(t, c.remove)
			if c.change != nil {
				live = live.With(c.change(live)...)
			}
			report := run(t, Input{Snapshot: live, Tenants: []string{"acme"}})
			var broken []string
			for _, row := range report.Tenants[0].Rows {
				if row.Guarantee != c.id {
					continue
				}
				if row.Compiled.Verdict == guarantee.Broken {
					broken = append(broken, row.Compiled.Findings[0].Message)
				}
			}
			switch text := strings.Join(broken, "\n"); {
			case c.verdict == guarantee.Broken && !strings.Contains(text, c.says):
				t.Errorf("got %q, want something broken that says %q", text, c.says)
			case c.verdict == guarantee.Holds && text != "":
				t.Errorf("got %q, want nothing broken", text)
			}
		})
	}
}

// asApplied is a cluster on which everything was applied, but for what remove picks.
func asApplied(t *testing.T, remove func(runtime.Object) bool) *snapshot.Snapshot {
	t.Helper()
	s := picture()
	subjects, err := gather(Input{Snapshot: s})
	if err != nil {
		t.Fatal(err)
	}
	guards, err := installed(s, compile.Capabilities{})
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for _, o := range applied(subjects, guards) {
		if remove == nil || !remove(o) {
			objects = append(objects, o)
		}
	}
	return s.With(objects...)
}

// BenchmarkVerify judges many applied tenants: what they share is compared once.
func BenchmarkVerify(b *testing.B) {
	var objects []runtime.Object
	for i := range 300 {
		objects = append(objects, tenantNamed("t"+strconv.Itoa(i)))
	}
	s := picture().With(objects...)
	subjects, err := gather(Input{Snapshot: s})
	if err != nil {
		b.Fatal(err)
	}
	guards, err := installed(s, compile.Capabilities{})
	if err != nil {
		b.Fatal(err)
	}
	s = s.With(applied(subjects, guards)...)
	for b.Loop() {
		if _, err := Run(b.Context(), Input{Snapshot: s}); err != nil {
			b.Fatal(err)
		}
	}
}
