package diff

import (
	"fmt"
	"io"
	"strings"

	"watertight.dev/watertight/internal/verify"
)

// mostCell and mostMessage are how long a name and a sentence may be in a table, in
// characters: GitHub takes comments of 65,536.
const (
	mostCell    = 160
	mostMessage = 500
)

// WriteMarkdown prints the difference as a comment on a pull request: a table per
// question. Whatever a tenant wrote stands in a code span, in which GitHub and GitLab
// see no HTML, link, image, mention or reference to an issue.
func (d Difference) WriteMarkdown(out io.Writer) error {
	p := &printer{out: out}
	signs := map[Outcome]string{Worse: "❌", CannotTell: "❔", NotWorse: "✅", Same: "✅"}
	p.line("### %s Tenant isolation: %s", signs[d.Outcome], d.Outcome)
	p.line("")
	p.line("%s.", d.sentence())
	p.line("")
	p.line("Before: %s, after: %s.", span(d.Before), span(d.After))
	table(p, "Doubts", d.Doubts, []string{"what cannot be told"}, func(s string) []string { return []string{span(s)} })
	table(p, "Tenants", d.tenantLines(), []string{"tenant"}, func(s string) []string { return []string{span(s)} })
	table(p, "Verdicts", foldVerdicts(d.Verdicts), []string{"", "tenant", "guarantee", "verdict", "promise"}, func(v verdictLine) []string {
		return []string{string(v.Effect), span(v.Tenant), v.guarantees, v.arrows(), v.promise}
	})
	table(p, "Findings", foldFindings(d.Findings), []string{"", "of", "verdict", "finding"}, func(f findingLine) []string {
		change := "gone"
		if f.Appears {
			change = "**new**"
		}
		return []string{change, span(f.rows()), fmt.Sprintf("%s %s", f.Column, f.Verdict), f.cell()}
	})
	table(p, "Network", d.Reach, []string{"", "from", "to", "ports"}, func(r ReachChange) []string {
		change := "closed"
		if r.Gained {
			change = "open"
		}
		if r.Across() {
			change = "**" + change + "**, across tenants"
		}
		if r.Breaks != "" {
			change = "**" + change + "**, widens what breaks " + string(r.Breaks)
		}
		return []string{change, span(r.From.String()), span(r.To.String()), r.Ports}
	})
	table(p, "Objects", d.Objects, []string{"", "object", "fields", "file", "bears on it"}, func(o ObjectChange) []string {
		bears := ""
		if o.Cause {
			bears = "yes"
		}
		return []string{o.Change, span(o.Object.String()), span(strings.Join(o.Fields, ", ")), span(o.Source), bears}
	})
	return p.err
}

// cell is what a finding says, and the objects that it rests on.
func (f FindingChange) cell() string {
	lines := []string{spanOf(f.Message, mostMessage)}
	for i, e := range f.Evidence {
		if i == mostEvidence {
			lines = append(lines, fmt.Sprintf("… and %d more", len(f.Evidence)-i))
			break
		}
		lines = append(lines, "· "+span(evidenceLine(e)))
	}
	return strings.Join(lines, "<br>")
}

// table prints a folded table, if it has rows.
func table[T any](p *printer, name string, entries []T, head []string, row func(T) []string) {
	if len(entries) == 0 {
		return
	}
	p.line("")
	p.line("<details open><summary>%s (%d)</summary>", name, len(entries))
	p.line("")
	p.line("| %s |", strings.Join(head, " | "))
	p.line("|%s", strings.Repeat(" --- |", len(head)))
	for _, e := range entries[:min(len(entries), mostLines)] {
		p.line("| %s |", strings.Join(row(e), " | "))
	}
	p.line("")
	if more := len(entries) - mostLines; more > 0 {
		p.line("… and %d more: `watertight diff -o json` lists all.", more)
		p.line("")
	}
	p.line("</details>")
}

// span is text in a code span of a table's cell: fenced by more backticks than it has in
// a row, and with its pipes escaped, which would end the cell even there.
func span(s string) string { return spanOf(s, mostCell) }

func spanOf(s string, most int) string {
	if s == "" {
		return ""
	}
	s = verify.Clean(s)
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	pad := ""
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.Trim(s, " ") == "" {
		pad = " "
	}
	return fence + pad + strings.ReplaceAll(s, "|", `\|`) + pad + fence
}
