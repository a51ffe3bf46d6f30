// Package slab hands out many small values from few large pieces, for what is made by
// the hundred thousand and kept together. It frees nothing: a piece lives as long as any
// value of it.
package slab

// Of hands out values of a type.
type Of[T any] struct {
	// Size of the pieces. At 0 every request is a piece of its own, as is right where
	// single values come and go.
	Size int

	piece []T
}

// Take gives n values, all zero, that cannot grow into their neighbours.
func (s *Of[T]) Take(n int) []T {
	if n == 0 {
		return nil
	}
	if len(s.piece) < n {
		s.piece = make([]T, max(n, s.Size))
	}
	out := s.piece[:n:n]
	s.piece = s.piece[n:]
	return out
}

// One gives a single value.
func (s *Of[T]) One() *T { return &s.Take(1)[0] }

// Stop makes every further request a piece of its own.
func (s *Of[T]) Stop() { *s = Of[T]{} }
