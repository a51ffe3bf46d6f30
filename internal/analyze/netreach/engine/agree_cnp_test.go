package engine_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// difference is a question that engine and oracle answer differently.
type difference struct {
	question string
	engine   string
	oracle   string
}

// askedPorts are at and beside every border that the dice make.
var askedPorts = []int32{1, 79, 80, 81, 82, 65535}

// differences asks both everything. An engine that says unknown where the oracle can tell
// is wrong only if strict.
func differences(m model, strict bool) (out []difference) {
	s := m.snapshot()
	e, o := engine.New(s, engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.No}), newOracle(s)
	for _, u := range e.Unread {
		return []difference{{"reading " + u.Object.GetName(), u.Field + " " + u.Why, "nothing is unread"}}
	}
	for _, src := range s.Pods {
		for _, dst := range s.Pods {
			reach := e.PodReach(src, dst)
			for _, protocol := range netset.Protocols {
				for _, port := range askedPorts {
					at := netset.PortsOf(protocol, port, port)
					sure, possible := !reach.Sure.Intersect(at).Empty(), !reach.Possible.Intersect(at).Empty()
					want := o.ask(question{src, dst, protocol, port})
					wrong := sure && want.deny || !possible && want.allow
					vague := !sure && possible && want.allow != want.deny
					if wrong || strict && vague {
						out = append(out, difference{
							fmt.Sprintf("%s/%s -> %s/%s %s %d", src.Namespace, src.Name, dst.Namespace, dst.Name, protocol, port),
							word(verdicts{possible, !sure}), word(want),
						})
					}
				}
			}
		}
	}
	return out
}

func word(v verdicts) string {
	switch v {
	case verdicts{allow: true}:
		return "allow"
	case verdicts{deny: true}:
		return "deny"
	}
	return "unknown"
}

// shrink takes parts away as long as a difference is left.
func shrink(m model, differ func(model) bool) model {
	for again := true; again; {
		again = false
		for _, smaller := range smallerModels(m) {
			if differ(smaller) {
				m, again = smaller, true
				break
			}
		}
	}
	return m
}

// smallerModels are a model without one object, rule or peer.
func smallerModels(m model) (out []model) {
	for i := range m.policies {
		s := m
		s.policies = slices.Delete(slices.Clone(m.policies), i, i+1)
		out = append(out, s)
	}
	for i := range m.cluster {
		s := m
		s.cluster = slices.Delete(slices.Clone(m.cluster), i, i+1)
		out = append(out, s)
	}
	for i := range m.pods {
		s := m
		s.pods = slices.Delete(slices.Clone(m.pods), i, i+1)
		out = append(out, s)
	}
	for i, p := range m.policies {
		for k := range p.Spec.Ingress {
			s, c := m, p.DeepCopy()
			c.Spec.Ingress = slices.Delete(c.Spec.Ingress, k, k+1)
			s.policies = slices.Clone(m.policies)
			s.policies[i] = c
			out = append(out, s)
		}
		for k := range p.Spec.Egress {
			s, c := m, p.DeepCopy()
			c.Spec.Egress = slices.Delete(c.Spec.Egress, k, k+1)
			s.policies = slices.Clone(m.policies)
			s.policies[i] = c
			out = append(out, s)
		}
	}
	return append(out, smallerClusterPolicies(m)...)
}

func smallerClusterPolicies(m model) (out []model) {
	for i, p := range m.cluster {
		var c *policyv1alpha2.ClusterNetworkPolicy
		with := func(change func()) {
			c = p.DeepCopy()
			change()
			s := m
			s.cluster = slices.Clone(m.cluster)
			s.cluster[i] = c
			out = append(out, s)
		}
		for k := range p.Spec.Ingress {
			with(func() { c.Spec.Ingress = slices.Delete(c.Spec.Ingress, k, k+1) })
			if p.Spec.Ingress[k].Protocols != nil {
				with(func() { c.Spec.Ingress[k].Protocols = nil })
			}
			if len(p.Spec.Ingress[k].From) > 1 {
				with(func() { c.Spec.Ingress[k].From = c.Spec.Ingress[k].From[:1] })
				with(func() { c.Spec.Ingress[k].From = c.Spec.Ingress[k].From[1:] })
			}
		}
		for k := range p.Spec.Egress {
			with(func() { c.Spec.Egress = slices.Delete(c.Spec.Egress, k, k+1) })
			if p.Spec.Egress[k].Protocols != nil {
				with(func() { c.Spec.Egress[k].Protocols = nil })
			}
			if len(p.Spec.Egress[k].To) > 1 {
				with(func() { c.Spec.Egress[k].To = c.Spec.Egress[k].To[:1] })
				with(func() { c.Spec.Egress[k].To = c.Spec.Egress[k].To[1:] })
			}
		}
	}
	return out
}

// agree compares many random clusters and shrinks the first that differs.
func agree(t *testing.T, certain, dual, strict bool) {
	clusters := uint64(1500)
	if testing.Short() {
		clusters = 200
	}
	open := 0
	for seed := range clusters {
		m := roll(seed, certain, dual).model()
		if len(differences(m, strict)) > 0 {
			m = shrink(m, func(m model) bool { return len(differences(m, strict)) > 0 })
			d := differences(m, strict)
			t.Fatalf("seed %d: %d differences, first %s: the engine says %s, the oracle %s\n%s", seed, len(d), d[0].question, d[0].engine, d[0].oracle, m.yaml())
		}
		open += allowedPairs(m)
	}
	if open == 0 {
		t.Fatal("nothing is ever allowed: the clusters try nothing")
	}
}

// allowedPairs counts the pairs with web traffic, so that agreement means something.
func allowedPairs(m model) (n int) {
	s := m.snapshot()
	o := newOracle(s)
	for _, src := range s.Pods {
		for _, dst := range s.Pods {
			if src != dst && o.ask(question{src, dst, corev1.ProtocolTCP, 80}).allow {
				n++
			}
		}
	}
	return n
}

// TestTiersAgreeWithTheAPI: where everything can be told, the engine says the same as an
// oracle that was written from the API's comments.
func TestTiersAgreeWithTheAPI(t *testing.T) { agree(t, true, false, true) }

// TestTiersNeverClaimTooMuch: with ties, domain names and pods without addresses, what
// the engine calls sure is sure.
func TestTiersNeverClaimTooMuch(t *testing.T) { agree(t, false, false, false) }

// TestTiersTellWhatCanBeTold: and it says unknown only where nobody can tell.
func TestTiersTellWhatCanBeTold(t *testing.T) {
	agree(t, false, false, true)
}

// TestTiersOfBothFamilies: a pod with addresses of both families is out of reach only
// where both are closed.
func TestTiersOfBothFamilies(t *testing.T) {
	agree(t, false, true, false)
}
