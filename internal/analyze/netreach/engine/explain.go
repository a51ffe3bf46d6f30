package engine

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// Explanation is why one end may, or may not, open connections to another.
type Explanation struct {
	// Reach is the answer, on the ports that were asked about.
	Reach Reach
	// Sides are the two ends that policies may speak of: the sender's egress, and the
	// receiver's ingress; an end that is no pod has none.
	Sides []Side
	// NodeLocal is set where policies do not count: the sender is the receiver's node.
	NodeLocal bool
}

// Side is one end of an explanation.
type Side struct {
	Direction rules.Direction
	// Pod whose policies are asked.
	Pod *corev1.Pod
	// HostNetwork: no policy governs the pod.
	HostNetwork bool
	// Policies that select the pod and have to do with the direction, in order.
	Policies []*rules.Policy
	// Isolated: a policy of TierNamespace denies what no rule allows.
	Isolated bool
	// Steps are the rules that take the other end in on a port that was asked about, and
	// that is not decided before, tier by tier.
	Steps []Step
	// Reach is what the side allows.
	Reach Reach
}

// Step is one rule on the way.
type Step struct {
	Policy *rules.Policy
	Rule   *rules.Rule
	// Peers of the rule that take the other end in.
	Peers []*rules.Peer
	// Ports that the rule speaks of, of those that are still undecided.
	Ports netset.Ports
	// Sure is false where the rule only may match.
	Sure bool
}

// Explain says why src may, or may not, open connections to dst on some ports.
func (e *Engine) Explain(src, dst *corev1.Pod, ports netset.Ports) Explanation {
	a, b := e.ClassOf(src), e.ClassOf(dst)
	if a == nil || b == nil {
		return Explanation{}
	}
	reach := e.PodReach(src, dst)
	out := Explanation{
		Reach:     Reach{reach.Sure.Intersect(ports), reach.Possible.Intersect(ports)},
		NodeLocal: e.sameNode(src, dst),
	}
	w := ways(a.families(), b.families())[0]
	out.Sides = []Side{
		e.explainSide(rules.Egress, src, a, other{class: b, family: w.to}, ports),
		e.explainSide(rules.Ingress, dst, b, other{class: a, family: w.from}, ports),
	}
	return out
}

// ExplainAddress says why a pod may, or may not, exchange connections with an address
// that is no pod's, in a direction seen from the pod.
func (e *Engine) ExplainAddress(d rules.Direction, pod *corev1.Pod, address netip.Addr, ports netset.Ports) Explanation {
	c := e.ClassOf(pod)
	if c == nil {
		return Explanation{}
	}
	reach := e.AddressReach(d, c, address)
	return Explanation{
		Reach: Reach{reach.Sure.Intersect(ports), reach.Possible.Intersect(ports)},
		Sides: []Side{e.explainSide(d, pod, c, other{address: address.Unmap()}, ports)},
	}
}

func (e *Engine) explainSide(d rules.Direction, pod *corev1.Pod, near *Class, far other, ports netset.Ports) Side {
	g := near.grants[d]
	reach := e.ports.reach(e.evaluate(g, near, far))
	out := Side{
		Direction: d, Pod: pod, HostNetwork: near.HostNetwork, Isolated: g.isolated,
		Reach: Reach{reach.Sure.Intersect(ports), reach.Possible.Intersect(ports)},
	}
	for _, p := range g.policies {
		out.Policies = append(out.Policies, p.Policy)
	}
	v := verdict{engine: e, direction: d, near: near, far: far}
	left := e.ports.id(ports)
	passed := noPorts
	for _, r := range g.admin {
		if hit := v.step(&out, r, left); hit != noPorts {
			left = e.ports.minus(left, hit)
			if r.rule.Action == rules.Pass {
				passed = e.ports.union(passed, hit)
			}
		}
	}
	left = e.ports.union(left, passed)
	for _, action := range []rules.Action{rules.Deny, rules.Allow} { // a Deny outranks every Allow
		before := left
		for _, r := range g.rules {
			if r.rule.Action != action {
				continue
			}
			if hit := v.step(&out, r, before); action == rules.Deny {
				left = e.ports.minus(left, hit)
			}
		}
	}
	if !g.isolated {
		for _, r := range g.baseline {
			left = e.ports.minus(left, v.step(&out, r, left))
		}
	}
	return out
}

// step notes a rule that takes the other end in on ports that are undecided, and returns
// those that it surely decides.
func (v *verdict) step(out *Side, r *boundRule, undecided portID) portID {
	a := v.far.match(v.engine, r)
	hit := v.engine.ports.intersect(v.ports(r), undecided)
	if a == no || hit == noPorts {
		return noPorts
	}
	s := Step{Policy: r.policy.Policy, Rule: r.rule, Ports: v.engine.ports.set(hit), Sure: a == yes}
	for i := range r.peers {
		if v.far.matchPeer(v.engine, &r.peers[i]) != no {
			s.Peers = append(s.Peers, &r.rule.Peers[i])
		}
	}
	out.Steps = append(out.Steps, s)
	if a == maybe {
		return noPorts
	}
	return hit
}
