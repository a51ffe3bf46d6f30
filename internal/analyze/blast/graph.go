// Package blast joins the steps of an attack that the analyzers find into one graph, and
// says for each tenant what falls with it: other tenants, nodes, Secrets, the control
// plane, by which shortest chain, and which single change shrinks that most. It finds no
// step of its own beyond what the kinds of places mean, and tries nothing out.
package blast

import (
	"cmp"
	"slices"
	"sync"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// none stands where there is no tenant, step or prize.
const none = int32(-1)

// Graph answers for any number of tenants, also at the same time. Places and steps are
// numbered in their sorted order, so that the answers do not depend on the order in
// which the analyzers speak.
type Graph struct {
	snapshot *snapshot.Snapshot
	// tenants are the names of all Tenants, sorted.
	tenants []string
	places  []analyze.Place
	number  map[analyze.Place]int32
	// tenant that a place belongs to, by number of the place, or none.
	tenant []int32
	// starts are the places that an attacker inside a tenant holds already.
	starts [][]int32

	// given are the analyzers' steps, meant those that the places imply; edge numbers
	// the one after the other.
	given, meant []analyze.Edge
	// fixOf numbers the change that removes a step, of which fixes says an edge that
	// names it; 0 is no change at all.
	fixOf, fixes []int32
	// strong steps succeed as things are seen; weak ones need more.
	strong, weak adjacency
	// packets marks weak steps that send packets to a workload.
	packets []bool

	prizes prizes
	// doubts are why a tenant's number may be too low, by place.
	doubts map[int32][]snapshot.Problem
	// scratch are the *scratch of earlier answers.
	scratch sync.Pool
}

// adjacency holds the steps that leave a place: numbers of steps and where they lead,
// from start[place] to start[place+1].
type adjacency struct {
	start    []int32
	edge, to []int32
}

// New builds the graph of a snapshot's attack steps. The edges are kept, and must not be
// changed afterwards.
func New(s *snapshot.Snapshot, edges []analyze.Edge) *Graph {
	g := &Graph{snapshot: s, given: edges, doubts: map[int32][]snapshot.Problem{}}
	for _, t := range s.Tenants {
		g.tenants = append(g.tenants, t.Name)
	}
	slices.Sort(g.tenants)
	g.tenants = slices.Compact(g.tenants)
	b := &builder{Graph: g, ends: make([]ends, 0, len(edges))}
	b.addEdges(edges)
	for _, more := range [][]analyze.Edge{ownerships(s), b.memberships(), b.wholes()} {
		g.meant = append(g.meant, more...)
		b.addEdges(more)
	}
	dangling := danglingBindings(s)
	for _, d := range dangling {
		b.note(d.holder)
	}
	b.sortPlaces()
	g.assign()
	b.connect()
	g.prizes = g.listPrizes()
	for _, d := range dangling {
		at := g.number[d.holder]
		g.doubts[at] = append(g.doubts[at], d.problem)
	}
	g.scratch.New = func() any { return newScratch(g) }
	return g
}

// edge is the step of a number.
func (g *Graph) edge(i int32) *analyze.Edge {
	if n := int32(len(g.given)); i >= n {
		return &g.meant[i-n]
	}
	return &g.given[i]
}

// weak reports whether a step needs more than what is seen. To come to a meeting point
// takes nothing; nothing that leads out of one is a fall by itself: no code runs by
// packets.
func weak(e *analyze.Edge) bool {
	if e.To.Kind == analyze.PlaceNetwork {
		return false
	}
	return e.Weak || e.From.Kind == analyze.PlaceNetwork
}

// sendsPackets reports whether a weak step is traffic to a workload: what it would break
// is a promise about the network.
func sendsPackets(e *analyze.Edge) bool {
	promise, known := guarantee.Get(e.Guarantee)
	return known && promise.Boundary == guarantee.Network && e.To.Kind == analyze.PlaceWorkload
}

// compareEdges orders steps between the same places.
func compareEdges(a, b *analyze.Edge) int {
	return cmp.Or(
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Evidence.Object.Kind, b.Evidence.Object.Kind),
		cmp.Compare(a.Evidence.Object.Namespace, b.Evidence.Object.Namespace),
		cmp.Compare(a.Evidence.Object.Name, b.Evidence.Object.Name),
		cmp.Compare(a.Evidence.Field, b.Evidence.Field),
		cmp.Compare(a.Effect, b.Effect),
	)
}

// from lists the steps that leave a place.
func (a *adjacency) from(place int32) (edges, to []int32) {
	lo, hi := a.start[place], a.start[place+1]
	return a.edge[lo:hi], a.to[lo:hi]
}
