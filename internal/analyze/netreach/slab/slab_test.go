package slab

import "testing"

func TestTake(t *testing.T) {
	s := Of[int]{Size: 4}
	a, b, c := s.Take(3), s.Take(3), s.Take(9)
	for i, part := range [][]int{a, b, c} {
		for k := range part {
			if part[k] != 0 {
				t.Fatalf("value %d of part %d is %d: somebody else's", k, i, part[k])
			}
			part[k] = i + 1
		}
	}
	if a = append(a, 7); a[3] != 7 || b[0] != 2 {
		t.Errorf("a part grew into its neighbour: %v %v", a, b)
	}
	if len(c) != 9 {
		t.Errorf("asked for 9 values, got %d", len(c))
	}
	if s.Take(0) != nil {
		t.Error("no values are not nil")
	}
}

func TestStop(t *testing.T) {
	s := Of[int]{Size: 4}
	one := s.One()
	s.Stop()
	if other := s.Take(1); &other[0] == one || cap(other) != 1 || len(s.piece) != 0 {
		t.Errorf("a value after Stop comes out of a larger piece: cap %d, left %d", cap(other), len(s.piece))
	}
}
