package engine

import (
	"slices"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// Flow is what every pod of one crowd may open to every pod of another, but for the
// groups in Except. A pod's connection to itself counts for nothing.
type Flow struct {
	From, To *Crowd
	// Except are groups of To that the flow leaves out, in order.
	Except []*Group
	Reach
}

// Flows yields all pairs of groups of which the first reaches the second, perhaps or
// surely, each pair once. Its cost is near that of the answer: where many may reach many,
// they are one flow.
func (e *Engine) Flows(yield func(Flow) bool) {
	p := e.prepare()
	w := newWalk(p)
	for _, g := range p.groups {
		if !w.from(g, yield) {
			return
		}
	}
	w.broad(yield)
}

// walk goes through all pairs.
type walk struct {
	plan *plan
	// asking lists, by set, the groups whose ingress rules ask for it.
	asking [][]*Group
	out    [2]index // groups by what they are allowed with the crowd, by direction
	// stamp marks, by group, the last group that was compared with it.
	stamp  []int32
	picked []int32
	// exceptions are, by pair of indexed kinds, the groups that are not as the crowd.
	exceptions map[[2]int32][]exception
}

type exception struct {
	from   *Group
	except []*Group
}

// index sorts groups by what the crowd allows them.
type index struct {
	of    []int32 // by group; -1 where nothing is allowed
	kinds []*crowdKind
}

type crowdKind struct {
	def   [families]span
	kind  byte // families of the groups' own classes
	crowd *Crowd
}

func newWalk(p *plan) *walk {
	w := &walk{
		plan: p, asking: make([][]*Group, len(p.sets)), stamp: make([]int32, len(p.groups)),
		exceptions: map[[2]int32][]exception{},
	}
	for d := range w.out {
		w.out[d] = p.indexGroups(rules.Direction(d))
	}
	for _, g := range p.groups {
		for _, s := range g.Classes[0].grants[rules.Ingress].sets {
			w.asking[s.id] = append(w.asking[s.id], g)
		}
	}
	return w
}

func (p *plan) indexGroups(d rules.Direction) index {
	type key struct {
		def  [families]span
		kind byte
	}
	x := index{of: make([]int32, len(p.groups))}
	known := map[key]int32{}
	for i, g := range p.groups {
		c := g.Classes[0]
		def := c.grants[d].def
		if def[ipv4].possible == noPorts && def[ipv6].possible == noPorts && def[noFamily].possible == noPorts {
			x.of[i] = -1
			continue
		}
		k := key{def, c.families()}
		id, ok := known[k]
		if !ok {
			id = int32(len(x.kinds))
			known[k] = id
			x.kinds = append(x.kinds, &crowdKind{def: def, kind: c.families(), crowd: &Crowd{}})
		}
		x.of[i] = id
		x.kinds[id].crowd.Groups = append(x.kinds[id].crowd.Groups, g)
	}
	return x
}

// crowdSpan is what two kinds allow each other by default.
func (w *walk) crowdSpan(out, in int32) span {
	if out < 0 || in < 0 {
		return nothing
	}
	a, b := w.out[rules.Egress].kinds[out], w.out[rules.Ingress].kinds[in]
	value, t := nothing, w.plan.engine.ports
	for _, x := range ways(a.kind, b.kind) {
		value = t.either(value, t.both(a.def[x.to], b.def[x.from]))
	}
	return value
}

// from yields what a group reaches otherwise than the crowd does.
func (w *walk) from(g *Group, yield func(Flow) bool) bool {
	e, c := w.plan.engine, g.Classes[0]
	if c.grants[rules.Egress].isolatedFromAll() {
		return true
	}
	w.candidates(g)
	var except map[int32][]*Group
	out := w.out[rules.Egress].of[g.id]
	for _, id := range w.picked {
		other := w.plan.groups[id]
		value := e.between(c, other.Classes[0])
		if in := w.out[rules.Ingress].of[id]; w.crowdSpan(out, in).possible != noPorts {
			if except == nil {
				except = map[int32][]*Group{}
			}
			except[in] = append(except[in], other)
		}
		if value.possible == noPorts || alone(g, other) {
			continue
		}
		if !yield(Flow{From: g.solo(), To: other.solo(), Reach: e.ports.reach(value)}) {
			return false
		}
	}
	for in, groups := range except {
		key := [2]int32{out, in}
		w.exceptions[key] = append(w.exceptions[key], exception{g, groups})
	}
	return true
}

// isolatedFromAll reports whether nothing can be allowed, whoever the other end is.
func (g *grant) isolatedFromAll() bool {
	return g.isolated && g.plain && len(g.rules) == 0
}

// alone reports whether a pair is a single pod with itself.
func alone(a, b *Group) bool {
	return a == b && len(a.Classes) == 1 && len(a.Classes[0].Pods) == 1
}

// candidates picks the groups of which a group's egress or their ingress speaks
// otherwise than of the crowd, in order.
func (w *walk) candidates(g *Group) {
	w.picked = w.picked[:0]
	c := g.Classes[0]
	mark := int32(g.id) + 1
	pick := func(id int32) {
		if w.stamp[id] != mark {
			w.stamp[id] = mark
			w.picked = append(w.picked, id)
		}
	}
	out := c.grants[rules.Egress]
	mine := 0
	for _, s := range w.setsOf(out) {
		mine += len(s.members)
	}
	theirs := 0
	for _, s := range w.plan.memberOf[c.id] {
		theirs += len(w.asking[s.id])
	}
	open := w.out[rules.Egress].of[g.id] >= 0
	few := open || mine <= theirs+w.welcoming()
	if few {
		for _, s := range w.setsOf(out) {
			for _, m := range s.members {
				pick(w.plan.groupOf[m.id])
			}
		}
	}
	if open || !few {
		for _, s := range w.plan.memberOf[c.id] {
			for _, other := range w.asking[s.id] {
				pick(int32(other.id))
			}
		}
	}
	if !few {
		for _, k := range w.out[rules.Ingress].kinds {
			for _, other := range k.crowd.Groups {
				pick(int32(other.id))
			}
		}
	}
	slices.Sort(w.picked)
}

func (w *walk) welcoming() int {
	n := 0
	for _, k := range w.out[rules.Ingress].kinds {
		n += len(k.crowd.Groups)
	}
	return n
}

// setsOf are the sets that a grant's rules ask for, those of named ports among them.
func (w *walk) setsOf(g *grant) []*peerSet {
	if len(g.names) == 0 {
		return g.sets
	}
	sets := slices.Clone(g.sets)
	for _, n := range g.names {
		sets = append(sets, w.plan.named[n])
	}
	return sets
}

// broad yields what the crowds allow each other.
func (w *walk) broad(yield func(Flow) bool) {
	ports := w.plan.engine.ports
	for out, a := range w.out[rules.Egress].kinds {
		for in, b := range w.out[rules.Ingress].kinds {
			value := w.crowdSpan(int32(out), int32(in))
			if value.possible == noPorts {
				continue
			}
			special := w.exceptions[[2]int32{int32(out), int32(in)}]
			slices.SortFunc(special, func(x, y exception) int { return x.from.id - y.from.id })
			rest := a.crowd
			if len(special) > 0 {
				rest = &Crowd{Groups: without(a.crowd.Groups, special)}
			}
			flow := Flow{From: rest, To: b.crowd, Reach: ports.reach(value)}
			if len(rest.Groups) > 0 && !single(flow) && !yield(flow) {
				return
			}
			for _, x := range special {
				flow := Flow{From: x.from.solo(), To: b.crowd, Except: x.except, Reach: ports.reach(value)}
				if len(x.except) < len(b.crowd.Groups) && !single(flow) && !yield(flow) {
					return
				}
			}
		}
	}
}

// single reports whether a flow is of one pod with itself.
func single(f Flow) bool {
	return len(f.From.Groups) == 1 && len(f.To.Groups) == 1 && alone(f.From.Groups[0], f.To.Groups[0])
}

func without(groups []*Group, special []exception) []*Group {
	out := make([]*Group, 0, len(groups)-len(special))
	for _, g := range groups {
		if _, found := slices.BinarySearchFunc(special, g, func(x exception, g *Group) int { return x.from.id - g.id }); !found {
			out = append(out, g)
		}
	}
	return out
}

// solo is a crowd of this group alone.
func (g *Group) solo() *Crowd {
	if g.crowd == nil {
		g.crowd = &Crowd{Groups: []*Group{g}}
	}
	return g.crowd
}

// Pairs yields every pair of classes of a flow.
func (f Flow) Pairs(yield func(src, dst *Class) bool) {
	for _, a := range f.From.Groups {
		for _, b := range f.To.Groups {
			if f.Excepts(b) {
				continue
			}
			for _, src := range a.Classes {
				for _, dst := range b.Classes {
					if !yield(src, dst) {
						return
					}
				}
			}
		}
	}
}

// Excepts reports whether a flow leaves a group of To out.
func (f Flow) Excepts(g *Group) bool {
	_, found := slices.BinarySearchFunc(f.Except, g, func(a, b *Group) int { return a.id - b.id })
	return found
}

// Pairs yields every pair of classes of which the first reaches the second, by flows. In
// an open cluster that is the square of its classes: ask Flows there.
func (e *Engine) Pairs(yield func(src, dst *Class, reach Reach) bool) {
	e.Flows(func(f Flow) bool {
		going := true
		f.Pairs(func(src, dst *Class) bool {
			going = yield(src, dst, f.Reach)
			return going
		})
		return going
	})
}

// PodPairs is how many pairs of different pods a flow is about.
func (f Flow) PodPairs() int {
	from, to, same := 0, 0, 0
	inside := map[*Group]bool{}
	for _, g := range f.From.Groups {
		from += g.pods()
		inside[g] = true
	}
	for _, g := range f.To.Groups {
		if f.Excepts(g) {
			continue
		}
		n := g.pods()
		if to += n; inside[g] {
			same += n
		}
	}
	return from*to - same
}

func (g *Group) pods() int {
	n := 0
	for _, c := range g.Classes {
		n += len(c.Pods)
	}
	return n
}
