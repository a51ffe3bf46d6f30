package engine

import (
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// Change is one edit that helps to turn an answer into its opposite.
type Change struct {
	Kind ChangeKind
	// Side that the edit is about.
	Side *Side
	// Policy and Field that are edited; nil where a policy is added.
	Policy *rules.Policy
	Field  string
	// Ports that the edit is about.
	Ports netset.Ports
}

// ChangeKind is what an edit does.
type ChangeKind int

// The kinds of edits.
const (
	// RemovePeer takes a peer (or a rule without peers) out of a policy.
	RemovePeer ChangeKind = iota
	// RemoveRule takes a rule that denies, or its action, out of a policy.
	RemoveRule
	// AddRule adds a rule that allows the other end to a NetworkPolicy that isolates.
	AddRule
	// AddIsolation adds a NetworkPolicy that isolates the pod.
	AddIsolation
	// LeaveHostNetwork takes the pod off the host's network: no policy governs it there.
	LeaveHostNetwork
)

// Flip is the smallest set of edits that turns the answer into its opposite: closes what
// is open, wholly or in part, or opens what is closed on all ports that were asked about.
// It is nil where nobody can tell the answer.
func (x Explanation) Flip(ports netset.Ports) []Change {
	switch {
	case len(x.Sides) == 0 || x.NodeLocal:
		return nil
	case !x.Reach.Possible.Empty():
		return x.close()
	}
	return x.open(ports)
}

// close chooses the side that takes the fewest edits.
func (x Explanation) close() []Change {
	var best []Change
	for i := range x.Sides {
		edits := x.Sides[i].close(x.Reach.Possible)
		if len(edits) > 0 && (best == nil || weight(edits) < weight(best)) {
			best = edits
		}
	}
	return best
}

// weight counts edits; a policy more counts double, since it closes more than was asked.
func weight(edits []Change) int {
	n := len(edits)
	for _, c := range edits {
		if c.Kind == AddIsolation {
			n++
		}
	}
	return n
}

func (s *Side) close(open netset.Ports) []Change {
	if s.HostNetwork {
		return []Change{{Kind: LeaveHostNetwork, Side: s}}
	}
	var out []Change
	left := open
	accepted := netset.Ports{}
	for _, step := range s.Steps {
		hit := step.Ports.Intersect(open)
		if hit.Empty() || step.Rule.Action != rules.Allow {
			continue
		}
		if step.Policy.Tier == rules.TierAdmin {
			accepted = accepted.Union(hit)
		}
		for _, peer := range step.Peers {
			out = append(out, Change{Kind: RemovePeer, Side: s, Policy: step.Policy, Field: peer.Field, Ports: hit})
		}
		left = left.Minus(hit)
	}
	if !s.Isolated && (!left.Empty() || len(out) > 1 && accepted.Empty()) {
		// What the Admin tier does not accept, isolation closes at one stroke.
		if accepted.Empty() {
			return []Change{{Kind: AddIsolation, Side: s, Ports: open}}
		}
		out = append(out, Change{Kind: AddIsolation, Side: s, Ports: left})
	}
	return out
}

// open lists what both sides need: a side that allows already needs nothing.
func (x Explanation) open(ports netset.Ports) []Change {
	var out []Change
	for i := range x.Sides {
		s := &x.Sides[i]
		closed := ports.Minus(s.Reach.Sure)
		for _, step := range s.Steps {
			hit := step.Ports.Intersect(closed)
			if step.Rule.Action == rules.Deny && !hit.Empty() {
				out = append(out, Change{Kind: RemoveRule, Side: s, Policy: step.Policy, Field: step.Rule.Field, Ports: hit})
			}
		}
		allowed := netset.Ports{}
		for _, step := range s.Steps {
			if step.Rule.Action == rules.Allow && step.Sure {
				allowed = allowed.Union(step.Ports)
			}
		}
		if missing := closed.Minus(allowed); s.Isolated && !missing.Empty() {
			out = append(out, Change{Kind: AddRule, Side: s, Policy: s.isolating(), Ports: missing})
		}
	}
	return out
}

// isolating is a NetworkPolicy that isolates the side.
func (s *Side) isolating() *rules.Policy {
	for _, p := range s.Policies {
		if p.Tier == rules.TierNamespace && p.Isolates[s.Direction] {
			return p
		}
	}
	return nil
}
