package engine

import (
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// Cause is why something is allowed in one direction: a rule, by one of its peers, or,
// with a nil Policy, that no policy decides otherwise.
type Cause struct {
	Policy *rules.Policy
	Rule   *rules.Rule
	// Peer of the rule that takes the other end in.
	Peer  *rules.Peer
	Ports netset.Ports
	// Addresses are those that the peer is about, where addresses were asked for.
	Addresses netset.Addresses
	// Sure is false where the rule only may match.
	Sure bool
}

// Field is the path of the peer inside the policy.
func (c Cause) Field() string {
	if c.Peer != nil {
		return c.Peer.Field
	}
	if c.Rule != nil {
		return c.Rule.Field
	}
	return ""
}

// Causes lists what allows near to talk with far in a direction.
func (e *Engine) Causes(d rules.Direction, near, far *Class) []Cause {
	g := near.grants[d]
	value := e.side(d, near, far)
	v := verdict{engine: e, direction: d, near: near, far: other{class: far}}
	var out []Cause
	left := value.possible
	for r := range g.allowing {
		for i := range r.peers {
			a := no
			for _, w := range ways(near.families(), far.families()) {
				a = max(a, other{class: far, family: w.to}.matchPeer(e, &r.peers[i]))
			}
			ports := e.ports.intersect(v.ports(r), value.possible)
			if a == no || ports == noPorts {
				continue
			}
			left = e.ports.minus(left, ports)
			out = append(out, Cause{
				Policy: r.policy.Policy, Rule: r.rule, Peer: &r.rule.Peers[i], Ports: e.ports.set(ports),
				Sure: a == yes && r.rule.Unsure == "",
			})
		}
	}
	if left != noPorts {
		out = append(out, Cause{Ports: e.ports.set(left), Sure: !g.doubtful})
	}
	return out
}

// AddressCauses lists what allows a class to talk with addresses that are no pod's.
func (e *Engine) AddressCauses(d rules.Direction, c *Class) []Cause {
	g := c.grants[d]
	if g == e.open || !g.isolated {
		return []Cause{{Ports: netset.AllPorts(), Addresses: netset.Everywhere, Sure: !g.doubtful}}
	}
	var out []Cause
	for r := range g.allowing {
		ports := r.fixed
		if d == rules.Ingress {
			ports = r.portsAt(e.ports, c)
		}
		if ports == noPorts {
			continue
		}
		for i := range r.peers {
			b := &r.peers[i]
			cause := Cause{
				Policy: r.policy.Policy, Rule: r.rule, Peer: &r.rule.Peers[i], Ports: e.ports.set(ports),
				Sure: r.rule.Unsure == "",
			}
			switch {
			case b.set == nil:
				cause.Addresses = netset.Everywhere
			case b.set.key.kind == peerBlock:
				cause.Addresses = b.addresses
			case b.set.key.kind == peerNodes:
				cause.Addresses = e.nodeAddresses(b.set.key.labels)
			case b.set.key.kind == peerUnknown || b.set.key.kind == peerOutside:
				cause.Addresses, cause.Sure = netset.Everywhere, false
			}
			if !cause.Addresses.Empty() {
				out = append(out, cause)
			}
		}
	}
	if g.doubtful {
		out = append(out, Cause{Ports: netset.AllPorts(), Addresses: netset.Everywhere})
	}
	return out
}

// allowing yields the rules that allow, tier by tier.
func (g *grant) allowing(yield func(*boundRule) bool) {
	for _, list := range [][]*boundRule{g.admin, g.rules, g.baseline} {
		for _, r := range list {
			if r.rule.Action == rules.Allow && !yield(r) {
				return
			}
		}
	}
}

// Named yields the classes that the rules of a class allow by name or label in a
// direction, whatever the other end says: not those that are only among everybody. Rules
// that skip passes over are left out.
func (e *Engine) Named(d rules.Direction, c *Class, skip func(*rules.Policy, *rules.Rule) bool, yield func(*Class) bool) {
	e.prepare()
	seen := map[*Class]bool{}
	for r := range c.grants[d].allowing {
		if skip(r.policy.Policy, r.rule) {
			continue
		}
		for i := range r.peers {
			set := r.peers[i].set
			if set == nil || set.rest || set.key.kind != peerPods {
				continue
			}
			for _, far := range set.members {
				if !seen[far] {
					seen[far] = true
					if !yield(far) {
						return
					}
				}
			}
		}
	}
}

// PoliciesIn are the policies of a namespace, as far as they could be read.
func (e *Engine) PoliciesIn(namespace string) []*rules.Policy {
	sp := e.spaces.byName[namespace]
	if sp == nil {
		return nil
	}
	out := make([]*rules.Policy, len(sp.policies))
	for i, p := range sp.policies {
		out[i] = p.Policy
	}
	return out
}
