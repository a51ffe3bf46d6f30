package verify

import (
	"fmt"
	"io"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
)

const (
	// tableWidth is what a line of the table keeps to.
	tableWidth = 120
	// mostEvidence is how many facts of a finding the table lists; JSON has them all.
	mostEvidence = 6
)

var widths = []int{11, 9, 10, 11, 11, 11}

// WriteTable prints a table per tenant, and below it the reasons of whatever does not
// hold. Colour is for terminals.
func (r Report) WriteTable(out io.Writer, colour bool) error {
	w := &printer{out: out, colour: colour}
	w.line("%s", Clean(r.Source))
	for _, n := range r.Notes {
		w.line("note: %s", Clean(n))
	}
	for _, t := range r.Tenants {
		w.line("")
		w.tenant(t)
	}
	return w.err
}

// printer writes lines and remembers the first error.
type printer struct {
	out    io.Writer
	colour bool
	err    error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func (p *printer) tenant(t TenantReport) {
	holds, broken, unknown := t.Counts()
	p.line("tenant %s (class %s): %s, %d hold, %d broken, %d unknown",
		Clean(t.Tenant), Clean(t.Class), p.paint(t.Verdict, string(t.Verdict)), holds, broken, unknown)
	if t.Rejected != "" {
		p.line("the Tenant is rejected: %s", Clean(t.Rejected))
	}
	p.line("")
	header := ""
	for i, name := range []string{"GUARANTEE", "VERDICT", "COMPILED", "PREDICTED", "OBSERVED", "WATCHED"} {
		header += pad(name, widths[i])
	}
	p.line("%sPROMISE", header)
	for _, r := range t.Rows {
		p.row(r)
	}
	p.reasons(t)
}

func (p *printer) row(r Row) {
	line := pad(string(r.Guarantee), widths[0]) + p.verdict(r.Verdict, widths[1])
	left := tableWidth - widths[0] - widths[1]
	for i, c := range r.Columns() {
		line += p.verdict(c.Verdict, widths[i+2])
		left -= widths[i+2]
	}
	p.line("%s%s", line, cut(r.Promise, left))
}

// reasons lists what stands against each broken row, then why the rest cannot be told,
// each cause once.
func (p *printer) reasons(t TenantReport) {
	for _, r := range t.Rows {
		if r.Verdict != guarantee.Broken {
			continue
		}
		p.line("")
		p.line("%s %s: %s", r.Guarantee, p.paint(r.Verdict, string(r.Verdict)), r.Promise)
		for _, c := range r.Columns() {
			if c.Verdict == guarantee.Broken {
				p.column(c)
			}
		}
		if r.Difference != nil {
			p.finding("difference", *r.Difference)
		}
	}
	p.ignorance(t)
}

// ignorance groups the unknown cells by their cause.
func (p *printer) ignorance(t TenantReport) {
	var causes []string
	rows := map[string][]string{}
	for _, r := range t.Rows {
		for _, c := range r.Columns() {
			if c.Verdict != guarantee.Unknown {
				continue
			}
			for _, why := range c.causes() {
				cause := c.Name + ": " + Clean(why)
				if rows[cause] == nil {
					causes = append(causes, cause)
				}
				rows[cause] = append(rows[cause], string(r.Guarantee))
			}
		}
	}
	if len(causes) == 0 {
		return
	}
	p.line("")
	p.line("%s, because", p.paint(guarantee.Unknown, "unknown"))
	for _, cause := range causes {
		p.line("  %s", cause)
		p.line("      %s", strings.Join(rows[cause], ", "))
	}
}

// causes say why a column is unknown.
func (c Column) causes() []string {
	if c.Reason != "" {
		return []string{c.Reason}
	}
	var out []string
	for _, f := range c.Findings {
		if f.Verdict == guarantee.Unknown {
			out = append(out, f.Message)
		}
	}
	return out
}

// column prints a column's reason and the findings against the guarantee.
func (p *printer) column(c Column) {
	if c.Reason != "" {
		p.line("  %s %s: %s", c.Name, p.paint(c.Verdict, string(c.Verdict)), Clean(c.Reason))
	}
	for _, f := range c.Findings {
		if f.Verdict == c.Verdict {
			p.finding(c.Name, f)
		}
	}
}

func (p *printer) finding(column string, f guarantee.Finding) {
	p.line("  %s %s: %s", column, p.paint(f.Verdict, string(f.Verdict)), Clean(f.Message))
	for i, e := range f.Evidence {
		if i == mostEvidence {
			p.line("      … and %d more (-o json lists all)", len(f.Evidence)-i)
			break
		}
		p.line("    - %s", evidenceLine(e))
	}
}

// evidenceLine is "Kind ns/name field (source): detail".
func evidenceLine(e guarantee.Evidence) string {
	line := e.Object.String()
	if e.Field != "" {
		line += " " + e.Field
	}
	if e.Source != "" {
		line += " (" + e.Source + ")"
	}
	if e.Detail != "" {
		line += ": " + e.Detail
	}
	return Clean(line)
}

// verdict is a padded cell of the table.
func (p *printer) verdict(v guarantee.Verdict, width int) string {
	return p.paint(v, string(v)) + strings.Repeat(" ", max(width-len(v), 1))
}

// paint colours a word after a verdict.
func (p *printer) paint(v guarantee.Verdict, word string) string {
	codes := map[guarantee.Verdict]string{guarantee.Holds: "32", guarantee.Broken: "1;31", guarantee.Unknown: "33"}
	code, ok := codes[v]
	if !p.colour || !ok {
		return word
	}
	return "\x1b[" + code + "m" + word + "\x1b[0m"
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-len([]rune(s)), 1))
}
