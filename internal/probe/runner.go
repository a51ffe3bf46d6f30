package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"watertight.dev/watertight/internal/guarantee"
)

// cleanTime is what a probe has to remove what it made after a cancelled run.
const cleanTime = 30 * time.Second

// Run runs the probes at the same time, within the session's bound, and returns their
// findings in the order of reports. Whatever a probe left it removes, however the run
// ends; what could not be removed is a finding.
func Run(ctx context.Context, s *Session, probes []Probe) []guarantee.Finding {
	found := make([][]guarantee.Finding, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() { found[i] = runOne(ctx, s, p) })
	}
	wg.Wait()
	var all []guarantee.Finding
	for _, f := range found {
		all = append(all, f...)
	}
	guarantee.Sort(all)
	return all
}

// runOne runs a probe and cleans up after it, also when it panics: a probe that
// fails must not take the others' clean-up with it.
func runOne(ctx context.Context, s *Session, p Probe) (findings []guarantee.Finding) {
	d := p.Describe()
	unknown := func(reason, message string) {
		findings = append(findings, guarantee.Finding{
			Guarantee: d.Guarantee, Tenant: s.Target.Tenant, Verdict: guarantee.Unknown, Reason: reason, Message: message,
		})
	}
	defer func() {
		if cause := recover(); cause != nil {
			unknown("ProbeFailed", fmt.Sprintf("the probe %s failed (%v); report it as a bug", d.ID, cause))
		}
		c, ok := p.(Cleaner)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if err := c.Clean(ctx, s); err != nil {
			unknown("NotCleaned", fmt.Sprintf("the probe %s could not remove what it made: %v; remove it by hand", d.ID, err))
		}
	}()
	if err := ctx.Err(); err != nil {
		unknown("NotRun", fmt.Sprintf("the probe %s was not run: %v", d.ID, err))
		return findings
	}
	findings = p.Run(ctx, s)
	if len(findings) == 0 {
		unknown("Silent", fmt.Sprintf("the probe %s observed nothing", d.ID))
	}
	return findings
}
