package engine

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// crowded is a cluster of 70 namespaces of which most are open, so that what reaches what
// is a few broad flows with exceptions.
func (g generator) crowded() *snapshot.Snapshot {
	var objects []runtime.Object
	for i := range 70 {
		ns := fmt.Sprintf("n%02d", i)
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{"ns": ns, "parity": fmt.Sprint(i % 2)}}})
		for k := range 1 + g.IntN(2) {
			objects = append(objects, g.dualPod(ns, fmt.Sprintf("p%d", k)))
		}
		if g.chance(15) {
			p := g.policy("np")
			p.Namespace = ns
			objects = append(objects, p)
		}
		if g.chance(10) {
			objects = append(objects, g.allBut(ns))
		}
	}
	for i := range g.IntN(3) {
		objects = append(objects, g.node(fmt.Sprintf("n%d", i)), g.tiered(fmt.Sprintf("cnp%d", i)))
	}
	if g.chance(40) {
		p := g.cilium("cilium")
		if p.GetNamespace() != "" {
			p.SetNamespace("n00")
		}
		objects = append(objects, p)
	}
	return load.Objects(objects...)
}

// allBut lets nearly everybody in and out: all namespaces but some, every pod of them, or
// a wide block but a narrow one, perhaps by a port's name.
func (g generator) allBut(namespace string) *networkingv1.NetworkPolicy {
	others := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: pick(g, "ns", corev1.LabelMetadataName), Operator: metav1.LabelSelectorOpNotIn,
		Values: []string{fmt.Sprintf("n%02d", g.IntN(70)), fmt.Sprintf("n%02d", g.IntN(70))},
	}}}
	peer := pick(g, networkingv1.NetworkPolicyPeer{NamespaceSelector: &others},
		networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.0.1.0/25"}}},
		networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "fd00::/17"}})
	var ports []networkingv1.NetworkPolicyPort
	if g.chance(50) {
		name := intstr.FromString(pick(g, "web", "db"))
		ports = append(ports, networkingv1.NetworkPolicyPort{Port: &name})
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "all-but"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: pick(g, []networkingv1.PolicyType{"Ingress"}, []networkingv1.PolicyType{"Ingress", "Egress"}),
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{peer}, Ports: ports}},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{peer}, Ports: ports}},
		},
	}
}

// TestFlowsArePairs: flows say of each pair of classes what Between says, once where it
// is something, and not at all where it is nothing. A flow counts its pods' pairs.
func TestFlowsArePairs(t *testing.T) {
	clusters, broad, special := uint64(60), 0, 0
	if testing.Short() {
		clusters = 12
	}
	for seed := range clusters {
		g := newGenerator(seed)
		options := Options{BlocksMatchPods: Mode(seed % 3)}
		if g.chance(50) {
			options.Hypothetical = []Hypothetical{{Namespace: "n01"}, {Namespace: "n69", Labels: map[string]string{"app": "a"}}, {Namespace: "new", Tenant: "t"}}
		}
		e := New(g.crowded(), options)
		told := map[[2]*Class]Reach{}
		e.Flows(func(f Flow) bool {
			if len(f.From.Groups)*len(f.To.Groups) > 1 {
				broad++
			}
			if len(f.Except) > 0 {
				special++
			}
			pods := 0
			f.Pairs(func(src, dst *Class) bool {
				if _, doubled := told[[2]*Class{src, dst}]; doubled {
					t.Fatalf("seed %d: %s -> %s comes twice", seed, src, dst)
				}
				told[[2]*Class{src, dst}] = f.Reach
				if pods += len(src.Pods) * len(dst.Pods); src == dst {
					pods -= len(src.Pods)
				}
				return true
			})
			if got := f.PodPairs(); got != pods {
				t.Fatalf("seed %d: a flow counts %d pairs of pods, it has %d", seed, got, pods)
			}
			return true
		})
		for _, src := range e.Classes() {
			for _, dst := range e.Classes() {
				got, want := told[[2]*Class{src, dst}], e.Between(src, dst)
				if src == dst && len(src.Pods) == 1 {
					continue // a pod with itself is no pair
				}
				if !got.Sure.Equal(want.Sure) || !got.Possible.Equal(want.Possible) {
					t.Fatalf("seed %d: %s -> %s: the flows say %v / %v, the pair %v / %v", seed, src, dst, got.Sure, got.Possible, want.Sure, want.Possible)
				}
			}
		}
	}
	if broad == 0 || special == 0 {
		t.Errorf("%d broad flows, %d with exceptions: the clusters try too little", broad, special)
	}
}
