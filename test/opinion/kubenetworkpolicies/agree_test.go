package kubenetworkpolicies

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// askedPorts are at and beside every border that the dice make.
var askedPorts = []int32{1, 79, 80, 81, 82, 65535}

// fill replaces what the evaluator knows.
func (m model) fill(t *testing.T, e *Evaluator) {
	t.Helper()
	for _, err := range []error{
		replace(e.namespaces, m.namespaces), replace(e.pods, m.pods), replace(e.nodes, []*corev1.Node{}),
		replace(e.policies, m.policies), replace(e.admins, m.admins), replace(e.baseline, m.baseline),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func replace[T any](store cache.Store, objects []T) error {
	list := make([]any, len(objects))
	for i := range objects {
		list[i] = objects[i]
	}
	return store.Replace(list, "")
}

// objects are what our engine reads.
func (m model) objects() (out []runtime.Object) {
	for _, n := range m.namespaces {
		out = append(out, n)
	}
	for _, p := range m.pods {
		out = append(out, p)
	}
	for _, p := range m.policies {
		out = append(out, p)
	}
	for _, p := range m.admins {
		out = append(out, untyped(p))
	}
	for _, p := range m.baseline {
		out = append(out, untyped(p))
	}
	return out
}

func untyped(object any) *unstructured.Unstructured {
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		panic(err)
	}
	return u
}

func (m model) yaml() string {
	var parts []string
	for _, o := range m.objects() {
		data, err := yaml.Marshal(o)
		if err != nil {
			panic(err)
		}
		parts = append(parts, string(data))
	}
	return strings.Join(parts, "---\n")
}

// differences asks both engines everything, and counts what they both allow.
func differences(t *testing.T, e *Evaluator, m model) (out []string, allowed int) {
	t.Helper()
	m.fill(t, e)
	s := load.Objects(m.objects()...)
	ours := engine.New(s, engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.No})
	for _, u := range ours.Unread {
		return []string{"unread: " + u.Object.GetName() + " " + u.Field + " " + u.Why}, 0
	}
	for _, src := range s.Pods {
		for _, dst := range s.Pods {
			if src == dst || m.baselineDiffers(src, networkingv1.PolicyTypeEgress) || m.baselineDiffers(dst, networkingv1.PolicyTypeIngress) {
				continue
			}
			diff, n := compare(e, ours, src, dst)
			out, allowed = append(out, diff...), allowed+n
		}
	}
	return out, allowed
}

func compare(e *Evaluator, ours *engine.Engine, src, dst *corev1.Pod) (out []string, allowed int) {
	reach := ours.PodReach(src, dst)
	for _, protocol := range netset.Protocols {
		for _, port := range askedPorts {
			at := netset.PortsOf(protocol, port, port)
			sure, possible := !reach.Sure.Intersect(at).Empty(), !reach.Possible.Intersect(at).Empty()
			theirs := e.Allows(src, dst, protocol, port)
			if sure != theirs || possible != theirs {
				out = append(out, fmt.Sprintf("%s/%s -> %s/%s %s %d: ours sure %v, possible %v; theirs %v", src.Namespace, src.Name, dst.Namespace, dst.Name, protocol, port, sure, possible, theirs))
			}
			if theirs {
				allowed++
			}
		}
	}
	return out, allowed
}

// baselineDiffers reports the one difference by design: of a pod that a NetworkPolicy
// selects for the other direction only, v0.8.0 skips the baseline in both; a
// NetworkPolicy decides, and so overrides, in its own policyTypes.
func (m model) baselineDiffers(pod *corev1.Pod, direction networkingv1.PolicyType) bool {
	selected, decided := false, false
	for _, p := range m.policies {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil {
			panic(err)
		}
		if p.Namespace == pod.Namespace && selector.Matches(labels.Set(pod.Labels)) {
			selected = true
			decided = decided || slices.Contains(p.Spec.PolicyTypes, direction)
		}
	}
	return len(m.baseline) > 0 && selected && !decided
}

// TestEnginesAgree compares random clusters; the first that differs is shrunk and printed.
func TestEnginesAgree(t *testing.T) {
	e := evaluator(t)
	clusters := uint64(2000)
	if testing.Short() {
		clusters = 200
	}
	total := 0
	for seed := range clusters {
		m := dice{rand.New(rand.NewPCG(seed, 11))}.model()
		diff, allowed := differences(t, e, m)
		total += allowed
		if len(diff) > 0 {
			m = shrink(m, func(m model) bool { d, _ := differences(t, e, m); return len(d) > 0 })
			diff, _ = differences(t, e, m)
			t.Fatalf("seed %d: %d differences, first %s\n%s", seed, len(diff), diff[0], m.yaml())
		}
	}
	if total == 0 {
		t.Fatal("nothing is ever allowed: the clusters try nothing")
	}
}

// TestItAnswers shows that the evaluator that was linked by name is alive: it allows
// without policies and denies with one.
func TestItAnswers(t *testing.T) {
	e := evaluator(t)
	d := dice{rand.New(rand.NewPCG(1, 1))}
	m := model{pods: []*corev1.Pod{d.pod("x", "a", 0), d.pod("y", "b", 1)}}
	m.fill(t, e)
	if !e.Allows(m.pods[0], m.pods[1], corev1.ProtocolTCP, 80) {
		t.Error("denied without a policy")
	}
	deny := d.networkPolicy("deny")
	deny.Namespace, deny.Spec = "y", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}
	m.policies = append(m.policies, deny)
	m.fill(t, e)
	if e.Allows(m.pods[0], m.pods[1], corev1.ProtocolTCP, 80) {
		t.Error("allowed into a namespace that denies all ingress")
	}
}

// TestItNoticesADifference shows that the comparison can fail: what one engine is not
// told of must be found, and shrunk to the policy that makes it.
func TestItNoticesADifference(t *testing.T) {
	e := evaluator(t)
	differ := func(m model) bool {
		blind := m
		blind.policies = nil
		ours := engine.New(snapshotOf(m), engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.No})
		blind.fill(t, e)
		for _, src := range m.pods {
			for _, dst := range m.pods {
				if diff, _ := compare(e, ours, src, dst); src != dst && len(diff) > 0 {
					return true
				}
			}
		}
		return false
	}
	for seed := range uint64(50) {
		m := dice{rand.New(rand.NewPCG(seed, 11))}.model()
		if !differ(m) {
			continue
		}
		if m = shrink(m, differ); len(m.policies) != 1 || len(m.pods) != 2 {
			t.Errorf("shrunk to %d policies and %d pods, want 1 and 2\n%s", len(m.policies), len(m.pods), m.yaml())
		}
		return
	}
	t.Error("no cluster of 50 has a NetworkPolicy that matters")
}

func snapshotOf(m model) *snapshot.Snapshot { return load.Objects(m.objects()...) }

func evaluator(t *testing.T) *Evaluator {
	t.Helper()
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}
