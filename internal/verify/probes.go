package verify

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/client-go/rest"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
	"watertight.dev/watertight/internal/probe/api"
	"watertight.dev/watertight/internal/probe/capacity"
	"watertight.dev/watertight/internal/probe/kernel"
	"watertight.dev/watertight/internal/probe/network"
	"watertight.dev/watertight/internal/snapshot"
)

// parallelProbes bounds the requests in flight of one tenant's probes.
const parallelProbes = 8

// Probes is every probe there is.
func Probes() []probe.Probe {
	return slices.Concat(api.Probes(), network.Probes(), kernel.Probes(), capacity.Probes())
}

// Probing returns an Observe that runs every probe as the tenant's owner. admin is used
// for nothing but the owner's token.
func Probing(admin *rest.Config, s *snapshot.Snapshot) func(context.Context, string) ([]guarantee.Finding, error) {
	return func(ctx context.Context, tenant string) ([]guarantee.Finding, error) {
		target, err := probe.NewTarget(s, tenant)
		if err != nil {
			return nil, err
		}
		owner, err := probe.Owner(ctx, admin, tenant)
		if err != nil {
			return nil, fmt.Errorf("get the owner's credential: %w", err)
		}
		return probe.Run(ctx, probe.NewSession(target, owner, parallelProbes), Probes()), nil
	}
}
