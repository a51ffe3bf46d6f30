package all

import (
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// Edges collects the steps of an attack that the analyzers find, in their order.
func Edges(s *snapshot.Snapshot) []analyze.Edge {
	var edges []analyze.Edge
	for _, a := range All() {
		if a.Edges == nil {
			continue
		}
		a.Edges(s, func(e analyze.Edge) bool {
			edges = append(edges, e)
			return true
		})
	}
	return edges
}
