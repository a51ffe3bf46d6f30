// Package all is the list of analyzers, and nothing else.
package all

import (
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/rbacreach"
)

// All returns every analyzer, in the order of the guarantees they answer.
func All() []analyze.Analyzer {
	return []analyze.Analyzer{
		rbacreach.Analyzer(),
		netreach.Analyzer(),
	}
}
