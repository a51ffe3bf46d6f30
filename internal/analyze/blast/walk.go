package blast

import "slices"

// scratch is working memory that is clean between two answers.
type scratch struct {
	// seen is the position of a place in the tree, plus one.
	seen []int32
	// fallen is the first position with which a prize falls, plus one.
	fallen []int32
	// reached are workloads that packets come to, touched lists them.
	reached []bool
	touched []int32
	// exposure is the place of a tenant in the list of exposures, plus one.
	exposure []int32
	seeds    []seed
	tree     tree
}

func newScratch(g *Graph) *scratch {
	return &scratch{
		seen: make([]int32, len(g.places)), fallen: make([]int32, len(g.prizes.list)),
		reached: make([]bool, len(g.places)), exposure: make([]int32, len(g.tenants)),
		tree: tree{graph: g},
	}
}

// seed is a place that a weak step leads to.
type seed struct{ node, via, up, dist int32 }

// tree is what falls, in order: first what falls as things are seen, by the number of
// steps; then what takes one weak step, again by the number of steps; and so on. So the
// way up from a place is the chain with the fewest weak steps, and the shortest of those.
type tree struct {
	graph *Graph
	// node is the place at a position, via the step that led there (none at a start), up
	// the position it came from, dist the number of steps.
	node, via, up, dist []int32
	// starts and strong are how many positions are starts, and fall without a weak step.
	starts, strong int
	// ways outlive the answer; keep fills them.
	ways *ways
}

// ways are what chains need of a tree.
type ways struct {
	graph   *Graph
	via, up []int32
}

// walk finds everything that an attacker at the starts can take without a weak step. The
// tree lives in the scratch, until forget.
func (g *Graph) walk(s *scratch, starts []int32) *tree {
	t := &s.tree
	t.node, t.via, t.up, t.dist = t.node[:0], t.via[:0], t.up[:0], t.dist[:0]
	t.ways = &ways{graph: g}
	for _, p := range starts {
		t.push(s, seed{node: p, via: none, up: none})
	}
	t.starts = len(t.node)
	t.spread(s, 0, nil)
	t.strong = len(t.node)
	return t
}

// walkWeak goes on from what has fallen by weak steps, layer by layer.
func (t *tree) walkWeak(s *scratch) {
	for from := 0; from < len(t.node); {
		s.seeds = s.seeds[:0]
		end := len(t.node)
		for i := from; i < end; i++ {
			edges, to := t.graph.weak.from(t.node[i])
			for k, v := range to {
				if s.seen[v] == 0 {
					s.seeds = append(s.seeds, seed{v, edges[k], int32(i), t.dist[i] + 1})
				}
			}
		}
		t.spread(s, end, s.seeds)
		from = end
	}
}

// spread takes what strong steps reach from the positions at and after next, and from
// the seeds. Both are in the order of their distance, and so is what is added.
func (t *tree) spread(s *scratch, next int, seeds []seed) {
	for next < len(t.node) || len(seeds) > 0 {
		if len(seeds) > 0 && (next == len(t.node) || seeds[0].dist <= t.dist[next]) {
			t.push(s, seeds[0])
			seeds = seeds[1:]
			continue
		}
		edges, to := t.graph.strong.from(t.node[next])
		for k, v := range to {
			if s.seen[v] == 0 {
				t.push(s, seed{v, edges[k], int32(next), t.dist[next] + 1})
			}
		}
		next++
	}
}

func (t *tree) push(s *scratch, n seed) {
	if s.seen[n.node] != 0 {
		return
	}
	t.node, t.via = append(t.node, n.node), append(t.via, n.via)
	t.up, t.dist = append(t.up, n.up), append(t.dist, n.dist)
	s.seen[n.node] = int32(len(t.node))
}

// forget cleans the scratch, and keeps what the chains need.
func (t *tree) forget(s *scratch) {
	t.ways.via, t.ways.up = slices.Clone(t.via), slices.Clone(t.up)
	for _, place := range t.node {
		s.seen[place] = 0
		for _, p := range t.graph.prizes.of[place] {
			s.fallen[p] = 0
		}
	}
}
