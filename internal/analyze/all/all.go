// Package all is the list of analyzers, and nothing else.
package all

import (
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/capacity"
	"watertight.dev/watertight/internal/analyze/devices"
	"watertight.dev/watertight/internal/analyze/meshidentity"
	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/nodesharing"
	"watertight.dev/watertight/internal/analyze/podescape"
	"watertight.dev/watertight/internal/analyze/podsecurity"
	"watertight.dev/watertight/internal/analyze/rbacreach"
	"watertight.dev/watertight/internal/analyze/services"
)

// All returns every analyzer, in the order of the guarantees that they answer.
func All() []analyze.Analyzer {
	return []analyze.Analyzer{
		rbacreach.Analyzer(),
		netreach.Analyzer(),
		services.Analyzer(),
		podsecurity.Analyzer(),
		podescape.Analyzer(),
		nodesharing.Analyzer(),
		devices.Analyzer(),
		capacity.Analyzer(),
		meshidentity.Analyzer(),
	}
}
