package engine

import "watertight.dev/watertight/internal/analyze/netreach/rules"

// outcome is what a tier makes of what was undecided before it.
type outcome struct{ allowed, undecided, passed span }

// ordered is a tier in which the first rule that matches decides. Of policies with one
// priority the API leaves the order open: where they differ, nothing is sure.
func (v *verdict) ordered(list []*boundRule, in span) outcome {
	out := outcome{undecided: in}
	for len(list) > 0 && out.undecided.possible != noPorts {
		n := 1
		for n < len(list) && list[n].policy.Priority == list[0].policy.Priority {
			n++
		}
		got := v.together(list[:n], out.undecided)
		out = outcome{v.add(out.allowed, got.allowed), got.undecided, v.add(out.passed, got.passed)}
		list = list[n:]
	}
	return out
}

// together is the rules of one priority: those of one policy in their order, several
// policies side by side.
func (v *verdict) together(list []*boundRule, in span) outcome {
	var each []outcome
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].policy == list[0].policy {
			n++
		}
		each = append(each, v.sequence(list[:n], in))
		list = list[n:]
	}
	if len(each) == 1 {
		return each[0]
	}
	t := v.engine.ports
	all := outcome{undecided: in}
	var denied portID // perhaps, by any of them
	for _, o := range each {
		all.allowed, all.passed = v.add(all.allowed, o.allowed), v.add(all.passed, o.passed)
		all.undecided = t.both(all.undecided, o.undecided)
		kept := t.union(t.union(o.allowed.sure, o.passed.sure), o.undecided.sure)
		denied = t.union(denied, t.minus(in.possible, kept))
	}
	allowed := t.minus(t.minus(all.allowed.sure, all.passed.possible), denied)
	passed := t.minus(t.minus(all.passed.sure, all.allowed.possible), denied)
	all.allowed.sure, all.passed.sure = allowed, passed
	return all
}

// sequence is rules in their order. A rule that only may match decides nothing surely.
func (v *verdict) sequence(list []*boundRule, in span) outcome {
	t := v.engine.ports
	out := outcome{undecided: in}
	for _, r := range list {
		if out.undecided.possible == noPorts {
			break
		}
		a := v.far.match(v.engine, r)
		if a == no {
			continue
		}
		p := v.ports(r)
		hit := span{t.intersect(out.undecided.sure, p), t.intersect(out.undecided.possible, p)}
		if a == maybe {
			hit.sure = noPorts
		}
		switch r.rule.Action {
		case rules.Allow:
			out.allowed = v.add(out.allowed, hit)
		case rules.Pass:
			out.passed = v.add(out.passed, hit)
		}
		out.undecided.sure = t.minus(out.undecided.sure, p)
		if a == yes {
			out.undecided.possible = t.minus(out.undecided.possible, p)
		}
	}
	return out
}
