package engine

import (
	"encoding/binary"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// grant is what policies say of one class in one direction. Classes of which they say the
// same share one.
type grant struct {
	// policies that govern the class in this direction.
	policies []*policy
	// admin and baseline are rules in order; rules are those of TierNamespace, in any.
	admin, rules, baseline []*boundRule
	isolated               bool
	// doubtful: a policy has parts that could not be read.
	doubtful bool
	// sets are those that the rules ask for, each once.
	sets  []*peerSet
	names []portName
	// plain: no tiers, no denials, nothing unsure: a union of rules.
	plain     bool
	direction rules.Direction
	// near is the one class of the grant, where ports are asked for by name in ingress.
	near *Class
	// def is what the class is allowed with the classes that none of the sets tells apart
	// from the crowd, by their kind; the plan fills it, and shape: grants of one shape say
	// the same.
	def   [2]span
	shape int
}

// openShape is the shape of the grant of a class that no policy governs.
const openShape = 0

// grantAll makes the grants of a namespace's classes anew.
func (e *Engine) grantAll(sp *space) {
	cache := [2]map[string]*grant{{}, {}}
	var key []byte
	for _, c := range sp.classes {
		if c.HostNetwork || len(sp.policies)+len(sp.wide) == 0 {
			c.grants = [2]*grant{e.open, e.open}
			continue
		}
		for d := range c.grants {
			key = key[:0]
			for i, p := range sp.policies {
				if p.governs(rules.Direction(d)) && p.Subject.Labels.Matches(c.labels) {
					key = binary.AppendUvarint(key, uint64(i))
				}
			}
			for i, p := range sp.wide {
				if p.governs(rules.Direction(d)) && p.Subject.Labels.Matches(c.labels) {
					key = binary.AppendUvarint(key, uint64(len(sp.policies)+i))
				}
			}
			if len(key) == 0 {
				c.grants[d] = e.open
				continue
			}
			g, ok := cache[d][string(key)]
			if !ok || g.near != nil {
				g = e.newGrant(sp, rules.Direction(d), c)
				cache[d][string(key)] = g
			}
			c.grants[d] = g
		}
	}
	e.changed()
}

// governs reports whether a policy has to do with a direction.
func (p *policy) governs(d rules.Direction) bool {
	return p.Isolates[d] || len(p.Rules[d]) > 0 || len(p.Doubts) > 0
}

func (e *Engine) newGrant(sp *space, d rules.Direction, c *Class) *grant {
	g := &grant{plain: true, direction: d}
	seen := map[*peerSet]bool{}
	for i := range len(sp.policies) + len(sp.wide) {
		var p *policy
		if i < len(sp.policies) {
			p = sp.policies[i]
		} else {
			p = sp.wide[i-len(sp.policies)]
		}
		if !p.governs(d) || !p.Subject.Labels.Matches(c.labels) {
			continue
		}
		g.policies = append(g.policies, p)
		g.isolated = g.isolated || p.Isolates[d]
		g.doubtful = g.doubtful || len(p.Doubts) > 0
		for k := range p.bound[d] {
			g.take(p.Tier, &p.bound[d][k], seen)
		}
	}
	g.plain = g.plain && !g.doubtful && len(g.admin)+len(g.baseline) == 0
	if d == rules.Ingress && len(g.names) > 0 {
		g.near = c
	}
	return g
}

// take adds a rule to its tier.
func (g *grant) take(tier rules.Tier, r *boundRule, seen map[*peerSet]bool) {
	switch tier {
	case rules.TierAdmin:
		g.admin = append(g.admin, r)
	case rules.TierBaseline:
		g.baseline = append(g.baseline, r)
	default:
		g.rules = append(g.rules, r)
	}
	if r.rule.Unsure != "" || r.rule.Action != rules.Allow {
		g.plain = false
	}
	for _, n := range r.names {
		g.names = append(g.names, n)
	}
	for i := range r.peers {
		if set := r.peers[i].set; set != nil && !seen[set] {
			seen[set] = true
			g.sets = append(g.sets, set)
		}
	}
}

// other is the other end of a connection, as rules see it.
type other interface {
	// match reports whether a rule's peers take the other end in.
	match(e *Engine, r *boundRule) answer
	// ports are the ports of a rule where the other end is the destination.
	ports(e *Engine, r *boundRule) portID
}

// match reports whether a rule takes a class in.
func (c *Class) match(e *Engine, r *boundRule) answer {
	best := no
	for i := range r.peers {
		if a := r.peers[i].matches(e, c); a > best {
			if best = a; best == yes {
				break
			}
		}
	}
	if best == yes && r.rule.Unsure != "" {
		return maybe
	}
	return best
}

func (c *Class) ports(e *Engine, r *boundRule) portID { return r.portsAt(e.ports, c) }

// side is what near is allowed with far in a direction, whatever far says.
func (e *Engine) side(d rules.Direction, near, far *Class) span {
	return e.evaluate(near.grants[d], d, near, far)
}

// evaluate goes through the tiers.
func (e *Engine) evaluate(g *grant, d rules.Direction, near *Class, far other) span {
	if g == e.open {
		return everything
	}
	v := verdict{engine: e, direction: d, near: near, far: far}
	if g.plain {
		return v.union(g.rules)
	}
	admin := outcome{undecided: everything}
	if len(g.admin) > 0 {
		admin = v.ordered(g.admin, everything)
	}
	allowed, left := v.namespaced(g, v.add(admin.undecided, admin.passed))
	allowed = v.add(admin.allowed, allowed)
	if left.possible != noPorts { // what the baseline does not decide is allowed
		base := v.ordered(g.baseline, left)
		allowed = v.add(allowed, v.add(base.allowed, v.add(base.undecided, base.passed)))
	}
	if g.doubtful {
		return span{noPorts, allPorts}
	}
	return allowed
}

// verdict is one evaluation under way.
type verdict struct {
	engine    *Engine
	direction rules.Direction
	near      *Class
	far       other
}

func (v *verdict) add(a, b span) span {
	t := v.engine.ports
	return span{t.union(a.sure, b.sure), t.union(a.possible, b.possible)}
}

func (v *verdict) ports(r *boundRule) portID {
	switch {
	case len(r.names) == 0:
		return r.fixed
	case v.direction == rules.Ingress:
		return r.portsAt(v.engine.ports, v.near)
	}
	return v.far.ports(v.engine, r)
}

// union is what the Allow rules of a list allow together.
func (v *verdict) union(list []*boundRule) span {
	out, t := nothing, v.engine.ports
	for _, r := range list {
		if out.sure == allPorts {
			break
		}
		if r.rule.Action != rules.Allow {
			continue
		}
		switch v.far.match(v.engine, r) {
		case yes:
			p := v.ports(r)
			out = span{t.union(out.sure, p), t.union(out.possible, p)}
		case maybe:
			out.possible = t.union(out.possible, v.ports(r))
		}
	}
	return out
}

// namespaced is TierNamespace: of what is undecided, what it allows, and what it leaves
// to the baseline.
func (v *verdict) namespaced(g *grant, undecided span) (allowed, left span) {
	t := v.engine.ports
	surely, perhaps := noPorts, noPorts // denied
	for _, r := range g.rules {
		if r.rule.Action != rules.Deny {
			continue
		}
		switch v.far.match(v.engine, r) {
		case yes:
			surely = t.union(surely, v.ports(r))
		case maybe:
			perhaps = t.union(perhaps, v.ports(r))
		}
	}
	undecided.possible = t.minus(undecided.possible, surely)
	undecided.sure = t.minus(t.minus(undecided.sure, surely), perhaps)
	if !g.isolated {
		return nothing, undecided
	}
	return t.both(v.union(g.rules), undecided), nothing
}
