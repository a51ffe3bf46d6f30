package engine

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/analyze/netreach/slab"
)

// answer is whether something matches.
type answer int

const (
	no answer = iota
	maybe
	yes
)

// peerSet is a peer of rules: pods, addresses or nodes. Rules whose peers say the same
// share one, so that what it stands for is found once.
type peerSet struct {
	key peerKey
	// space is the one namespace, in those that a selector matches; both are nil for
	// every namespace. They are of a peer by pods.
	space  *string
	in     *spaceSet
	labels *rules.Selector
	refs   int
	// unaddressed is, of a block, whether it may match pods whose address is not known.
	unaddressed bool
	// id numbers the sets of a plan; members and rest are the plan's: see plan.go.
	id      int
	members []*Class
	rest    bool
	// most says of a block, by family, whether it matches the crowd.
	most [noFamily]bool
}

// peerKey tells peer sets apart.
type peerKey struct {
	kind       peerKind
	namespace  string
	namespaces *rules.Selector
	labels     *rules.Selector
	// block is a text of the addresses, or of the port's name; see blockKey.
	block   string
	matches rules.MatchesPods
}

type peerKind byte

const (
	peerPods peerKind = iota
	peerBlock
	peerNodes
	peerUnknown
	peerOutside // unknown, and surely no pod
	peerNamed   // not a peer of a rule: the pods that have a port of that name
)

// boundPeer is a peer of a policy's rule, bound to its set; a nil set is everyone.
type boundPeer struct {
	set       *peerSet
	addresses netset.Addresses
}

type peerTable struct {
	sets   map[peerKey]*peerSet
	blocks map[string]*countedBlock
	// grown are the blocks that came up since the last change.
	grown []netset.Addresses
	room  slab.Of[peerSet]
	key   []byte
}

// countedBlock is a block of addresses that may match pods.
type countedBlock struct {
	addresses netset.Addresses
	refs      int
}

func newPeerTable() peerTable {
	return peerTable{sets: map[peerKey]*peerSet{}, blocks: map[string]*countedBlock{}}
}

// bind finds or makes the set of a peer.
func (e *Engine) bind(p *rules.Peer) boundPeer {
	switch {
	case p.Everyone:
		return boundPeer{addresses: netset.Everywhere}
	case p.Pods != nil:
		return boundPeer{set: e.podSet(p.Pods)}
	case p.Nodes != nil:
		return boundPeer{set: e.peers.get(peerKey{kind: peerNodes, labels: p.Nodes})}
	case p.Unknown != "" && p.Outside:
		return boundPeer{set: e.peers.get(peerKey{kind: peerOutside})}
	case p.Unknown != "":
		return boundPeer{set: e.peers.get(peerKey{kind: peerUnknown})}
	}
	matches := p.MatchesPods
	switch {
	case matches == rules.AsEngineDoes && e.options.BlocksMatchPods == Yes:
		matches = rules.Always
	case matches == rules.AsEngineDoes && e.options.BlocksMatchPods == No:
		matches = rules.Never
	}
	set := e.peers.block(p.Addresses, matches)
	if set.refs == 1 {
		set.unaddressed = matches != rules.Never && !p.Addresses.Intersect(e.options.PodNetworks).Empty()
	}
	return boundPeer{set: set, addresses: p.Addresses}
}

func (e *Engine) podSet(p *rules.Pods) *peerSet {
	key := peerKey{kind: peerPods, namespace: p.Namespace}
	if p.Namespace == "" && !p.Namespaces.Empty() {
		key.namespaces = p.Namespaces
	}
	if !p.Labels.Empty() {
		key.labels = p.Labels
	}
	set := e.peers.get(key)
	if set.refs == 1 {
		set.labels = key.labels
		if key.namespace != "" {
			set.space = &set.key.namespace
		} else if key.namespaces != nil {
			set.in = e.spaces.match(key.namespaces)
		}
	}
	return set
}

func (t *peerTable) get(key peerKey) *peerSet {
	set, ok := t.sets[key]
	if !ok {
		set = t.room.One()
		*set = peerSet{key: key, labels: key.labels}
		t.sets[key] = set
	}
	set.refs++
	return set
}

func (t *peerTable) block(a netset.Addresses, matches rules.MatchesPods) *peerSet {
	t.key = t.key[:0]
	for from, to := range a.Ranges {
		t.key = append(append(t.key, byte(from.BitLen())), from.AsSlice()...)
		t.key = append(t.key, to.AsSlice()...)
	}
	text := string(t.key)
	if matches != rules.Never {
		if t.blocks[text] == nil {
			t.blocks[text] = &countedBlock{addresses: a}
			t.grown = append(t.grown, a)
		}
		t.blocks[text].refs++
	}
	return t.get(peerKey{kind: peerBlock, block: text, matches: matches})
}

// release gives back a set that a rule no longer asks for.
func (e *Engine) release(b boundPeer) {
	set := b.set
	if set == nil {
		return
	}
	if set.key.kind == peerBlock && set.key.matches != rules.Never {
		if known := e.peers.blocks[set.key.block]; known != nil {
			if known.refs--; known.refs == 0 {
				delete(e.peers.blocks, set.key.block)
			}
		}
	}
	if set.refs--; set.refs == 0 {
		e.spaces.release(set.in)
		delete(e.peers.sets, set.key)
	}
}

// cuts are the borders of all blocks that may match pods.
func (t *peerTable) cuts() []netip.Addr {
	all := make([]netset.Addresses, 0, len(t.blocks))
	for _, b := range t.blocks {
		all = append(all, b.addresses)
	}
	return borders(all)
}

// borders are the first addresses of ranges, and those after their last.
func borders(blocks []netset.Addresses) []netip.Addr {
	var out []netip.Addr
	for _, b := range blocks {
		for from, to := range b.Ranges {
			out = append(out, from)
			if next := to.Next(); next.IsValid() {
				out = append(out, next)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// blockKey is the number of the piece between cuts that an address lies in.
func blockKey(key []byte, cuts []netip.Addr, a netip.Addr) []byte {
	at, found := slices.BinarySearchFunc(cuts, a, netip.Addr.Compare)
	if found {
		at++
	}
	return binary.AppendUvarint(append(key, byte(a.BitLen())), uint64(at))
}

// matches reports whether the pods of a class, by their addresses of a family, are in the
// set of a peer that is not everyone.
func (b *boundPeer) matches(e *Engine, c *Class, f family) answer {
	switch b.set.key.kind {
	case peerPods:
		return b.set.podsMatch(c)
	case peerBlock:
		return b.blockMatch(c, f)
	case peerNodes:
		return e.nodeMatch(b.set.key.labels, c)
	case peerUnknown:
		return maybe
	}
	return no
}

func (s *peerSet) podsMatch(c *Class) answer {
	switch {
	case c.HostNetwork,
		s.space != nil && *s.space != c.space.name,
		s.in != nil && !s.in.has(c.space),
		s.labels != nil && !s.labels.Matches(c.labels):
		return no
	}
	return yes
}

// blockMatch asks the addresses of a class's pods. One pod of a class is as good as
// another: no block that matches pods has a border between their addresses.
func (b *boundPeer) blockMatch(c *Class, f family) answer {
	switch {
	case b.set.key.matches == rules.Never:
		return no
	case len(c.addresses) == 0 && b.set.unaddressed: // nobody can tell
		return maybe
	case !within(b.addresses, c, f):
		return no
	case b.set.key.matches == rules.AsEngineDoes:
		return maybe
	}
	return yes
}

func within(block netset.Addresses, c *Class, f family) bool {
	for _, a := range c.addresses {
		if familyOf(a) == f && block.Contains(a) {
			return true
		}
	}
	return false
}

// nodeMatch asks whether pods on the host's network run on a node that a selector
// matches.
func (e *Engine) nodeMatch(s *rules.Selector, c *Class) answer {
	switch node := e.nodes[c.node]; {
	case !c.HostNetwork:
		return no
	case s.Empty():
		return yes
	case node == nil:
		return maybe
	case s.Matches(node.Labels):
		return yes
	}
	return no
}
