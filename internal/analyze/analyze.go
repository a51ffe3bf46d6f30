// Package analyze holds the analyzers: pure functions from a snapshot to findings, one
// question per package below it. They know no client, context, clock or randomness, and
// they share no code with the compiler whose work they judge.
package analyze

import (
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Analyzer answers one question. For every tenant of the snapshot and every guarantee it
// answers, it returns at least one finding: silence is not evidence. A broken guarantee
// has a finding for each object that breaks it.
type Analyzer struct {
	// Name is the package's name ("netreach").
	Name string
	// Guarantees that it answers.
	Guarantees []guarantee.ID
	// Run analyzes.
	Run func(*snapshot.Snapshot) []guarantee.Finding
	// Edges are the steps of an attack that the question finds; nil where there are none.
	Edges Edges
}
