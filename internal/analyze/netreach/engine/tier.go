package engine

import "watertight.dev/watertight/internal/analyze/netreach/rules"

// outcome is what may become of ports: nothing is in none of the sets, and what is in one
// only is sure.
type outcome struct{ allowed, denied, passed, undecided portID }

// verdict is one evaluation under way.
type verdict struct {
	engine    *Engine
	direction rules.Direction
	near      *Class
	far       other
}

// evaluate goes through the tiers of a grant: what near is allowed with far.
func (e *Engine) evaluate(g *grant, near *Class, far other) span {
	if g == e.open {
		return everything
	}
	v := verdict{engine: e, direction: g.direction, near: near, far: far}
	switch {
	case g.plain:
		return v.union(g.rules)
	case g.doubtful:
		return span{noPorts, allPorts}
	}
	t := e.ports
	admin := outcome{undecided: allPorts}
	if len(g.admin) > 0 {
		admin = v.ordered(g.admin, allPorts)
	}
	rest := v.namespaced(g, t.union(admin.undecided, admin.passed))
	base := outcome{undecided: rest.undecided}
	if rest.undecided != noPorts && len(g.baseline) > 0 {
		base = v.ordered(g.baseline, rest.undecided)
	}
	// What the baseline does not decide is allowed.
	allowed := t.union(t.union(admin.allowed, rest.allowed), t.union(base.allowed, t.union(base.undecided, base.passed)))
	if g.halfway {
		allowed = t.union(allowed, rest.undecided)
	}
	denied := t.union(t.union(admin.denied, rest.denied), base.denied)
	return span{t.minus(allowed, denied), allowed}
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

// namespaced is TierNamespace: a Deny outranks every Allow, and whom a policy isolates is
// denied what no rule allows.
func (v *verdict) namespaced(g *grant, in portID) outcome {
	t := v.engine.ports
	out := outcome{undecided: in}
	for _, r := range g.rules {
		if r.rule.Action != rules.Deny {
			continue
		}
		switch v.far.match(v.engine, r) {
		case yes:
			hit := t.intersect(out.undecided, v.ports(r))
			out.denied, out.undecided = t.union(out.denied, hit), t.minus(out.undecided, hit)
		case maybe:
			out.denied = t.union(out.denied, t.intersect(out.undecided, v.ports(r)))
		}
	}
	if !g.isolated {
		return out
	}
	allows := v.union(g.rules)
	out.allowed = t.intersect(out.undecided, allows.possible)
	out.denied = t.union(out.denied, t.minus(out.undecided, allows.sure))
	out.undecided = noPorts
	return out
}

// ordered is a tier in which the first rule that matches decides. Of policies with one
// priority the API leaves the order open: any of them may be the first.
func (v *verdict) ordered(list []*boundRule, in portID) outcome {
	t := v.engine.ports
	out := outcome{undecided: in}
	for len(list) > 0 && out.undecided != noPorts {
		n := 1
		for n < len(list) && list[n].policy.Priority == list[0].policy.Priority {
			n++
		}
		got := v.together(list[:n], out.undecided)
		out = outcome{
			allowed: t.union(out.allowed, got.allowed), denied: t.union(out.denied, got.denied),
			passed: t.union(out.passed, got.passed), undecided: got.undecided,
		}
		list = list[n:]
	}
	return out
}

// together is the rules of one priority: those of one policy in their order, several
// policies side by side.
func (v *verdict) together(list []*boundRule, in portID) outcome {
	t := v.engine.ports
	out := outcome{undecided: in}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].policy == list[0].policy {
			n++
		}
		got := v.sequence(list[:n], in)
		out = outcome{
			allowed: t.union(out.allowed, got.allowed), denied: t.union(out.denied, got.denied),
			passed: t.union(out.passed, got.passed), undecided: t.intersect(out.undecided, got.undecided),
		}
		list = list[n:]
	}
	return out
}

// sequence is rules in their order. A rule that only may match leaves its ports to the
// rules behind it, too.
func (v *verdict) sequence(list []*boundRule, in portID) outcome {
	t := v.engine.ports
	out := outcome{undecided: in}
	for _, r := range list {
		if out.undecided == noPorts {
			break
		}
		a := v.far.match(v.engine, r)
		if a == no {
			continue
		}
		hit := t.intersect(out.undecided, v.ports(r))
		switch r.rule.Action {
		case rules.Allow:
			out.allowed = t.union(out.allowed, hit)
		case rules.Deny:
			out.denied = t.union(out.denied, hit)
		default:
			out.passed = t.union(out.passed, hit)
		}
		if a == yes {
			out.undecided = t.minus(out.undecided, hit)
		}
	}
	return out
}
