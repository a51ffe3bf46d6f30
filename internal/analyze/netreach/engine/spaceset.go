package engine

import (
	"math/bits"
	"slices"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// spaceSet is the namespaces that a selector matches. Nearly all sets hold one namespace,
// and the others may hold nearly all.
type spaceSet struct {
	selector *rules.Selector
	few      []int32  // ids, where they are few
	many     []uint64 // a bit for each id, where they are not
	size     int
	// refs counts the peers and subjects that ask.
	refs int
}

const mostFew = 8

func (s *spaceSet) has(sp *space) bool {
	if s.many == nil {
		return slices.Contains(s.few, sp.id)
	}
	word := int(sp.id >> 6)
	return word < len(s.many) && s.many[word]&(1<<(sp.id&63)) != 0
}

func (s *spaceSet) add(sp *space) {
	if s.has(sp) {
		return
	}
	s.size++
	if s.many == nil && len(s.few) < mostFew {
		s.few = append(s.few, sp.id)
		return
	}
	for _, id := range s.few {
		s.set(id)
	}
	s.few = nil
	s.set(sp.id)
}

func (s *spaceSet) set(id int32) {
	for int(id>>6) >= len(s.many) {
		s.many = append(s.many, 0)
	}
	s.many[id>>6] |= 1 << (id & 63)
}

func (s *spaceSet) remove(sp *space) {
	if !s.has(sp) {
		return
	}
	s.size--
	if s.many == nil {
		s.few = slices.DeleteFunc(s.few, func(id int32) bool { return id == sp.id })
		return
	}
	s.many[sp.id>>6] &^= 1 << (sp.id & 63)
}

// spaces yields the namespaces of a set.
func (t *spaceTable) spaces(s *spaceSet) func(func(*space) bool) {
	return func(yield func(*space) bool) {
		for _, id := range s.few {
			if !yield(t.byID[id]) {
				return
			}
		}
		for i, word := range s.many {
			for ; word != 0; word &= word - 1 {
				if !yield(t.byID[i<<6+bits.TrailingZeros64(word)]) {
					return
				}
			}
		}
	}
}
