package diff

import (
	"cmp"
	"slices"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// tenants compares the tables of the tenants that both sides have. Of a new one, only
// what is broken counts: nothing was promised to it before.
func (c *comparison) tenants() {
	old := map[string]verify.TenantReport{}
	for _, t := range c.before.Report.Tenants {
		old[t.Tenant] = t
	}
	was, is := unitsOf(c.before.Picture), unitsOf(c.after.Picture)
	for _, t := range c.after.Report.Tenants {
		b, known := old[t.Tenant]
		delete(old, t.Tenant)
		if !known {
			c.out.Added = append(c.out.Added, t.Tenant)
		}
		for _, row := range t.Rows {
			prior, _ := b.Row(row.Guarantee)
			c.row(t.Tenant, known, prior, row)
			c.findings(known, was.keyed(prior), is.keyed(row))
		}
	}
	for name := range old {
		c.out.Gone = append(c.out.Gone, name)
	}
	slices.Sort(c.out.Gone)
	c.sort()
}

// row notes how the verdict of a row and its columns changed.
func (c *comparison) row(tenant string, known bool, before, after verify.Row) {
	v := VerdictChange{
		Tenant: tenant, Guarantee: after.Guarantee, Promise: after.Promise, Before: before.Verdict, After: after.Verdict,
	}
	if !known {
		v.Before = guarantee.NotPromised
		if after.Verdict == guarantee.Broken {
			v.Effect = Worsens
			c.out.Verdicts = append(c.out.Verdicts, v)
		}
		return
	}
	v.Effect = effectOf(before.Verdict, after.Verdict)
	columns := after.Columns()
	for i, b := range before.Columns() {
		a := columns[i]
		e := effectOf(b.Verdict, a.Verdict)
		if e == "" || a.Verdict == guarantee.NotAsked || b.Verdict == guarantee.NotAsked {
			continue
		}
		v.Columns = append(v.Columns, ColumnChange{a.Name, b.Verdict, a.Verdict})
		if before.Verdict == after.Verdict && (v.Effect == "" || e.rank() < v.Effect.rank()) {
			v.Effect = e
		}
	}
	if v.Effect != "" {
		c.out.Verdicts = append(c.out.Verdicts, v)
	}
}

// effectOf judges a change of a verdict. A promise that is given no longer is worse,
// whatever became of it before; one that is new and not yet proved is neither.
func effectOf(before, after guarantee.Verdict) Effect {
	switch {
	case before == after:
		return ""
	case after == guarantee.Broken, after == guarantee.NotPromised:
		return Worsens
	case after == guarantee.Holds:
		return Betters
	case after == guarantee.Unknown && before != guarantee.NotPromised:
		return Blurs
	}
	return Changes
}

// identified are the findings of a row that speak against it, by what they say.
type identified map[string]FindingChange

// keyed identifies a row's findings. Pods go by what made them: their names change with
// every rollout.
func (u units) keyed(r verify.Row) identified {
	out := identified{}
	for _, column := range r.Columns() {
		for _, f := range column.Findings {
			if f.Verdict != guarantee.Broken && f.Verdict != guarantee.Unknown || r.Verdict == guarantee.NotPromised {
				continue
			}
			lasting := f
			lasting.Evidence = slices.Clone(f.Evidence)
			for i := range lasting.Evidence {
				u.lasting(&lasting.Evidence[i])
			}
			key := column.Name + "\x1e" + string(f.Verdict) + "\x1e" + verify.Identity(lasting)
			if _, ok := out[key]; !ok {
				out[key] = FindingChange{Column: column.Name, Finding: f}
			}
		}
	}
	return out
}

// findings notes those that only one side has.
func (c *comparison) findings(known bool, before, after identified) {
	for key, f := range after {
		if _, ok := before[key]; !ok && (known || f.Verdict == guarantee.Broken) {
			f.Appears = true
			c.out.Findings = append(c.out.Findings, f)
		}
	}
	for key, f := range before {
		if _, ok := after[key]; !ok {
			c.out.Findings = append(c.out.Findings, f)
		}
	}
}

// sort puts the worst first.
func (c *comparison) sort() {
	place := map[guarantee.ID]int{}
	for i, g := range guarantee.All() {
		place[g.ID] = i
	}
	slices.SortStableFunc(c.out.Verdicts, func(a, b VerdictChange) int {
		return cmp.Or(
			cmp.Compare(a.Effect.rank(), b.Effect.rank()),
			cmp.Compare(severity(b.After), severity(a.After)),
			cmp.Compare(a.Tenant, b.Tenant),
			cmp.Compare(place[a.Guarantee], place[b.Guarantee]),
		)
	})
	slices.SortStableFunc(c.out.Findings, func(a, b FindingChange) int {
		return cmp.Or(
			cmp.Compare(first(b.Appears), first(a.Appears)),
			cmp.Compare(severity(b.Verdict), severity(a.Verdict)),
			cmp.Compare(a.Tenant, b.Tenant),
			cmp.Compare(place[a.Guarantee], place[b.Guarantee]),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.Message, b.Message),
			cmp.Compare(verify.Identity(a.Finding), verify.Identity(b.Finding)),
		)
	})
}

func severity(v guarantee.Verdict) int {
	return slices.Index([]guarantee.Verdict{guarantee.Holds, guarantee.NotPromised, guarantee.Unknown, guarantee.Broken}, v)
}

func first(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
