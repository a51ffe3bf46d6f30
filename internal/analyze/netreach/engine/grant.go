package engine

import (
	"encoding/binary"
	"slices"

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
	// halfway: a NetworkPolicy selects the class, but for the other direction only.
	// Whether the baseline tier applies then, implementations do not agree.
	halfway bool
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
	def   [families]span
	shape int
}

// openShape is the shape of the grant of a class that no policy governs.
const openShape = 0

// grantAll makes the grants of a namespace's classes anew.
func (e *Engine) grantAll(sp *space) {
	cache := &e.governing
	for d := range cache {
		if cache[d] == nil {
			cache[d] = map[string]*grant{}
		}
		clear(cache[d])
	}
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
			halfway := sp.halfway(rules.Direction(d), c)
			if halfway {
				key = append(key, 0xff, 0xff, 0xff)
			}
			g, ok := cache[d][string(key)]
			if !ok || g.near != nil {
				g = e.newGrant(sp, rules.Direction(d), c)
				g.halfway = halfway
				cache[d][string(key)] = g
			}
			c.grants[d] = g
		}
	}
	e.changed()
}

// halfway reports whether a baseline rule meets a class that policies of TierNamespace
// isolate in the other direction only.
func (sp *space) halfway(d rules.Direction, c *Class) bool {
	baseline := slices.ContainsFunc(sp.wide, func(p *policy) bool { return p.Tier == rules.TierBaseline })
	if !baseline {
		return false
	}
	other := false
	for _, list := range [][]*policy{sp.policies, sp.wide} {
		for _, p := range list {
			if p.Tier != rules.TierNamespace || !p.Subject.Labels.Matches(c.labels) {
				continue
			}
			if p.Isolates[d] {
				return false
			}
			other = other || p.Isolates[1-d]
		}
	}
	return other
}

// governs reports whether a policy has to do with a direction.
func (p *policy) governs(d rules.Direction) bool {
	return p.Isolates[d] || len(p.Rules[d]) > 0 || len(p.Doubts) > 0
}

func (e *Engine) newGrant(sp *space, d rules.Direction, c *Class) *grant {
	g := e.room.grants.One()
	g.plain, g.direction = true, d
	e.governors = e.governors[:0]
	follow, ask := 0, 0
	for _, list := range [][]*policy{sp.policies, sp.wide} {
		for _, p := range list {
			if !p.governs(d) || !p.Subject.Labels.Matches(c.labels) {
				continue
			}
			e.governors = append(e.governors, p)
			follow += len(p.bound[d])
			for k := range p.bound[d] {
				ask += len(p.bound[d][k].peers)
			}
		}
	}
	g.policies = append(e.room.govern.Take(len(e.governors))[:0], e.governors...)
	g.rules, g.sets = e.room.follow.Take(follow)[:0], e.room.ask.Take(ask)[:0]
	for _, p := range g.policies {
		g.isolated = g.isolated || p.Isolates[d]
		g.doubtful = g.doubtful || len(p.Doubts) > 0
		for k := range p.bound[d] {
			g.take(p.Tier, &p.bound[d][k])
		}
	}
	g.plain = g.plain && g.isolated && !g.doubtful && len(g.admin)+len(g.baseline) == 0
	if d == rules.Ingress && len(g.names) > 0 {
		g.near = c
	}
	return g
}

// take adds a rule to its tier.
func (g *grant) take(tier rules.Tier, r *boundRule) {
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
		if set := r.peers[i].set; set != nil && !slices.Contains(g.sets, set) {
			g.sets = append(g.sets, set)
		}
	}
}
