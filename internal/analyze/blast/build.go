package blast

import (
	"cmp"
	"slices"

	"watertight.dev/watertight/internal/analyze"
)

// builder is a graph that is being built.
type builder struct {
	*Graph
	ends []ends
}

// ends are the places of a step.
type ends struct{ from, to int32 }

// note gives a place a number, at first in the order in which places come.
func (b *builder) note(p analyze.Place) int32 {
	if b.number == nil {
		b.number = make(map[analyze.Place]int32, len(b.given)/4)
	}
	at, known := b.number[p]
	if !known {
		at = int32(len(b.places))
		b.number[p] = at
		b.places = append(b.places, p)
	}
	return at
}

func (b *builder) addEdges(edges []analyze.Edge) {
	for i := range edges {
		e := &edges[i]
		if i > 0 && e.From == edges[i-1].From {
			b.ends = append(b.ends, ends{b.ends[len(b.ends)-1].from, b.note(e.To)})
			continue
		}
		b.ends = append(b.ends, ends{b.note(e.From), b.note(e.To)})
	}
}

// sortPlaces numbers the places anew, in their order.
func (b *builder) sortPlaces() {
	old := make([]int32, len(b.places))
	for i := range old {
		old[i] = int32(i)
	}
	slices.SortFunc(old, func(x, y int32) int { return b.places[x].Compare(b.places[y]) })
	places, renumbered := make([]analyze.Place, len(old)), make([]int32, len(old))
	for i, was := range old {
		places[i], renumbered[was] = b.places[was], int32(i)
		b.number[places[i]] = int32(i)
	}
	b.places = places
	for i, e := range b.ends {
		b.ends[i] = ends{renumbered[e.from], renumbered[e.to]}
	}
}

// connect sorts the steps, numbers the changes that remove them and fills both
// adjacencies.
func (b *builder) connect() {
	b.fixOf, b.fixes = make([]int32, len(b.ends)), []int32{none}
	b.packets = make([]bool, len(b.ends))
	number := map[fixKey]int32{}
	sides := []*adjacency{&b.strong, &b.weak}
	for _, side := range sides {
		side.start = make([]int32, 1, len(b.places)+1)
	}
	start, steps := b.rows()
	for from := range b.places {
		row := steps[start[from]:start[from+1]]
		slices.SortFunc(row, func(x, y int32) int {
			return cmp.Or(cmp.Compare(b.ends[x].to, b.ends[y].to), compareEdges(b.edge(x), b.edge(y)))
		})
		for _, i := range row {
			e, side := b.edge(i), &b.strong
			b.numberFix(i, number)
			if weak(e) {
				side, b.packets[i] = &b.weak, sendsPackets(e)
			}
			side.edge, side.to = append(side.edge, i), append(side.to, b.ends[i].to)
		}
		for _, side := range sides {
			side.start = append(side.start, int32(len(side.edge)))
		}
	}
}

// rows sorts the steps by the place that they leave, from start[place] to
// start[place+1]. It leaves out those that gain nothing: from a place to itself, and from
// the control plane, since nothing is left to take.
func (b *builder) rows() (start, steps []int32) {
	start = make([]int32, len(b.places)+2)
	counts := func(e ends) bool { return e.from != e.to && b.places[e.from].Kind != analyze.PlaceCluster }
	for _, e := range b.ends {
		if counts(e) {
			start[e.from+2]++
		}
	}
	for i := 1; i < len(start); i++ {
		start[i] += start[i-1]
	}
	steps = make([]int32, start[len(start)-1])
	for i, e := range b.ends {
		if counts(e) {
			steps[start[e.from+1]] = int32(i)
			start[e.from+1]++
		}
	}
	return start, steps
}
