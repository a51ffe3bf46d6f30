package engine

import (
	"encoding/binary"
	"slices"
	"strings"
)

// appendShape appends a text that grants share when they say the same of the same sets.
// That two which say the same in other words differ costs nothing but speed.
func (g *grant) appendShape(key []byte) []byte {
	flags := byte(g.direction)
	if g.isolated {
		flags |= 2
	}
	if g.doubtful {
		flags |= 4
	}
	key = append(key, flags)
	for _, list := range [][]*boundRule{g.admin, g.baseline} {
		key = binary.AppendUvarint(key, uint64(len(list)))
		for i, r := range list {
			key = r.appendShape(append(key, r.rank(list, i)))
		}
	}
	parts := make([]string, len(g.rules)) // in any order, and none twice
	var buffer []byte
	for i, r := range g.rules {
		buffer = r.appendShape(buffer[:0])
		parts[i] = string(buffer)
	}
	slices.SortFunc(parts, strings.Compare)
	for _, part := range slices.Compact(parts) {
		key = append(binary.AppendUvarint(key, uint64(len(part))), part...)
	}
	if g.near != nil {
		key = g.near.appendNames(append(key, 'n'))
	}
	return key
}

// rank says how a rule of an ordered tier stands to the one before: of the same policy,
// of another with the same priority, or behind it.
func (r *boundRule) rank(list []*boundRule, i int) byte {
	switch {
	case i > 0 && list[i-1].policy == r.policy:
		return 0
	case i > 0 && list[i-1].policy.Priority == r.policy.Priority:
		return 1
	}
	return 2
}

func (r *boundRule) appendShape(key []byte) []byte {
	flags := byte(r.rule.Action)
	if r.rule.Unsure != "" {
		flags |= 8
	}
	key = binary.AppendUvarint(append(key, flags), uint64(r.fixed))
	key = binary.AppendUvarint(key, uint64(len(r.names)))
	for _, n := range r.names {
		key = appendText(appendText(key, n.name), string(n.protocol))
	}
	ids := make([]int, len(r.peers))
	for i := range r.peers {
		if set := r.peers[i].set; set != nil {
			ids[i] = set.id + 1
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	key = binary.AppendUvarint(key, uint64(len(ids)))
	for _, id := range ids {
		key = binary.AppendUvarint(key, uint64(id))
	}
	return key
}

// appendNames appends the class's named ports, sorted.
func (c *Class) appendNames(key []byte) []byte {
	names := make([]portName, 0, len(c.named))
	for n := range c.named {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b portName) int {
		return strings.Compare(a.name+"/"+string(a.protocol), b.name+"/"+string(b.protocol))
	})
	for _, n := range names {
		key = appendText(appendText(key, n.name), string(n.protocol))
		key = binary.AppendUvarint(key, uint64(c.named[n]))
	}
	return key
}

func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}
