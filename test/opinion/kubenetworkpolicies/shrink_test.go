package kubenetworkpolicies

import "slices"

// shrink takes objects and rules away as long as a difference is left.
func shrink(m model, differ func(model) bool) model {
	for again := true; again; {
		again = false
		for _, smaller := range m.smaller() {
			if differ(smaller) {
				m, again = smaller, true
				break
			}
		}
	}
	return m
}

// without are a list's copies with one item less.
func without[T any](list []T) (out [][]T) {
	for i := range list {
		out = append(out, slices.Delete(slices.Clone(list), i, i+1))
	}
	return out
}

// with is a copy of a list with another item at i.
func with[T any](list []T, i int, item T) []T {
	out := slices.Clone(list)
	out[i] = item
	return out
}

// smaller are the model without one object or one rule.
func (m model) smaller() (out []model) {
	for _, l := range without(m.policies) {
		s := m
		s.policies = l
		out = append(out, s)
	}
	for _, l := range without(m.admins) {
		s := m
		s.admins = l
		out = append(out, s)
	}
	for _, l := range without(m.baseline) {
		s := m
		s.baseline = l
		out = append(out, s)
	}
	for _, l := range without(m.pods) {
		s := m
		s.pods = l
		out = append(out, s)
	}
	return append(out, m.fewerRules()...)
}

func (m model) fewerRules() (out []model) {
	for i, p := range m.policies {
		for _, l := range without(p.Spec.Ingress) {
			s, c := m, p.DeepCopy()
			c.Spec.Ingress = emptyIsNil(l)
			s.policies = with(m.policies, i, c)
			out = append(out, s)
		}
		for _, l := range without(p.Spec.Egress) {
			s, c := m, p.DeepCopy()
			c.Spec.Egress = emptyIsNil(l)
			s.policies = with(m.policies, i, c)
			out = append(out, s)
		}
	}
	for i, p := range m.admins {
		for _, l := range without(p.Spec.Ingress) {
			s, c := m, p.DeepCopy()
			c.Spec.Ingress = l
			s.admins = with(m.admins, i, c)
			out = append(out, s)
		}
		for _, l := range without(p.Spec.Egress) {
			s, c := m, p.DeepCopy()
			c.Spec.Egress = l
			s.admins = with(m.admins, i, c)
			out = append(out, s)
		}
	}
	for i, p := range m.baseline {
		for _, l := range without(p.Spec.Ingress) {
			s, c := m, p.DeepCopy()
			c.Spec.Ingress = l
			s.baseline = with(m.baseline, i, c)
			out = append(out, s)
		}
		for _, l := range without(p.Spec.Egress) {
			s, c := m, p.DeepCopy()
			c.Spec.Egress = l
			s.baseline = with(m.baseline, i, c)
			out = append(out, s)
		}
	}
	return out
}

// emptyIsNil is how an API server hands out a list without items.
func emptyIsNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
