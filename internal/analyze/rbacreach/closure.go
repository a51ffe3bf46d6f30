package rbacreach

import (
	"slices"
	"strings"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
)

// closure answers where chains of steps lead. How far each place is from the control
// plane and from a node does not depend on the tenant, and is found once; what is left
// for a tenant are the steps that leave its own places.
type closure struct {
	*world
	toCluster, toNode []hop
	// inside lists the places of each namespace.
	inside map[string][]placeID
	// own marks the places of the tenant that is judged with its number.
	own   []int32
	epoch int32
}

// hop is the next step of a shortest chain, and how many are left; none is far away.
type hop struct {
	steps int32
	arc   int32
}

const farAway = int32(-1)

// link is a step of a chain.
type link struct {
	from placeID
	arc
}

func newClosure(w *world) *closure {
	c := &closure{world: w, inside: map[string][]placeID{}, own: make([]int32, len(w.places))}
	var nodes []placeID
	for i, p := range w.places {
		if p.Kind == analyze.PlaceNode {
			nodes = append(nodes, placeID(i))
		} else if ns := namespaceOf(p); ns != "" {
			c.inside[ns] = append(c.inside[ns], placeID(i))
		}
	}
	back := w.backwards()
	c.toCluster = back.distances(w, []placeID{w.controlPlane()})
	c.toNode = back.distances(w, nodes)
	return c
}

// namespaceOf is the namespace that a place lies in; the group of a namespace's accounts
// lies in it.
func namespaceOf(p analyze.Place) string {
	if p.Namespace == "" && p.Kind == analyze.PlaceIdentity {
		ns, _ := strings.CutPrefix(p.Name, groupPrefix+allAccounts+":")
		if ns != p.Name {
			return ns
		}
	}
	return p.Namespace
}

// reversed lists the arcs that count, by the place that they lead to.
type reversed struct {
	start []int32
	from  []placeID
	arc   []int32
}

func (w *world) backwards() *reversed {
	r := &reversed{start: make([]int32, len(w.places)+1)}
	for _, arcs := range w.out {
		for i := range arcs {
			if !arcs[i].weak {
				r.start[arcs[i].to+1]++
			}
		}
	}
	for i := range w.places {
		r.start[i+1] += r.start[i]
	}
	total := r.start[len(w.places)]
	r.from, r.arc = make([]placeID, total), make([]int32, total)
	next := slices.Clone(r.start)
	for from, arcs := range w.out {
		for i := range arcs {
			if !arcs[i].weak {
				at := next[arcs[i].to]
				next[arcs[i].to]++
				r.from[at], r.arc[at] = placeID(from), int32(i)
			}
		}
	}
	return r
}

// distances walks back from the goals, all places that lead to one.
func (r *reversed) distances(w *world, goals []placeID) []hop {
	hops := make([]hop, len(w.places))
	for i := range hops {
		hops[i].steps = farAway
	}
	queue := slices.Clone(goals)
	for _, g := range goals {
		hops[g].steps = 0
	}
	for k := 0; k < len(queue); k++ {
		to := queue[k]
		for i := r.start[to]; i < r.start[to+1]; i++ {
			if from := r.from[i]; hops[from].steps == farAway {
				hops[from] = hop{hops[to].steps + 1, r.arc[i]}
				queue = append(queue, from)
			}
		}
	}
	return hops
}

// ownPlaces marks and lists the places that an attacker inside the tenant starts from:
// all that lies in its namespaces, its owners, and the groups of both.
func (c *closure) ownPlaces(t *v1alpha1.Tenant) []placeID {
	c.epoch++
	var list []placeID
	note := func(id placeID, known bool) {
		if known && c.own[id] != c.epoch {
			c.own[id] = c.epoch
			list = append(list, id)
		}
	}
	known := func(p analyze.Place) {
		id, ok := c.number[p]
		note(id, ok)
	}
	for _, ns := range c.s.NamespacesOf(t.Name) {
		for _, id := range c.inside[ns] {
			note(id, true)
		}
	}
	for _, p := range []analyze.Place{user(anonymous), group(unauthenticated), group(authenticated), group(allAccounts)} {
		known(p)
	}
	for _, p := range owners(t) {
		known(p)
		if p.Namespace != "" {
			known(group(allAccounts + ":" + p.Namespace))
		}
	}
	return list
}

// roots are the steps that leave the tenant's own places.
func (c *closure) roots(own []placeID) []link {
	var out []link
	for _, from := range own {
		for _, a := range c.out[from] {
			if !a.weak && c.own[a.to] != c.epoch {
				out = append(out, link{from, a})
			}
		}
	}
	return out
}

// chain is where a step that leaves the tenant leads in the end, by the shortest way: to
// the control plane, else to a node, else to the farthest of what is nearest at hand.
func (c *closure) chain(root link) []link {
	for _, hops := range [][]hop{c.toCluster, c.toNode} {
		if hops[root.to].steps == farAway {
			continue
		}
		links := []link{root}
		for at := root.to; hops[at].steps > 0; {
			a := c.out[at][hops[at].arc]
			links = append(links, link{at, a})
			at = a.to
		}
		return links
	}
	return append([]link{root}, c.near(root.to)...)
}

// gives reports whether a place is worth something of its own: an identity with rights, a
// namespace, a pod, a node. An account to which nothing is bound, or Secrets without a
// token, are not.
func (c *closure) gives(id placeID) bool {
	switch c.places[id].Kind {
	case analyze.PlaceIdentity:
		return len(c.grants[id]) > 0
	case analyze.PlaceSecrets:
		return false
	}
	return true
}

// near is the shortest way from a foreign place to another that gives something.
func (c *closure) near(start placeID) []link {
	parent := map[placeID]link{}
	queue := []placeID{start}
	const most = 1000 // a message needs no more
	for k := 0; k < len(queue) && k < most; k++ {
		at := queue[k]
		for _, a := range c.out[at] {
			if _, seen := parent[a.to]; seen || a.weak || a.to == start || c.own[a.to] == c.epoch {
				continue
			}
			parent[a.to] = link{at, a}
			queue = append(queue, a.to)
			if c.gives(a.to) {
				return c.trace(parent, start, a.to)
			}
		}
	}
	return nil
}

func (c *closure) trace(parent map[placeID]link, start, end placeID) []link {
	var out []link
	for at := end; at != start; at = parent[at].from {
		out = append(out, parent[at])
	}
	slices.Reverse(out)
	return out
}
