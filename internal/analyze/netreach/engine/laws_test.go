package engine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
)

// Laws that hold whatever the semantics are: what people do to a cluster that must not
// change what is reached, or only in one way. Clusters have policies of every kind.

// verdicts are all that an engine says of pods that exist, by name: of pairs, and with
// addresses at and beside the borders that the dice draw.
type verdicts map[string]Reach

var lawAddresses = []string{"0.0.0.1", "8.8.8.8", "10.0.0.1", "10.0.1.63", "10.0.1.64", "10.0.1.200", "10.0.2.130", "10.0.3.1", "11.0.0.1", "192.168.0.1", "192.168.0.2", "fd00::1", "fd00:7fff::1", "fd00:8000::1", "fe80::1", "2001:db8::1"}

func verdictsOf(t *testing.T, s *snapshot.Snapshot, options Options) verdicts {
	t.Helper()
	e, out := New(s, options), verdicts{}
	flows := pairedByFlows(t, e)
	for _, from := range s.Pods {
		for _, to := range s.Pods {
			at := podName(from) + " -> " + podName(to)
			out[at] = e.PodReach(from, to)
			flow := flows[[2]string{podName(from), podName(to)}]
			if from != to && !e.sameNode(from, to) && (!flow.Sure.Equal(out[at].Sure) || !flow.Possible.Equal(out[at].Possible)) {
				t.Fatalf("%s: the flows say %v, the pair %v", at, flow, out[at])
			}
		}
		for _, text := range lawAddresses {
			a := netip.MustParseAddr(text)
			for _, d := range []rules.Direction{rules.Ingress, rules.Egress} {
				at := fmt.Sprintf("%s %s %s", podName(from), d, text)
				out[at] = e.AddressReach(d, e.ClassOf(from), a)
				for _, piece := range e.Outside(d, e.ClassOf(from)) {
					if piece.Addresses.Contains(a) && !(piece.Sure.Equal(out[at].Sure) && piece.Possible.Equal(out[at].Possible)) {
						t.Fatalf("%s: the piece says %v, the address %v", at, piece.Reach, out[at])
					}
				}
			}
		}
	}
	for at, r := range out {
		if !r.Sure.Minus(r.Possible).Empty() {
			t.Fatalf("%s: %v is sure and not possible", at, r.Sure.Minus(r.Possible))
		}
	}
	return out
}

// law checks one law over many clusters and all modes. change makes the other cluster;
// it gives nil where the law has nothing to say. same translates names.
type law struct {
	change func(g generator, s *snapshot.Snapshot) *snapshot.Snapshot
	same   func(name string) string
	// grows: reach may be added.
	grows bool
}

func (l law) check(t *testing.T) {
	t.Helper()
	clusters, tried, differ := uint64(400), 0, false
	if testing.Short() {
		clusters = 100
	}
	for seed := range clusters {
		g := newGenerator(seed)
		before := g.mixed()
		after := l.change(g, before)
		if after == nil {
			continue
		}
		tried++
		options := Options{BlocksMatchPods: Mode(seed % 3)}
		was, is := verdictsOf(t, before, options), verdictsOf(t, after, options)
		for at, old := range was {
			other := at
			if l.same != nil {
				other = l.same(at)
			}
			now, found := is[other]
			lost := !old.Sure.Minus(now.Sure).Empty() || !old.Possible.Minus(now.Possible).Empty()
			gained := !now.Sure.Minus(old.Sure).Empty() || !now.Possible.Minus(old.Possible).Empty()
			if !found || lost || gained && !l.grows {
				t.Fatalf("seed %d: %s was %v / %v, is %v / %v\n%s", seed, at, old.Sure, old.Possible, now.Sure, now.Possible, policiesTold(after))
			}
			differ = differ || gained
		}
	}
	if tried < int(clusters)/4 {
		t.Errorf("tried on %d of %d clusters only", tried, clusters)
	}
	if l.grows && !differ {
		t.Error("nothing was ever added: the law tries nothing")
	}
}

// policiesTold prints a snapshot's pods and policies.
func policiesTold(s *snapshot.Snapshot) string {
	var out strings.Builder
	for _, o := range objectsOf(s) {
		data, _ := json.Marshal(o)
		fmt.Fprintf(&out, "%s\n", data)
	}
	return out.String()
}

// TestLawAllowsAddReach: a rule more that allows, in a policy that isolates already,
// closes nothing, whatever the tiers above and below say.
func TestLawAllowsAddReach(t *testing.T) {
	law{grows: true, change: func(g generator, s *snapshot.Snapshot) *snapshot.Snapshot {
		if u := someOther(g, s, "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"); u != nil && g.chance(50) {
			for _, field := range []string{"ingress", "egress"} {
				if list, found, _ := unstructured.NestedSlice(u.Object, "spec", field); found {
					rule := toObject("v1", "Rule", "", "rule", g.ciliumRule(field)).Object["spec"]
					if err := unstructured.SetNestedSlice(u.Object, append(list, rule), "spec", field); err != nil {
						panic(err)
					}
					return s.With(u)
				}
			}
		}
		if len(s.NetworkPolicies) == 0 {
			return nil
		}
		wider := pick(g, s.NetworkPolicies...).DeepCopy()
		wider.Spec.PolicyTypes = effectiveTypes(wider)
		wider.Spec.Ingress = append(wider.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
		wider.Spec.Egress = append(wider.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
		return s.With(wider)
	}}.check(t)
}

// someOther is a copy of one of the snapshot's objects of some kinds, or nil.
func someOther(g generator, s *snapshot.Snapshot, kinds ...string) *unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, u := range s.Others {
		for _, k := range kinds {
			if u.GetKind() == k {
				found = append(found, u)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return pick(g, found...).DeepCopy()
}

// TestLawIdlePolicy: a policy that selects no pod changes nothing.
func TestLawIdlePolicy(t *testing.T) {
	nobody := tree{"matchLabels": tree{"app": "nobody"}}
	law{change: func(g generator, s *snapshot.Snapshot) *snapshot.Snapshot {
		switch g.IntN(3) {
		case 0:
			idle := g.policy("idle")
			idle.Spec.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "nobody"}}
			return s.With(idle)
		case 1:
			idle := g.tiered("idle")
			subject := pick(g, tree{"namespaces": tree{"matchLabels": tree{"ns": "nowhere"}}}, tree{"pods": tree{"namespaceSelector": tree{}, "podSelector": nobody}})
			idle.Object["spec"].(tree)["subject"] = subject
			return s.With(idle)
		}
		idle := g.cilium("idle")
		idle.Object["spec"].(tree)["endpointSelector"] = nobody
		return s.With(idle)
	}}.check(t)
}

// TestLawDuplicate: a policy once more under another name changes nothing, in a tier with
// priorities neither: the two tie, and say the same.
func TestLawDuplicate(t *testing.T) {
	law{change: func(g generator, s *snapshot.Snapshot) *snapshot.Snapshot {
		if u := someOther(g, s, "ClusterNetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"); u != nil {
			u.SetName(pick(g, "aa", "zz"))
			return s.With(u)
		}
		if len(s.NetworkPolicies) == 0 {
			return nil
		}
		p := pick(g, s.NetworkPolicies...).DeepCopy()
		p.Name = pick(g, "aa", "zz")
		return s.With(p)
	}}.check(t)
}
