package demo

import (
	"context"
	"slices"
	"time"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// proof prints verify's table of the shop's tenants, without the rows that their class
// does not promise.
func (d *Demo) proof(ctx context.Context, cluster Cluster) error {
	began := time.Now()
	report, err := d.Verify(ctx, cluster.Kubeconfig, true)
	if err != nil {
		return err
	}
	report.Tenants = slices.DeleteFunc(report.Tenants, func(t verify.TenantReport) bool { return !slices.Contains(shopTenants, t.Tenant) })
	for i, t := range report.Tenants {
		report.Tenants[i].Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(r verify.Row) bool { return r.Verdict == guarantee.NotPromised })
		for _, r := range t.Rows {
			if r.Verdict == guarantee.Broken {
				d.surprise("%s of tenant %s is broken", r.Guarantee, t.Tenant)
			}
		}
	}
	if err := report.WriteTable(d.Out, d.Colour); err != nil {
		return err
	}
	d.say("")
	d.done(began, "verified; rows that the class does not promise are left out here")
	return nil
}
