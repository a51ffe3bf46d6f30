package main

import (
	"fmt"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/test/bench/result"
	"watertight.dev/watertight/test/estate"
)

// growth sets all pairs beside the loop over every pair of pods that one would write
// first. Both ask the same engine, so the difference is the loop's alone; and both must
// count the same pairs.
func (b *bench) growth() error {
	var naive, ours [2]float64
	tenants := [2]int{50, 100}
	for i, n := range tenants {
		s := loaded(estate.Options{Tenants: n, PodsPerNamespace: 3, Mistakes: 0.04})
		e := engine.New(s, engine.Options{})
		_, pairs := allPairs(e)
		loop, err := b.measure(1, func() error {
			if found := everyPair(e, s); found != pairs {
				return fmt.Errorf("a loop over pairs of pods finds %d pairs, all-pairs %d", found, pairs)
			}
			return nil
		})
		if err != nil {
			return err
		}
		const times = 200
		all, err := b.measure(times, func() error { allPairs(e); return nil })
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%d tenants, %d pods: ", n, len(s.Pods))
		b.timed(what+"a loop over every pair of pods", loop, 0, "")
		b.timed(what+"all pairs", all, 0, fmt.Sprintf(": %.0f times as fast", loop.median().Seconds()/all.median().Seconds()))
		naive[i], ours[i] = loop.median().Seconds(), all.median().Seconds()
	}
	b.add(result.Row{What: fmt.Sprintf("from %d to %d tenants, the time grows", tenants[0], tenants[1]),
		Got: fmt.Sprintf("%.1f times for the loop, %.1f times for all pairs", naive[1]/naive[0], ours[1]/ours[0])})
	return nil
}

// everyPair counts the pairs of different pods of which the first may reach the second.
func everyPair(e *engine.Engine, s *snapshot.Snapshot) int {
	found := 0
	for _, src := range s.Pods {
		for _, dst := range s.Pods {
			if src != dst && !e.PodReach(src, dst).Possible.Empty() {
				found++
			}
		}
	}
	return found
}
