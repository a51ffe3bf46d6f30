package rbacreach

import (
	"cmp"
	"fmt"
	"slices"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Edges yields every step that identities, namespaces, Secrets and mounted tokens give,
// of tenants and of the platform alike. That an account is in its groups follows from
// what they are, and is not among them.
func Edges(s *snapshot.Snapshot, yield func(analyze.Edge) bool) {
	bindings, roles := allBindings(s)
	w := newWorld(s, bindings, roles)
	order := make([]placeID, len(w.places))
	for i := range order {
		order[i] = placeID(i)
	}
	slices.SortFunc(order, func(a, b placeID) int { return w.places[a].Compare(w.places[b]) })
	for _, from := range order {
		for _, e := range w.edgesFrom(from) {
			if !yield(e) {
				return
			}
		}
	}
}

// edgesFrom lists the steps out of a place, in order, each once.
func (w *world) edgesFrom(from placeID) []analyze.Edge {
	arcs := slices.DeleteFunc(slices.Clone(w.out[from]), func(a arc) bool { return a.why.step == stepMember })
	slices.SortStableFunc(arcs, func(a, b arc) int { return w.compareArcs(a, b) })
	arcs = slices.CompactFunc(arcs, func(a, b arc) bool { return w.compareArcs(a, b) == 0 })
	edges := make([]analyze.Edge, 0, len(arcs))
	for _, a := range arcs {
		edges = append(edges, w.edge(from, a))
	}
	return edges
}

func (w *world) compareArcs(a, b arc) int {
	x, y := a.why, b.why
	c := cmp.Or(w.places[a.to].Compare(w.places[b.to]), cmp.Compare(x.step.ID, y.step.ID), compareBindings(x.binding, y.binding),
		cmp.Compare(x.rule, y.rule), x.object.Compare(y.object), cmp.Compare(x.field, y.field))
	if c == 0 && a.weak != b.weak {
		if b.weak {
			return -1
		}
		return 1
	}
	return c
}

func compareBindings(a, b *binding) int {
	switch {
	case a == b:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Or(a.key.Compare(b.key), a.role.Compare(b.role))
}

func (w *world) edge(from placeID, a arc) analyze.Edge {
	e := analyze.Edge{
		From: w.places[from], To: w.places[a.to], ID: a.why.step.ID, Guarantee: a.why.step.Guarantee,
		Effect:    fmt.Sprintf("%s: %s", a.why.words(), words(w.places[a.to])),
		Reference: a.why.step.Reference, Fix: a.why.step.Fix, Evidence: w.proof(a.why), Weak: a.weak,
	}
	if b := a.why.binding; b != nil {
		e.Fix = fmt.Sprintf("%s (%s, %s)", e.Fix, b.key, b.role)
	}
	if e.Evidence == (guarantee.Evidence{}) { // what an identity is by its name
		e.Evidence = guarantee.Evidence{Object: guarantee.Ref{Kind: "Identity", Name: e.From.Name}, Detail: a.why.words()}
	}
	return e
}
