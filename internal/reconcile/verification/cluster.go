package verification

import (
	"context"

	"k8s.io/client-go/rest"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

// Cluster looks at a whole cluster, past every cache, and counts the verdicts on each
// tenant over what is compiled and what is predicted. It holds the picture only while it
// looks at it.
func Cluster(config *rest.Config, analyzers []analyze.Analyzer) func(context.Context) (map[string]Verdict, error) {
	return func(ctx context.Context) (map[string]Verdict, error) {
		picture, err := load.Live(ctx, config)
		if err != nil {
			return nil, err
		}
		out := map[string]Verdict{}
		_, err = verify.Run(ctx, verify.Input{
			Source: "cluster " + config.Host, Snapshot: picture, Analyzers: analyzers, Capabilities: verify.CapabilitiesOf(picture),
			Each: func(t verify.TenantReport) {
				holds, broken, unknown := t.Counts()
				out[t.Tenant] = Verdict{
					GuaranteeCount: v1alpha1.GuaranteeCount{Holds: int32(holds), Broken: int32(broken), Unknown: int32(unknown)},
					Generation:     picture.Tenant(t.Tenant).Generation,
				}
			},
		})
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}
