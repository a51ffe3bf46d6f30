package blast

import (
	"slices"

	"watertight.dev/watertight/internal/guarantee"
)

// mostFixes bounds how many changes are remembered for a place, from the start of its
// chain. Beyond it a change is overlooked, never credited with what it does not do; it
// keeps a chain of thousands of steps from taking memory by its square.
const mostFixes = 64

// fixKey tells changes apart: what is changed is a field of an object. A step without an
// object is told by the words of its fix.
type fixKey struct {
	object guarantee.Ref
	field  string
	words  string
}

// numberFix gives a step the number of the change that removes it.
func (g *Graph) numberFix(edge int32, number map[fixKey]int32) {
	e := g.edge(edge)
	if e.Fix == "" {
		return
	}
	key := fixKey{object: e.Evidence.Object, field: e.Evidence.Field}
	if key.object == (guarantee.Ref{}) {
		key.words = e.Fix
	}
	if number[key] == 0 {
		number[key] = int32(len(g.fixes))
		g.fixes = append(g.fixes, edge)
	}
	g.fixOf[edge] = number[key]
}

// cuts finds, for every position that falls without a weak step, the changes of which
// each alone would save it: those that every chain to it passes. A place is saved by a
// change if each step to it is removed by that change or comes from a place that it
// saves. The largest sets with that property are found by starting with the changes on
// the one chain in the tree and taking away what a step contradicts.
func (t *tree) cuts(s *scratch) [][]int32 {
	g := t.graph
	cut := make([][]int32, t.strong)
	queue := make([]int32, t.strong)
	queued := make([]bool, t.strong)
	for i := range t.strong {
		queue[i], queued[i] = int32(i), true
		if i >= t.starts {
			cut[i] = with(cut[t.up[i]], g.fixOf[t.via[i]])
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue, queued[i] = queue[1:], false
		edges, to := g.strong.from(t.node[i])
		for k, v := range to {
			j := s.seen[v] - 1
			if len(cut[j]) == 0 {
				continue
			}
			left := both(cut[j], cut[i], g.fixOf[edges[k]])
			if len(left) == len(cut[j]) {
				continue
			}
			if cut[j] = left; !queued[j] {
				queue, queued[j] = append(queue, j), true
			}
		}
	}
	return cut
}

// with is a sorted set and one change more; the set is not changed.
func with(set []int32, fix int32) []int32 {
	at, found := slices.BinarySearch(set, fix)
	if fix == 0 || found || len(set) >= mostFixes {
		return set
	}
	return slices.Insert(slices.Clone(set), at, fix)
}

// both is what a set has in common with another and one change more. It is the set
// itself where nothing is missing.
func both(set, other []int32, fix int32) []int32 {
	missing := func(x int32) bool {
		if x == fix {
			return false
		}
		_, found := slices.BinarySearch(other, x)
		return !found
	}
	if !slices.ContainsFunc(set, missing) {
		return set
	}
	return slices.DeleteFunc(slices.Clone(set), missing)
}

// bestFix is the one change after which the least falls, or nil where none helps.
func (t *tree) bestFix(s *scratch, taken []taken, now Radius) *Fix {
	g := t.graph
	cut := t.cuts(s)
	savedBy := make(map[int32][]int32, len(taken))
	for i := t.starts; i < t.strong; i++ {
		for _, p := range g.prizes.of[t.node[i]] {
			if set, known := savedBy[p]; known {
				savedBy[p] = both(set, cut[i], 0)
			} else {
				savedBy[p] = cut[i]
			}
		}
	}
	candidates, without := afterEach(g, taken, savedBy, now)
	best, after := int32(0), now
	for _, fix := range candidates {
		r := without[fix]
		if c := r.Compare(after); c < 0 || c == 0 && best != 0 && compareEdges(g.edge(g.fixes[fix]), g.edge(g.fixes[best])) < 0 {
			best, after = fix, r
		}
	}
	if best == 0 {
		return nil
	}
	e := g.edge(g.fixes[best])
	return &Fix{Fix: e.Fix, Evidence: e.Evidence, Radius: after, Score: after.Score()}
}

// afterEach says what would still fall after each change that saves anything. With the
// control plane everything falls, so only what saves that helps.
func afterEach(g *Graph, list []taken, savedBy map[int32][]int32, now Radius) ([]int32, map[int32]Radius) {
	without := map[int32]Radius{}
	var order []int32
	base := now
	if now.ControlPlane {
		base = count(g, list)
	}
	for _, t := range list {
		z := g.prizes.list[t.prize]
		if now.ControlPlane && z.kind != prizeControlPlane {
			continue
		}
		for _, fix := range savedBy[t.prize] {
			if _, known := without[fix]; !known {
				without[fix] = base
				order = append(order, fix)
			}
		}
	}
	for _, t := range list {
		for _, fix := range savedBy[t.prize] {
			if r, known := without[fix]; known {
				r.add(g.prizes.list[t.prize].kind, -1)
				without[fix] = r
			}
		}
	}
	return order, without
}
