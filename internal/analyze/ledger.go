package analyze

import (
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Ledger gathers what an analyzer finds about one tenant, and closes with a verdict for
// each guarantee that it answers.
type Ledger struct {
	Tenant   string
	snapshot *snapshot.Snapshot
	findings []guarantee.Finding
	holds    map[guarantee.ID]guarantee.Finding
}

// NewLedger opens a ledger for a tenant.
func NewLedger(s *snapshot.Snapshot, tenant string) *Ledger {
	return &Ledger{Tenant: tenant, snapshot: s, holds: map[guarantee.ID]guarantee.Finding{}}
}

// Break notes that a guarantee is broken.
func (l *Ledger) Break(id guarantee.ID, reason, message string, evidence ...guarantee.Evidence) {
	l.note(id, guarantee.Broken, reason, message, evidence)
}

// Doubt notes why a guarantee cannot be judged.
func (l *Ledger) Doubt(id guarantee.ID, reason, message string, evidence ...guarantee.Evidence) {
	l.note(id, guarantee.Unknown, reason, message, evidence)
}

// NotPromised notes that the tenant's class does not give the guarantee.
func (l *Ledger) NotPromised(id guarantee.ID, message string) {
	l.note(id, guarantee.NotPromised, "NotPromised", message, nil)
}

// Hold states what the guarantee rests on if nothing speaks against it.
func (l *Ledger) Hold(id guarantee.ID, reason, message string, evidence ...guarantee.Evidence) {
	l.holds[id] = guarantee.Finding{
		Guarantee: id, Tenant: l.Tenant, Verdict: guarantee.Holds, Reason: reason, Message: message, Evidence: evidence,
	}
}

func (l *Ledger) note(id guarantee.ID, v guarantee.Verdict, reason, message string, evidence []guarantee.Evidence) {
	l.findings = append(l.findings, guarantee.Finding{
		Guarantee: id, Tenant: l.Tenant, Verdict: v, Reason: reason, Message: message, Evidence: evidence,
	})
}

// Needs notes a doubt about each of the guarantees for every kind that could not be read.
func (l *Ledger) Needs(ids []guarantee.ID, kinds ...string) {
	problems := l.snapshot.Missing(kinds...)
	if len(problems) == 0 {
		return
	}
	const most = 5
	var evidence []guarantee.Evidence
	var named []string
	for _, p := range problems {
		kind := p.Kind
		if kind == "" {
			kind = "Unreadable"
		}
		if !slices.Contains(named, kind) {
			named = append(named, kind)
		}
		if len(evidence) < most {
			evidence = append(evidence, guarantee.Evidence{
				Object: guarantee.Ref{Kind: kind, Name: p.Source}, Detail: p.Message, Source: p.Source,
			})
		}
	}
	message := fmt.Sprintf("%s: %s", problems[0].Source, problems[0].Message)
	if more := len(problems) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more of: %s)", more, strings.Join(named, ", "))
	}
	for _, id := range ids {
		l.Doubt(id, "NotRead", "cannot tell: "+message, evidence...)
	}
}

// NeedsNamespaces notes a doubt about each of the guarantees for every namespace that the
// tenant names and that does not exist: of what may come there nothing is known.
func (l *Ledger) NeedsNamespaces(ids []guarantee.ID) {
	for _, ns := range l.snapshot.NamespacesOf(l.Tenant) {
		if l.snapshot.Exists(ns) {
			continue
		}
		for _, id := range ids {
			l.Doubt(id, "NamespaceNotSeen", fmt.Sprintf("namespace %s of tenant %s is not there: what will guard it is unknown", ns, l.Tenant),
				AboutNamespace(l.snapshot, ns, "does not exist"))
		}
	}
}

// Complete reports whether everything of a kind was read. Where it was not, the absence
// of an object proves nothing; Needs says so.
func (l *Ledger) Complete(kind string) bool { return len(l.snapshot.Missing(kind)) == 0 }

// Judged reports whether a guarantee has been found broken, doubtful or not promised.
func (l *Ledger) Judged(id guarantee.ID) bool {
	return slices.ContainsFunc(l.findings, func(f guarantee.Finding) bool { return f.Guarantee == id })
}

// Close returns the findings. A guarantee about which nothing was noted holds if the
// analyzer has said on what grounds, and is unknown otherwise.
func (l *Ledger) Close(ids []guarantee.ID) []guarantee.Finding {
	for _, id := range ids {
		if l.Judged(id) {
			continue
		}
		if f, ok := l.holds[id]; ok {
			l.findings = append(l.findings, f)
			continue
		}
		l.Doubt(id, "NoEvidence", "nothing was seen that could prove it")
	}
	guarantee.Sort(l.findings)
	return l.findings
}
