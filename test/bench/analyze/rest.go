package main

import (
	"fmt"
	"time"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/all"
	"watertight.dev/watertight/internal/analyze/blast"
	"watertight.dev/watertight/internal/analyze/rbacreach"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// withRights is the cluster of 1,000 tenants with RBAC.
func withRights() *snapshot.Snapshot {
	o := thousand.options
	o.RBAC = true
	return loaded(o)
}

// rbac measures the closure over what identities may do.
func (b *bench) rbac() error {
	s := withRights()
	what := fmt.Sprintf("1,000 tenants (%d bindings, %d roles): ", len(s.RoleBindings)+len(s.ClusterRoleBindings), len(s.Roles)+len(s.ClusterRoles))
	broken := 0
	c, err := b.measure(1, func() error {
		broken = 0
		for _, f := range rbacreach.Run(s) {
			if f.Verdict == guarantee.Broken {
				broken++
			}
		}
		if broken == 0 {
			return fmt.Errorf("nothing is broken, and mistakes were made")
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.timed(what+"RBAC closure and judgement of API-1 to API-5", c, 500*time.Millisecond, fmt.Sprintf(": %d broken; %d MB allocated in all", broken, c.allocated/1e6))
	return nil
}

// blast measures the graph of all that leads from one place to another, and the radius of
// every tenant.
func (b *bench) blast() error {
	s := withRights()
	var edges []analyze.Edge
	found, err := b.measure(1, func() error { edges = all.Edges(s); return nil })
	if err != nil {
		return err
	}
	what := "1,000 tenants: "
	b.timed(what+"the steps of every analyzer", found, 0, fmt.Sprintf(": %d steps; %d MB allocated in all", len(edges), found.allocated/1e6))
	g := blast.New(s, edges)
	built, err := b.measure(1, func() error { g = blast.New(s, edges); return nil })
	if err != nil {
		return err
	}
	b.timed(what+"blast graph of these steps", built, 0, "")
	some := 0
	answered, err := b.measure(1, func() error {
		some = 0
		for _, t := range g.Tenants() {
			r, err := g.Of(t)
			if err != nil {
				return err
			}
			if !r.Radius.Zero() {
				some++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.timed(what+"blast radius of each of them", answered, 0, fmt.Sprintf(": %d have one; %d MB allocated in all", some, answered.allocated/1e6))
	return nil
}
