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

	edges []analyze.Edge
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

// New builds the graph of a snapshot's attack steps. Edges of one snapshot only; they are
// not changed.
func New(s *snapshot.Snapshot, edges []analyze.Edge) *Graph {
	g := &Graph{snapshot: s, doubts: map[int32][]snapshot.Problem{}}
	for _, t := range s.Tenants {
		g.tenants = append(g.tenants, t.Name)
	}
	slices.Sort(g.tenants)
	g.tenants = slices.Compact(g.tenants)
	g.edges = append(slices.Clone(edges), implied(s, edges)...)
	dangling := danglingBindings(s)
	g.intern(dangling)
	g.assign()
	g.connect()
	g.prizes = g.listPrizes()
	for _, d := range dangling {
		at := g.number[d.holder]
		g.doubts[at] = append(g.doubts[at], d.problem)
	}
	g.scratch.New = func() any { return newScratch(g) }
	return g
}

// intern numbers every place that a step or a doubt names.
func (g *Graph) intern(dangling []doubt) {
	g.number = make(map[analyze.Place]int32, len(g.edges)/4)
	note := func(p analyze.Place) {
		if _, known := g.number[p]; !known {
			g.number[p] = none
			g.places = append(g.places, p)
		}
	}
	for i := range g.edges {
		note(g.edges[i].From)
		note(g.edges[i].To)
	}
	for _, d := range dangling {
		note(d.holder)
	}
	slices.SortFunc(g.places, analyze.Place.Compare)
	for i, p := range g.places {
		g.number[p] = int32(i)
	}
}

// connect sorts the steps, numbers the changes that remove them and builds both
// adjacencies.
func (g *Graph) connect() {
	type ends struct{ from, to, edge int32 }
	steps := make([]ends, 0, len(g.edges))
	for i := range g.edges {
		e := &g.edges[i]
		if e.From.Kind == analyze.PlaceCluster || e.From == e.To {
			continue // nothing is left to take, or nothing is gained
		}
		steps = append(steps, ends{g.number[e.From], g.number[e.To], int32(i)})
	}
	slices.SortFunc(steps, func(a, b ends) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), compareEdges(&g.edges[a.edge], &g.edges[b.edge]))
	})
	g.fixOf, g.fixes = make([]int32, len(g.edges)), []int32{none}
	number := map[fixKey]int32{}
	for _, s := range steps {
		g.numberFix(s.edge, number)
	}
	g.packets = make([]bool, len(g.edges))
	for _, side := range []*adjacency{&g.strong, &g.weak} {
		side.start = make([]int32, len(g.places)+1)
		for _, s := range steps {
			e := &g.edges[s.edge]
			if weak(e) != (side == &g.weak) {
				continue
			}
			side.edge, side.to = append(side.edge, s.edge), append(side.to, s.to)
			side.start[s.from+1]++
			g.packets[s.edge] = side == &g.weak && sendsPackets(e)
		}
		for i := range g.places {
			side.start[i+1] += side.start[i]
		}
	}
}

// weak reports whether a step needs more than what is seen. To come to a meeting point
// of traffic takes nothing; what leads out of it is packets, and no code runs by them.
func weak(e *analyze.Edge) bool {
	if e.To.Kind == analyze.PlaceNetwork {
		return false
	}
	return e.Weak || e.From.Kind == analyze.PlaceNetwork
}

// sendsPackets reports whether a weak step is traffic to a workload.
func sendsPackets(e *analyze.Edge) bool {
	if e.To.Kind != analyze.PlaceWorkload {
		return false
	}
	promise, known := guarantee.Get(e.Guarantee)
	return e.From.Kind == analyze.PlaceNetwork || known && promise.Boundary == guarantee.Network
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
