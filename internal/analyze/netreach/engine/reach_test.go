package engine

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/snapshot"
)

// asked are ports at and beside every border that the generator makes.
var asked = []int32{1, 78, 79, 80, 81, 82, 5431, 5432, 5433, 65535}

// cell is one question.
type cell struct {
	from, to string
	protocol corev1.Protocol
	port     int32
}

// reached is an answer: surely, or perhaps.
type reached struct{ sure, possible bool }

// answers asks an engine every question that the oracle can be asked, by its flows and
// pair by pair, which must agree.
func answers(t *testing.T, s *snapshot.Snapshot, options Options) map[cell]reached {
	t.Helper()
	return answersOf(t, New(s, options), s.Pods)
}

func answersOf(t *testing.T, e *Engine, pods []*corev1.Pod) map[cell]reached {
	t.Helper()
	paired := pairedByFlows(t, e)
	out := map[cell]reached{}
	for _, from := range pods {
		for _, to := range pods {
			reach := paired[[2]string{podName(from), podName(to)}]
			direct := e.PodReach(from, to)
			if from == to || e.sameNode(from, to) {
				reach = direct
			}
			if !reach.Sure.Equal(direct.Sure) || !reach.Possible.Equal(direct.Possible) {
				t.Fatalf("%s -> %s: the flows say %v, the pair %v", podName(from), podName(to), reach, direct)
			}
			for _, protocol := range netset.Protocols {
				for _, port := range asked {
					one := netset.PortsOf(protocol, port, port)
					out[cell{podName(from), podName(to), protocol, port}] = reached{
						!reach.Sure.Intersect(one).Empty(), !reach.Possible.Intersect(one).Empty(),
					}
				}
			}
		}
	}
	return out
}

func pairedByFlows(t *testing.T, e *Engine) map[[2]string]Reach {
	paired := map[[2]string]Reach{}
	e.Pairs(func(src, dst *Class, r Reach) bool {
		for _, p := range src.Pods {
			for _, q := range dst.Pods {
				key := [2]string{podName(p), podName(q)}
				if _, doubled := paired[key]; doubled {
					t.Fatalf("%v comes twice", key)
				}
				paired[key] = r
			}
		}
		return true
	})
	return paired
}

// TestOracle compares with an oracle that was written from the API documentation. Where
// it cannot be told whether a block matches a pod, the oracle is asked both ways.
func TestOracle(t *testing.T) {
	clusters := 1200
	if testing.Short() {
		clusters = 200
	}
	for seed := range uint64(clusters) {
		s := newGenerator(seed).cluster()
		pods := map[string]*corev1.Pod{}
		for _, p := range s.Pods {
			pods[podName(p)] = p
		}
		mode := Mode(seed % 3)
		for c, got := range answers(t, s, Options{BlocksMatchPods: mode}) {
			narrow, wide := blockMode{matches: mode == Yes}, blockMode{matches: mode != No, unaddressed: mode != No}
			want := reached{
				oracle(s, pods[c.from], pods[c.to], c.protocol, c.port, narrow),
				oracle(s, pods[c.from], pods[c.to], c.protocol, c.port, wide),
			}
			if got != want {
				t.Fatalf("seed %d, mode %d: %s -> %s %s/%d: got %v, the oracle says %v", seed, mode, c.from, c.to, c.protocol, c.port, got, want)
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
		before := answers(t, s, Options{BlocksMatchPods: Yes})
		wider := pick(g, s.NetworkPolicies...).DeepCopy()
		wider.Spec.PolicyTypes = effectiveTypes(wider)
		wider.Spec.Ingress = append(wider.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
		wider.Spec.Egress = append(wider.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
		after := answers(t, s.With(wider), Options{BlocksMatchPods: Yes})
		for c, open := range before {
			if open.sure && !after[c].sure || open.possible && !after[c].possible {
				t.Fatalf("seed %d: a rule more in %s closed %s -> %s %s/%d", seed, wider.Name, c.from, c.to, c.protocol, c.port)
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
		before, after := answers(t, s, Options{BlocksMatchPods: Yes}), answers(t, s.With(idle), Options{BlocksMatchPods: Yes})
		for c, open := range before {
			if open != after[c] {
				t.Fatalf("seed %d: an idle policy changed %s -> %s %s/%d", seed, c.from, c.to, c.protocol, c.port)
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
		before, after := New(s, Options{BlocksMatchPods: Yes}), New(split, Options{BlocksMatchPods: Yes})
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
func flat(r *Engine) map[string]bool {
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
