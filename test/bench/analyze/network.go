package main

import (
	"fmt"
	"runtime"
	"time"

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/test/estate"
)

// size is a cluster and what its network analysis may cost.
type size struct {
	name    string
	options estate.Options
	// together is the aim for build and all pairs, build and pairs those for each.
	together, build, pairs time.Duration
	memory                 int64
}

var (
	thousand = size{
		name: "1,000 tenants", options: estate.Options{Tenants: 1_000, PodsPerNamespace: 3, Mistakes: 0.04},
		together: 100 * time.Millisecond, memory: 50e6,
	}
	tenThousand = size{
		name: "10,000 tenants", options: estate.Options{Tenants: 10_000, PodsPerNamespace: 4, Mistakes: 0.04},
		build: time.Second, pairs: 100 * time.Millisecond, memory: 500e6,
	}
	halfOpen = size{
		name: "10,000 tenants, half open", options: estate.Options{Tenants: 10_000, PodsPerNamespace: 4, Mistakes: 0.04, Open: 0.5},
		pairs: 100 * time.Millisecond,
	}
)

// loaded is a cluster as if it had just been loaded, with its index.
func loaded(o estate.Options) *snapshot.Snapshot {
	s := estate.New(o)
	s.NamespaceNames()
	return s
}

// network measures the engine and the judgement of one cluster.
func (b *bench) network(z size) error {
	s := loaded(z.options)
	what := fmt.Sprintf("%s (%d pods, %d policies): ", z.name, len(s.Pods), len(s.NetworkPolicies))
	before := held()
	e := engine.New(s, engine.Options{})
	flows, pairs := allPairs(e)
	kept := held() - before
	runtime.KeepAlive(e)

	together, err := b.measure(1, func() error {
		if n, _ := allPairs(engine.New(s, engine.Options{})); n != flows {
			return fmt.Errorf("%d flows, and %d before", n, flows)
		}
		return nil
	})
	if err != nil {
		return err
	}
	build, err := b.measure(1, func() error { engine.New(s, engine.Options{}); return nil })
	if err != nil {
		return err
	}
	const times = 4
	all, err := b.measure(times, func() error { allPairs(e); return nil })
	if err != nil {
		return err
	}
	b.timed(what+"build", build, z.build, "")
	b.timed(what+"all pairs", all, z.pairs, fmt.Sprintf(": %d flows, %d pairs of pods", flows, pairs))
	b.timed(what+"build and all pairs", together, z.together, "")
	b.sized(what+"memory of build and all pairs", together.allocated, z.memory, fmt.Sprintf(" allocated in all, %d MB kept", kept/1e6))
	if err := b.changes(what, s, e); err != nil {
		return err
	}
	e = nil
	judged, err := b.measure(1, func() error { netreach.Run(s); return nil })
	if err != nil {
		return err
	}
	b.timed(what+"the whole judgement of NET-1 to NET-8", judged, 0, "")
	b.sized(what+"peak of the process so far, the cluster included", peak(), 0, "")
	return nil
}

// allPairs counts the flows and the pairs of pods that they are about.
func allPairs(e *engine.Engine) (flows, pairs int) {
	e.Flows(func(f engine.Flow) bool {
		flows++
		pairs += f.PodPairs()
		return true
	})
	return flows, pairs
}
