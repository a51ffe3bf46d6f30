package netreach

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// asked are ports at and beside every border that the generator makes.
var asked = []int32{1, 78, 79, 80, 81, 82, 5431, 5432, 5433, 65535}

// cell is one question.
type cell struct {
	from, to *corev1.Pod
	protocol corev1.Protocol
	port     int32
}

// answers asks Reach every question that the oracle can be asked.
func answers(s *snapshot.Snapshot, options Options) map[cell]bool {
	r := New(s, options)
	classOf := map[*corev1.Pod]*Class{}
	for _, c := range r.Classes {
		for _, p := range c.Pods {
			classOf[p] = c
		}
	}
	paired := map[[2]int]Ports{}
	r.Pairs(func(src, dst *Class, ports Ports) bool {
		paired[[2]int{src.id, dst.id}] = ports
		return true
	})
	out := map[cell]bool{}
	for _, from := range s.Pods {
		for _, to := range s.Pods {
			ports := paired[[2]int{classOf[from].id, classOf[to].id}]
			if from == to {
				ports = AllPorts()
			}
			for _, protocol := range protocols {
				for _, port := range asked {
					out[cell{from, to, protocol, port}] = !ports.Intersect(PortsOf(protocol, port, port)).Empty()
				}
			}
		}
	}
	return out
}

// TestOracle compares with an oracle that was written from the API documentation.
func TestOracle(t *testing.T) {
	clusters := 800
	if testing.Short() {
		clusters = 200
	}
	for seed := range uint64(clusters) {
		s := newGenerator(seed).cluster()
		blocks := seed%2 == 0
		for c, got := range answers(s, Options{IPBlocksMatchPods: blocks}) {
			if want := oracle(s, c.from, c.to, c.protocol, c.port, blocks); got != want {
				t.Fatalf("seed %d: %s -> %s %s/%d: got %t, the oracle says %t", seed, podName(c.from), podName(c.to), c.protocol, c.port, got, want)
			}
		}
	}
}

// TestAddingAllowsNeverClosesMore adds a rule to a policy that isolates already.
func TestAddingAllowsNeverClosesMore(t *testing.T) {
	for seed := range uint64(300) {
		g := newGenerator(seed)
		s := g.cluster()
		if len(s.NetworkPolicies) == 0 {
			continue
		}
		before := answers(s, Options{IPBlocksMatchPods: true})
		wider := pick(g, s.NetworkPolicies...).DeepCopy()
		wider.Spec.PolicyTypes = effectiveTypes(wider)
		wider.Spec.Ingress = append(wider.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
		wider.Spec.Egress = append(wider.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
		after := answers(s.With(wider), Options{IPBlocksMatchPods: true})
		for c, open := range before {
			if open && !after[c] {
				t.Fatalf("seed %d: a rule more in %s closed %s -> %s %s/%d", seed, wider.Name, podName(c.from), podName(c.to), c.protocol, c.port)
			}
		}
	}
}

func effectiveTypes(p *networkingv1.NetworkPolicy) []networkingv1.PolicyType {
	var types []networkingv1.PolicyType
	for _, d := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
		if oracleType(p, string(d)) {
			types = append(types, d)
		}
	}
	return types
}

// TestPolicyWithoutPodsChangesNothing adds a policy that selects no pod.
func TestPolicyWithoutPodsChangesNothing(t *testing.T) {
	for seed := range uint64(300) {
		g := newGenerator(seed)
		s := g.cluster()
		idle := g.policy("idle")
		idle.Spec.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "nobody"}}
		before, after := answers(s, Options{IPBlocksMatchPods: true}), answers(s.With(idle), Options{IPBlocksMatchPods: true})
		for c, open := range before {
			if open != after[c] {
				t.Fatalf("seed %d: an idle policy changed %s -> %s %s/%d", seed, podName(c.from), podName(c.to), c.protocol, c.port)
			}
		}
	}
}

// TestSplitCIDRChangesNothing writes each ipBlock as its two halves.
func TestSplitCIDRChangesNothing(t *testing.T) {
	halves := map[string][2]string{"0.0.0.0/0": {"0.0.0.0/1", "128.0.0.0/1"}, "fd00::/17": {"fd00::/18", "fd00:4000::/18"}}
	for seed := range uint64(300) {
		s := newGenerator(seed).cluster()
		split := s
		for _, p := range s.NetworkPolicies {
			q := p.DeepCopy()
			for i := range q.Spec.Egress {
				q.Spec.Egress[i].To = splitPeers(q.Spec.Egress[i].To, halves)
			}
			split = split.With(q)
		}
		before, after := New(s, Options{IPBlocksMatchPods: true}), New(split, Options{IPBlocksMatchPods: true})
		if got, want := fmt.Sprint(flat(after)), fmt.Sprint(flat(before)); got != want {
			t.Fatalf("seed %d: splitting CIDRs changed\n%s\nto\n%s", seed, want, got)
		}
	}
}

func splitPeers(peers []networkingv1.NetworkPolicyPeer, halves map[string][2]string) []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for _, p := range peers {
		if p.IPBlock == nil || halves[p.IPBlock.CIDR][0] == "" {
			out = append(out, p)
			continue
		}
		for _, half := range halves[p.IPBlock.CIDR] {
			out = append(out, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: half}})
		}
	}
	return out
}

// flat lists the connections between pods and to addresses.
func flat(r *Reach) map[string]bool {
	out := map[string]bool{}
	r.Connections(func(c Connection) bool {
		out[fmt.Sprint(c)] = true
		return true
	})
	return out
}

// TestSelfPair keeps a pod's way to itself out of the answer, and two pods of one class in.
func TestSelfPair(t *testing.T) {
	s := load2("x", "p0", "p1")
	pairs := map[string]bool{}
	New(s, Options{}).Connections(func(c Connection) bool {
		pairs[c.From+" "+c.To] = true
		return true
	})
	if pairs["x/p0 x/p0"] || !pairs["x/p0 x/p1"] || !pairs["x/p1 x/p0"] {
		t.Errorf("got %v", pairs)
	}
}

func load2(namespace string, names ...string) *snapshot.Snapshot {
	s := &snapshot.Snapshot{}
	for _, n := range names {
		s = s.With(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: n}})
	}
	return s
}
