package netreach

import (
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// Edges are the connections between pods, as steps that expose a workload.
func Edges(s *snapshot.Snapshot, yield func(analyze.Edge) bool) {}
