package engine

import (
	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// portID names a set of ports in a portTable. Sets are few and asked for often.
type portID int32

const (
	noPorts  portID = 0
	allPorts portID = 1
)

// portTable interns sets of ports and remembers what was made of them.
type portTable struct {
	sets  []netset.Ports
	byKey map[string]portID
	made  map[portOp]portID
	key   []byte
}

type portOp struct {
	op   byte
	a, b portID
}

func newPortTable() *portTable {
	t := &portTable{byKey: map[string]portID{}, made: map[portOp]portID{}}
	t.id(netset.Ports{})
	t.id(netset.AllPorts())
	return t
}

// id interns a set.
func (t *portTable) id(p netset.Ports) portID {
	t.key = p.AppendKey(t.key[:0])
	known, ok := t.byKey[string(t.key)]
	if !ok {
		known = portID(len(t.sets))
		t.sets = append(t.sets, p)
		t.byKey[string(t.key)] = known
	}
	return known
}

func (t *portTable) set(id portID) netset.Ports { return t.sets[id] }

func (t *portTable) union(a, b portID) portID {
	switch {
	case a == b || b == noPorts || a == allPorts:
		return a
	case a == noPorts || b == allPorts:
		return b
	}
	return t.do('|', min(a, b), max(a, b))
}

func (t *portTable) intersect(a, b portID) portID {
	switch {
	case a == b || a == noPorts || b == allPorts:
		return a
	case b == noPorts || a == allPorts:
		return b
	}
	return t.do('&', min(a, b), max(a, b))
}

func (t *portTable) minus(a, b portID) portID {
	switch {
	case a == b || a == noPorts || b == allPorts:
		return noPorts
	case b == noPorts:
		return a
	}
	return t.do('-', a, b)
}

func (t *portTable) do(op byte, a, b portID) portID {
	key := portOp{op, a, b}
	known, ok := t.made[key]
	if !ok {
		x, y := t.sets[a], t.sets[b]
		switch op {
		case '|':
			x = x.Union(y)
		case '&':
			x = x.Intersect(y)
		default:
			x = x.Minus(y)
		}
		known = t.id(x)
		t.made[key] = known
	}
	return known
}

// span is what is allowed: the sure ports surely, those in possible perhaps. Sure is
// always within possible.
type span struct{ sure, possible portID }

var (
	nothing    = span{noPorts, noPorts}
	everything = span{allPorts, allPorts}
)

func (t *portTable) both(a, b span) span {
	return span{t.intersect(a.sure, b.sure), t.intersect(a.possible, b.possible)}
}

func (t *portTable) either(a, b span) span {
	return span{t.union(a.sure, b.sure), t.union(a.possible, b.possible)}
}

func (t *portTable) reach(s span) Reach { return Reach{t.sets[s.sure], t.sets[s.possible]} }
