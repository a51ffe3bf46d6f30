package engine

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// plan is what all-pairs questions rest on. Every set of peers is written down as its
// few: the classes that answer otherwise than the crowd does. Classes that all policies
// treat alike, and that treat all alike, are one group.
type plan struct {
	engine  *Engine
	classes []*Class
	sets    []*peerSet
	named   map[portName]*peerSet
	groups  []*Group
	groupOf []int32 // by class
	// memberOf lists, for a class, the sets among whose few it is.
	memberOf [][]*peerSet
	// addressed are classes by address; hosts are those on the host's network.
	addressed [noFamily][]addressed
	hosts     []*Class
	postings  map[label][]*Class
	grants    []*grant
}

type addressed struct {
	address netip.Addr
	class   *Class
}

// Group is classes that nobody can tell apart by whom they reach and who reaches them.
type Group struct {
	Classes []*Class
	id      int
	crowd   *Crowd
}

// Crowd is groups that a flow is about, with what is worth remembering of them.
type Crowd struct {
	Groups []*Group
	byName map[string][]*Class
	tenant []string
}

// prepare makes the plan where there is none.
func (e *Engine) prepare() *plan {
	if e.plan != nil {
		return e.plan
	}
	p := &plan{engine: e, classes: e.Classes(), named: map[portName]*peerSet{}}
	p.collect()
	p.index()
	p.memberOf = make([][]*peerSet, len(p.classes))
	for _, s := range p.sets {
		p.fill(s)
		for _, c := range s.members {
			p.memberOf[c.id] = append(p.memberOf[c.id], s)
		}
	}
	for _, g := range p.grants {
		g.defaults(e)
	}
	p.partition()
	e.plan = p
	return p
}

// collect numbers the sets that grants ask for.
func (p *plan) collect() {
	for _, s := range p.engine.peers.sets {
		s.id = -1
	}
	seen := map[*grant]bool{}
	for _, c := range p.classes {
		for _, g := range c.grants {
			if seen[g] || g == p.engine.open {
				continue
			}
			seen[g] = true
			p.grants = append(p.grants, g)
			for _, s := range g.sets {
				p.take(s)
			}
			for _, n := range g.names {
				if g.direction == rules.Egress && p.named[n] == nil {
					p.named[n] = &peerSet{key: peerKey{kind: peerNamed, block: n.name + "/" + string(n.protocol)}, id: -1}
					p.take(p.named[n])
				}
			}
		}
	}
}

func (p *plan) take(s *peerSet) {
	if s.id < 0 {
		s.id, s.members, s.rest, s.most = len(p.sets), nil, false, [noFamily]bool{}
		p.sets = append(p.sets, s)
	}
}

func (p *plan) index() {
	blocks := len(p.engine.cuts) > 0
	for _, c := range p.classes {
		if c.HostNetwork {
			p.hosts = append(p.hosts, c)
		}
		if blocks {
			for _, a := range c.addresses {
				p.addressed[familyOf(a)] = append(p.addressed[familyOf(a)], addressed{a, c})
			}
		}
	}
	for _, list := range p.addressed {
		slices.SortFunc(list, func(a, b addressed) int { return a.address.Compare(b.address) })
	}
}

// fill finds a set's few: the classes that answer otherwise than the crowd.
func (p *plan) fill(s *peerSet) {
	switch s.key.kind {
	case peerPods:
		p.fillPods(s)
	case peerBlock:
		if s.key.matches != rules.Never {
			p.fillBlock(s)
		}
	case peerNodes:
		s.members = p.hosts
	case peerNamed:
		for n, named := range p.named {
			if named == s {
				s.members = p.having(n)
			}
		}
	}
}

func (p *plan) having(n portName) []*Class {
	var out []*Class
	for _, c := range p.classes {
		if _, ok := c.named[n]; ok {
			out = append(out, c)
		}
	}
	return out
}

func (p *plan) fillPods(s *peerSet) {
	t := &p.engine.spaces
	switch {
	case s.space != nil:
		if sp := t.byName[*s.space]; sp != nil {
			s.members = choose(s, sp.classes, nil)
		}
	case s.labels == nil && (s.in == nil || 2*s.in.size > len(t.list)):
		s.rest = true
		if s.in == nil {
			s.members = p.hosts
			return
		}
		for _, sp := range t.list {
			if !s.in.has(sp) {
				s.members = append(s.members, sp.classes...)
			}
		}
		for _, c := range p.hosts {
			if s.in.has(c.space) {
				s.members = append(s.members, c)
			}
		}
	case s.in == nil || s.labels != nil && s.in.size > 64:
		s.members = choose(s, p.labelled(s.labels), nil)
	default:
		for sp := range t.spaces(s.in) {
			s.members = choose(s, sp.classes, s.members)
		}
	}
}

func choose(s *peerSet, from, out []*Class) []*Class {
	others := func(c *Class) bool { return s.podsMatch(c) != yes }
	if out == nil && !slices.ContainsFunc(from, others) { // most often
		return slices.Clip(from)
	}
	for _, c := range from {
		if s.podsMatch(c) == yes {
			out = append(out, c)
		}
	}
	return out
}

// labelled are classes among which those of a label selector must be.
func (p *plan) labelled(s *rules.Selector) []*Class {
	for _, r := range s.Requirements() {
		if r.Operator != "In" {
			continue
		}
		if p.postings == nil {
			p.postings = map[label][]*Class{}
			for _, c := range p.classes {
				for k, v := range c.labels {
					p.postings[label{k, v}] = append(p.postings[label{k, v}], c)
				}
			}
		}
		var out []*Class
		for _, v := range r.Values {
			out = append(out, p.postings[label{r.Key, v}]...)
		}
		return out
	}
	return p.classes
}

// fillBlock finds the classes with addresses in a block, or outside it where those are
// fewer, family by family. Classes without an address are a crowd of their own.
func (p *plan) fillBlock(s *peerSet) {
	block := p.engine.peers.blocks[s.key.block]
	if block == nil {
		return
	}
	for f, list := range p.addressed {
		p.fillFamily(s, block.addresses, list, family(f))
	}
	slices.SortFunc(s.members, func(a, b *Class) int { return a.id - b.id })
	s.members = slices.Compact(s.members)
}

func (p *plan) fillFamily(s *peerSet, block netset.Addresses, list []addressed, f family) {
	find := func(a netip.Addr) int {
		at, _ := slices.BinarySearchFunc(list, a, func(x addressed, t netip.Addr) int { return x.address.Compare(t) })
		return at
	}
	var inside [][2]int
	in := 0
	for from, to := range block.Ranges {
		if familyOf(from) != f {
			continue
		}
		end := len(list)
		if next := to.Next(); next.IsValid() {
			end = find(next)
		}
		inside = append(inside, [2]int{find(from), end})
		in += inside[len(inside)-1][1] - inside[len(inside)-1][0]
	}
	s.most[f] = 2*in > len(list)
	last := 0
	for _, cut := range append(inside, [2]int{len(list), len(list)}) {
		few := list[last:max(last, cut[0])]
		if !s.most[f] {
			few = list[cut[0]:cut[1]]
		}
		for _, a := range few {
			s.members = append(s.members, a.class)
		}
		last = cut[1]
	}
}

// defaults works out what a grant allows with the crowd.
func (g *grant) defaults(e *Engine) {
	for k := range g.def {
		g.def[k] = e.evaluate(g, g.near, other{family: family(k)})
	}
}

// partition sorts classes into groups: first by what they are themselves, then by every
// set that tells them apart.
func (p *plan) partition() {
	p.groupOf = make([]int32, len(p.classes))
	shapes, first := map[string]int{}, map[string]int32{}
	shape := func(key []byte) int {
		id, ok := shapes[string(key)]
		if !ok {
			id = len(shapes) + 1
			shapes[string(key)] = id
		}
		return id
	}
	var key []byte
	for _, g := range p.grants {
		key = g.appendShape(key[:0])
		g.shape = shape(key)
	}
	sizes := []int32{}
	for _, c := range p.classes {
		key = binary.AppendUvarint(binary.AppendUvarint(key[:0], uint64(c.grants[0].shape)), uint64(c.grants[1].shape))
		key = append(key, c.families())
		if c.HostNetwork {
			key = append(append(key, 'h'), c.node...)
		}
		id, ok := first[string(key)]
		if !ok {
			id = int32(len(sizes))
			first[string(key)] = id
			sizes = append(sizes, 0)
		}
		p.groupOf[c.id] = id
		sizes[id]++
	}
	for _, s := range p.sets {
		sizes = p.refine(s, sizes)
	}
	p.number(len(sizes))
}

// number gives the groups their numbers, in the order of their first classes.
func (p *plan) number(groups int) {
	backing := make([]Group, groups)
	numbers := make([]int32, groups)
	p.groups = make([]*Group, 0, groups)
	for _, c := range p.classes {
		old := p.groupOf[c.id]
		if numbers[old] == 0 {
			g := &backing[len(p.groups)]
			g.id = len(p.groups)
			p.groups = append(p.groups, g)
			numbers[old] = int32(len(p.groups))
		}
		p.groupOf[c.id] = numbers[old] - 1
		g := p.groups[numbers[old]-1]
		g.Classes = append(g.Classes, c)
	}
}

// refine splits every group of which a part, but not the whole, is among a set's few.
func (p *plan) refine(s *peerSet, sizes []int32) []int32 {
	if s.key.kind == peerNamed { // the names and numbers themselves tell apart
		return p.refineNamed(s, sizes)
	}
	return p.split(s.members, sizes)
}

func (p *plan) split(members []*Class, sizes []int32) []int32 {
	touched := map[int32]int32{}
	if len(members) == 1 {
		if id := p.groupOf[members[0].id]; sizes[id] > 1 {
			sizes[id]--
			p.groupOf[members[0].id] = int32(len(sizes))
			sizes = append(sizes, 1)
		}
		return sizes
	}
	for _, c := range members {
		touched[p.groupOf[c.id]]++
	}
	target := make(map[int32]int32, len(touched))
	for id, n := range touched {
		if n < sizes[id] {
			sizes[id] -= n
			target[id] = int32(len(sizes))
			sizes = append(sizes, n)
		}
	}
	if len(target) == 0 {
		return sizes
	}
	for _, c := range members {
		if to, ok := target[p.groupOf[c.id]]; ok {
			p.groupOf[c.id] = to
		}
	}
	return sizes
}

func (p *plan) refineNamed(s *peerSet, sizes []int32) []int32 {
	byPorts := map[portID][]*Class{}
	var order []portID
	for n, named := range p.named {
		if named != s {
			continue
		}
		for _, c := range s.members {
			id := c.named[n]
			if byPorts[id] == nil {
				order = append(order, id)
			}
			byPorts[id] = append(byPorts[id], c)
		}
	}
	slices.Sort(order)
	for _, id := range order {
		sizes = p.split(byPorts[id], sizes)
	}
	return sizes
}
