package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one figure beside what it aims at.
type row struct {
	what, aim, got string
	// met is "yes", "no" or, where there is no aim, "".
	met string
}

// report is the result of a run.
type report struct {
	facts []row
	rows  []row
}

func (r report) print(w io.Writer, markdown bool) {
	if markdown {
		fmt.Fprintln(w, "| figure | measured | aim | met |\n|---|---|---|---|")
		for _, x := range r.rows {
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", x.what, x.got, x.aim, x.met)
		}
		fmt.Fprintln(w, "\n| machine | |\n|---|---|")
		for _, x := range r.facts {
			fmt.Fprintf(w, "| %s | %s |\n", x.what, x.got)
		}
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tMEASURED\tAIM\tMET")
	for _, x := range r.rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.what, x.got, x.aim, x.met)
	}
	for _, x := range r.facts {
		fmt.Fprintf(t, "%s\t%s\t\t\n", x.what, x.got)
	}
	t.Flush()
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

// quantile is the value below which that part of the samples lies (nearest rank).
func quantile(samples []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(samples))
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

// total is all rounds taken together.
func total(rounds []measured) (m measured, each string) {
	var texts []string
	for _, r := range rounds {
		m.objects, m.took, m.cpu = m.objects+r.objects, m.took+r.took, m.cpu+r.cpu
		texts = append(texts, fmt.Sprintf("%.0f", r.perSecond()))
	}
	return m, strings.Join(texts, ", ")
}

func onboardingRows(bare, operated []measured) []row {
	a, eachBare := total(bare)
	o, eachOperated := total(operated)
	ratio := o.perSecond() / a.perSecond()
	costA, costO := a.cpu.Seconds()/float64(a.objects)*1e3, o.cpu.Seconds()/float64(o.objects)*1e3
	return []row{
		{what: "onboarding: bare loop of server-side applies", got: fmt.Sprintf("%.0f objects/s (rounds: %s)", a.perSecond(), eachBare)},
		{what: "onboarding: operator", got: fmt.Sprintf("%.0f objects/s (rounds: %s)", o.perSecond(), eachOperated)},
		{what: "onboarding: operator / bare loop", got: fmt.Sprintf("%.2f", ratio), aim: "≥ 0.7", met: yes(ratio >= 0.7)},
		{what: "onboarding: processor time per object, control plane included",
			got: fmt.Sprintf("bare loop %.1f ms, operator %.1f ms; %.2f of the operator's", costA, costO, costA/costO)},
	}
}

func (s atRest) rows(b *bench) []row {
	const most = 300e6
	steady, restart := sum(s.steadyWrites), sum(s.restartWrites)
	at := fmt.Sprintf(" at %d tenants, %d objects", b.tenants, s.objects)
	return []row{
		{what: "onboarding: the operator's processor time", got: seconds(s.atReady.cpu)},
		{what: "onboarding: reconciles per tenant", got: fmt.Sprintf("%.1f", s.figuresReady.reconciles/float64(b.tenants))},
		{what: "onboarding: the operator's writes per tenant", got: fmt.Sprintf("%.1f (%s)", float64(sum(s.writesReady))/float64(b.tenants), list(s.writesReady))},
		{what: "onboarding: every tenant verified", got: "at most " + seconds(s.verified)},
		{what: "operator memory, tenants ready" + at, got: "peak " + megabytes(s.atReady.peak)},
		{what: "operator memory, steady state" + at, got: fmt.Sprintf("%s, peak %s", megabytes(s.steady.resident), megabytes(s.steady.peak)),
			aim: "peak < 300 MB", met: yes(s.steady.peak < most)},
		{what: "operator memory after a restart" + at, got: fmt.Sprintf("%s, peak %s", megabytes(s.restarted.resident), megabytes(s.restarted.peak)),
			aim: "peak < 300 MB", met: yes(s.restarted.peak < most)},
		{what: "steady state: writes per minute", got: strings.TrimSpace(fmt.Sprintf("%.1f %s", float64(steady)/s.minutes, list(s.steadyWrites))),
			aim: "0", met: yes(steady == 0)},
		{what: "steady state: requests per minute other than GET, with dry-runs and tokens", got: fmt.Sprintf("%.1f", s.steadyOther/s.minutes)},
		{what: "restart: writes until every tenant was looked at", got: strings.TrimSpace(fmt.Sprintf("%d %s", restart, list(s.restartWrites))),
			aim: "0", met: yes(restart == 0)},
		{what: "restart: to ready", got: seconds(s.restartReady)},
		{what: "restart: to every tenant looked at", got: seconds(s.restartLooked)},
	}
}

// timed is a row about a wait; the aim is on the slowest that is told.
func timed(what string, samples []time.Duration, aim time.Duration) row {
	middle, slow := quantile(samples, 0.5), quantile(samples, 0.99)
	return row{
		what: what, got: fmt.Sprintf("median %s, p99 %s (n=%d)", seconds(middle), seconds(slow), len(samples)),
		aim: fmt.Sprintf("< %g s", aim.Seconds()), met: yes(slow < aim),
	}
}

func singleRows(ready, verified []time.Duration) []row {
	return []row{
		timed("one tenant on an idle cluster: to unsealed and ready", ready, time.Second),
		timed("one tenant on an idle cluster: to verified", verified, time.Second),
	}
}

func upRows(ready, verified []time.Duration) []row {
	return []row{
		timed("watertight up, engines built: to ready", ready, 10*time.Second),
		timed("watertight up, engines built: to two verified tenants", verified, 30*time.Second),
	}
}
