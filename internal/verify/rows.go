package verify

import (
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
)

func compareStrings(a, b string) int { return strings.Compare(a, b) }

// tenant makes the table of one tenant.
func (v *verification) tenant(s subject) TenantReport {
	report := TenantReport{Tenant: s.tenant.Name, Class: s.tenant.Spec.ClassName}
	class := s.class
	if class == nil {
		class = &v1alpha1.TenantClass{} // what every class promises
	}
	if s.rejected != nil {
		report.Rejected = rejection(s.rejected)
	}
	promised := compile.Promised(class)
	enforced := v.enforcement(s)
	for _, g := range guarantee.All() {
		row := Row{Guarantee: g.ID, Boundary: g.Boundary, Promise: g.Sentence}
		if slices.Contains(promised, g.ID) && !(s.mapped && slices.Contains(declared, g.ID)) {
			row.Compiled = v.compiled(s, enforced, g.ID)
			row.Predicted = v.predicted(s, g.ID)
			row.Observed = v.observed(s, g.ID)
			row.Watched = not(guarantee.NotAsked)
			row.Difference = difference(s.tenant.Name, row)
			row.Verdict = worst(row.Columns(), func(c Column) guarantee.Verdict { return c.Verdict })
		} else {
			n := not(guarantee.NotPromised)
			row.Verdict, row.Compiled, row.Predicted, row.Observed, row.Watched = n.Verdict, n, n, n, n
		}
		report.Rows = append(report.Rows, row)
	}
	report.Verdict = worst(report.Rows, func(r Row) guarantee.Verdict { return r.Verdict })
	return report
}

// declared are the guarantees that only a Tenant's or its class's declarations, or
// Watertight's guards, give a meaning to: flows, tiers, budgets, allowed classes, the
// floor. Nobody promises them to a mapped tenant.
var declared = []guarantee.ID{
	guarantee.API7, guarantee.NET3, guarantee.NET4, guarantee.NET5, guarantee.NET7, guarantee.NET9,
	guarantee.CAP1, guarantee.CAP3, guarantee.CAP5,
}

// predicted is what the analyzers say.
func (v *verification) predicted(s subject, id guarantee.ID) Cell {
	if !v.answers[id] {
		return unknown("no analyzer answers this yet")
	}
	found := v.found[cellKey{s.tenant.Name, id}]
	if len(found) == 0 {
		return unknown("the analyzer said nothing, and silence is no evidence")
	}
	cell := cellOf(found)
	if cell.Verdict == guarantee.Holds {
		for _, p := range v.in.Snapshot.Missing() { // anything could stand there
			return Cell{Verdict: guarantee.Unknown, Reason: "it would hold, but " + p.Source + " could not be read", Findings: cell.Findings}
		}
	}
	return cell
}

// observed is what the probes saw.
func (v *verification) observed(s subject, id guarantee.ID) Cell {
	if v.in.Observe == nil {
		return not(guarantee.NotAsked)
	}
	if s.notObserved != nil {
		return unknown("not probed: %v", s.notObserved)
	}
	found := slices.DeleteFunc(slices.Clone(s.observed), func(f guarantee.Finding) bool { return f.Guarantee != id })
	if len(found) > 0 {
		return cellOf(found)
	}
	g, _ := guarantee.Get(id)
	switch {
	case (g.Boundary == guarantee.Network || g.Boundary == guarantee.Kernel) && simulated(v.picture):
		return unknown("nodes are simulated (KWOK): nothing runs, and no packet can be tried")
	case g.Boundary == guarantee.Network:
		return unknown("no packet was sent: packet probes are not built yet")
	default:
		return unknown("no probe answers this yet")
	}
}

// cellOf is a cell made of findings.
func cellOf(found []guarantee.Finding) Cell {
	guarantee.Sort(found)
	return Cell{
		Verdict:  worst(found, func(f guarantee.Finding) guarantee.Verdict { return f.Verdict }),
		Findings: found,
	}
}

// difference is the finding that prediction and observation contradict each other.
func difference(tenant string, r Row) *guarantee.Finding {
	p, o := r.Predicted.Verdict, r.Observed.Verdict
	judged := func(v guarantee.Verdict) bool { return v == guarantee.Holds || v == guarantee.Broken }
	if !judged(p) || !judged(o) || p == o {
		return nil
	}
	cause := "something outside the picture enforces it, or the probe did not try the hole that was found; trust the worse"
	if o == guarantee.Broken {
		cause = "the cluster does not enforce what its objects say (a component that ignores them, an exemption, a change since the snapshot)"
	}
	return &guarantee.Finding{
		Guarantee: r.Guarantee, Tenant: tenant, Verdict: guarantee.Broken, Reason: "PredictionDiffers",
		Message: fmt.Sprintf("predicted %s but observed %s: %s", p, o, cause),
	}
}
