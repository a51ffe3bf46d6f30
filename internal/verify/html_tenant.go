package verify

import "watertight.dev/watertight/internal/guarantee"

// pageTenant is a tenant's part of the page.
type pageTenant struct {
	N int
	TenantReport
	Count verdictCount
	Rows  []pageRow
	// NotPromised are the guarantees that the class does not give: a line, no rows.
	NotPromised []guarantee.ID
}

// pageRow is a row with what its details say.
type pageRow struct {
	Row
	Cells []Column
	Parts []pagePart
}

// pagePart is what a column says about a row.
type pagePart struct {
	Column   string
	Verdict  guarantee.Verdict
	Reason   string
	Findings []pageFinding
	// More is how many findings are left out.
	More int
}

// pageFinding is a finding with the evidence that is listed.
type pageFinding struct {
	guarantee.Finding
	More int
}

func pageTenantOf(n int, t TenantReport, brief bool) pageTenant {
	p := pageTenant{N: n, TenantReport: t}
	for _, r := range t.Rows {
		p.Count.add(r.Verdict)
		if r.Verdict == guarantee.NotPromised {
			p.NotPromised = append(p.NotPromised, r.Guarantee)
			continue
		}
		p.Rows = append(p.Rows, pageRowOf(r, brief))
	}
	return p
}

func pageRowOf(r Row, brief bool) pageRow {
	p := pageRow{Row: r, Cells: r.Columns()}
	for _, c := range p.Cells {
		if part, ok := pagePartOf(c, brief); ok {
			p.Parts = append(p.Parts, part)
		}
	}
	if r.Difference != nil {
		p.Parts = append(p.Parts, pagePart{Column: "difference", Verdict: r.Difference.Verdict, Findings: []pageFinding{{Finding: *r.Difference}}})
	}
	return p
}

// pagePartOf is what a column's findings of its own verdict say; of those that hold, no
// evidence is listed, and nothing at all in a brief page.
func pagePartOf(c Column, brief bool) (pagePart, bool) {
	part := pagePart{Column: c.Name, Verdict: c.Verdict, Reason: c.Reason}
	if c.Verdict == guarantee.NotAsked || c.Verdict == guarantee.NotPromised || brief && c.Verdict == guarantee.Holds {
		return part, false
	}
	for _, f := range c.Findings {
		if f.Verdict != c.Verdict {
			continue
		}
		if len(part.Findings) == mostFindings {
			part.More++
			continue
		}
		one := pageFinding{Finding: f}
		switch {
		case f.Verdict == guarantee.Holds:
			one.Evidence = nil
		case len(f.Evidence) > mostEvidence:
			one.Evidence, one.More = f.Evidence[:mostEvidence], len(f.Evidence)-mostEvidence
		}
		part.Findings = append(part.Findings, one)
	}
	return part, part.Reason != "" || len(part.Findings) > 0
}
