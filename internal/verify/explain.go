package verify

import (
	"io"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
)

// WriteExplanation prints everything that is known of one row: the promise, where it
// comes from, and the evidence of every column, also of those that hold.
func (t TenantReport) WriteExplanation(out io.Writer, id guarantee.ID, colour bool) error {
	p := &printer{out: out, colour: colour}
	g, _ := guarantee.Get(id)
	row, ok := t.Row(id)
	if !ok {
		p.line("%s is no guarantee of tenant %s", Clean(string(id)), Clean(t.Tenant))
		return p.err
	}
	p.line("%s of tenant %s: %s", id, Clean(t.Tenant), p.paint(row.Verdict, string(row.Verdict)))
	p.line("")
	p.line("promise:    %s", g.Sentence)
	p.line("boundary:   %s", g.Boundary)
	p.line("references: %s", strings.Join(g.References, ", "))
	p.line("class:      %s", Clean(t.Class))
	if t.Rejected != "" {
		p.line("rejected:   %s", Clean(t.Rejected))
	}
	if row.Verdict == guarantee.NotPromised {
		p.line("")
		p.line("class %s does not promise it; choose a class that does", Clean(t.Class))
		return p.err
	}
	meaning := map[string]string{
		"compiled":  "are the objects that enforce it there, as compiled?",
		"predicted": "what do the objects allow, taken together?",
		"observed":  "what happened when it was tried?",
		"watched":   "was it seen to be broken?",
	}
	for _, c := range row.Columns() {
		p.line("")
		p.line("%s  %s  (%s)", c.Name, p.paint(c.Verdict, string(c.Verdict)), meaning[c.Name])
		p.explain(c)
	}
	if row.Difference != nil {
		p.line("")
		p.line("difference: %s", Clean(row.Difference.Message))
	}
	return p.err
}

// explain prints a column's findings with all their evidence.
func (p *printer) explain(c Column) {
	if c.Reason != "" {
		p.line("  %s", Clean(c.Reason))
	}
	for _, f := range c.Findings {
		p.line("  %s: %s (%s)", p.paint(f.Verdict, string(f.Verdict)), Clean(f.Message), Clean(f.Reason))
		for _, e := range f.Evidence {
			p.line("    - %s", evidenceLine(e))
		}
	}
}
