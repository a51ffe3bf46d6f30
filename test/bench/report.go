package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"watertight.dev/watertight/test/bench/result"
)

// quantile is the value below which that part of the samples lies (nearest rank).
func quantile(samples []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(samples))
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// total is all rounds taken together.
func total(rounds []measured) (m measured, each string) {
	var texts []string
	for _, r := range rounds {
		m.objects, m.took, m.cpu = m.objects+r.objects, m.took+r.took, m.cpu+r.cpu
		texts = append(texts, fmt.Sprintf("%.0f", r.perSecond()))
	}
	return m, strings.Join(texts, ", ")
}

func onboardingRows(bare, operated []measured) []result.Row {
	a, eachBare := total(bare)
	o, eachOperated := total(operated)
	ratio := o.perSecond() / a.perSecond()
	costA, costO := a.cpu.Seconds()/float64(a.objects)*1e3, o.cpu.Seconds()/float64(o.objects)*1e3
	return []result.Row{
		{What: "onboarding: bare loop of server-side applies", Got: fmt.Sprintf("%.0f objects/s (rounds: %s)", a.perSecond(), eachBare)},
		{What: "onboarding: operator", Got: fmt.Sprintf("%.0f objects/s (rounds: %s)", o.perSecond(), eachOperated)},
		{What: "onboarding: operator / bare loop", Got: fmt.Sprintf("%.2f", ratio), Aim: "≥ 0.7", Met: result.Yes(ratio >= 0.7)},
		{What: "onboarding: processor time per object, control plane included",
			Got: fmt.Sprintf("bare loop %.1f ms, operator %.1f ms; %.2f of the operator's", costA, costO, costA/costO)},
	}
}

func (s atRest) rows(b *bench) []result.Row {
	const most = 300e6
	steady, restart := sum(s.steadyWrites), sum(s.restartWrites)
	at := fmt.Sprintf(" at %d tenants, %d objects", b.tenants, s.objects)
	return []result.Row{
		{What: "onboarding: the operator's processor time", Got: seconds(s.atReady.cpu)},
		{What: "onboarding: reconciles per tenant", Got: fmt.Sprintf("%.1f", s.figuresReady.reconciles/float64(b.tenants))},
		{What: "onboarding: the operator's writes per tenant", Got: fmt.Sprintf("%.1f (%s)", float64(sum(s.writesReady))/float64(b.tenants), list(s.writesReady))},
		{What: "onboarding: every tenant verified", Got: "at most " + seconds(s.verified)},
		{What: "operator memory, tenants ready" + at, Got: "peak " + result.Megabytes(s.atReady.peak)},
		{What: "operator memory, steady state" + at, Got: fmt.Sprintf("%s, peak %s", result.Megabytes(s.steady.resident), result.Megabytes(s.steady.peak)),
			Aim: "peak < 300 MB", Met: result.Yes(s.steady.peak < most)},
		{What: "operator memory after a restart" + at, Got: fmt.Sprintf("%s, peak %s", result.Megabytes(s.restarted.resident), result.Megabytes(s.restarted.peak)),
			Aim: "peak < 300 MB", Met: result.Yes(s.restarted.peak < most)},
		{What: "steady state: writes per minute", Got: strings.TrimSpace(fmt.Sprintf("%.1f %s", float64(steady)/s.minutes, list(s.steadyWrites))),
			Aim: "0", Met: result.Yes(steady == 0)},
		{What: "steady state: requests per minute other than GET, with dry-runs and tokens", Got: fmt.Sprintf("%.1f", s.steadyOther/s.minutes)},
		{What: "restart: writes until every tenant was looked at", Got: strings.TrimSpace(fmt.Sprintf("%d %s", restart, list(s.restartWrites))),
			Aim: "0", Met: result.Yes(restart == 0)},
		{What: "restart: to ready", Got: seconds(s.restartReady)},
		{What: "restart: to every tenant looked at", Got: seconds(s.restartLooked)},
	}
}

// timed is a row about a wait; the aim is on the slowest that is told.
func timed(what string, samples []time.Duration, aim time.Duration) result.Row {
	middle, slow := quantile(samples, 0.5), quantile(samples, 0.99)
	return result.Row{
		What: what, Got: fmt.Sprintf("median %s, p99 %s (n=%d)", seconds(middle), seconds(slow), len(samples)),
		Aim: fmt.Sprintf("< %g s", aim.Seconds()), Met: result.Yes(slow < aim),
	}
}

func singleRows(ready, verified []time.Duration) []result.Row {
	return []result.Row{
		timed("one tenant on an idle cluster: to unsealed and ready", ready, time.Second),
		timed("one tenant on an idle cluster: to verified", verified, time.Second),
	}
}

func upRows(ready, verified []time.Duration) []result.Row {
	return []result.Row{
		timed("watertight up, engines built: to ready", ready, 10*time.Second),
		timed("watertight up, engines built: to two verified tenants", verified, 30*time.Second),
	}
}
