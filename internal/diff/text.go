package diff

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// mostLines is how many entries of a list people are shown; JSON has them all.
const mostLines = 50

// mostEvidence is how many facts of a finding people are shown.
const mostEvidence = 4

// WriteJSON prints the difference in the structure of Difference.
func (d Difference) WriteJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// WriteText prints the difference for people, a list per question.
func (d Difference) WriteText(out io.Writer) error {
	p := &printer{out: out}
	p.line("before: %s", verify.Clean(d.Before))
	p.line("after:  %s", verify.Clean(d.After))
	p.line("")
	p.line("%s", d.sentence())
	list(p, "doubts", d.Doubts, func(s string) { p.line("  ? %s", verify.Clean(s)) })
	list(p, "tenants", d.tenantLines(), func(s string) { p.line("  %s", s) })
	list(p, "verdicts", foldVerdicts(d.Verdicts), func(v verdictLine) {
		p.line("  %-7s  %s %s: %s", v.Effect, verify.Clean(v.Tenant), v.guarantees, strings.TrimSpace(v.arrows()+"  "+v.promise))
	})
	list(p, "findings", foldFindings(d.Findings), p.finding)
	list(p, "network", d.Reach, func(r ReachChange) {
		p.line("  %s %s -> %s  %s%s", sign(r.Gained), verify.Clean(r.From.String()), verify.Clean(r.To.String()), r.Ports, verify.Clean(r.remark()))
	})
	list(p, "objects", d.Objects, func(o ObjectChange) { p.line("  %s", o.line()) })
	return p.err
}

// printer writes lines and remembers the first error.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// list prints a heading and the first entries, if there are any.
func list[T any](p *printer, name string, entries []T, print func(T)) {
	if len(entries) == 0 {
		return
	}
	p.line("")
	p.line("%s", name)
	for _, e := range entries[:min(len(entries), mostLines)] {
		print(e)
	}
	if more := len(entries) - mostLines; more > 0 {
		p.line("  … and %d more (-o json lists all)", more)
	}
}

func (p *printer) finding(f findingLine) {
	p.line("  %s %s: %s %s: %s", sign(f.Appears), verify.Clean(f.rows()), f.Column, f.Verdict, verify.Clean(f.Message))
	for i, e := range f.Evidence {
		if i == mostEvidence {
			p.line("      … and %d more facts", len(f.Evidence)-i)
			break
		}
		p.line("      - %s", evidenceLine(e))
	}
}

func evidenceLine(e guarantee.Evidence) string {
	line := strings.TrimRight(e.Object.String()+" "+e.Field, " ")
	if e.Source != "" {
		line += " (" + e.Source + ")"
	}
	return verify.Clean(line)
}

func sign(more bool) string {
	if more {
		return "+"
	}
	return "-"
}

// remark says what a way means, where it means anything.
func (r ReachChange) remark() string {
	switch {
	case r.Across():
		return fmt.Sprintf("  (across tenants: %s -> %s)", r.From.Tenant, r.To.Tenant)
	case r.Breaks != "":
		return fmt.Sprintf("  (widens what breaks %s of %s)", r.Breaks, r.From.Tenant)
	}
	return ""
}

func (o ObjectChange) line() string {
	line := map[string]string{"added": "+ ", "removed": "- "}[o.Change]
	if line == "" {
		line = "~ "
	}
	line += o.Object.String()
	if len(o.Fields) > 0 {
		line += " " + strings.Join(o.Fields, ", ")
	}
	if o.Source != "" {
		line += " (" + o.Source + ")"
	}
	if o.Cause {
		line += "  <- bears on the changes above"
	}
	return verify.Clean(line)
}

func (d Difference) tenantLines() []string {
	var out []string
	for _, name := range d.Added {
		out = append(out, "+ "+verify.Clean(name))
	}
	for _, name := range d.Gone {
		out = append(out, "- "+verify.Clean(name))
	}
	return out
}

// sentence says what the difference comes to.
func (d Difference) sentence() string {
	counts := d.counts()
	switch d.Outcome {
	case Worse:
		return "Worse: " + counts
	case CannotTell:
		return "It cannot be told whether anything got worse: " + counts
	case NotWorse:
		return "Nothing got worse: " + counts
	}
	if len(d.Objects) > 0 {
		return fmt.Sprintf("No difference for isolation; %s", number(len(d.Objects), "object differs", "objects differ"))
	}
	return "No difference"
}

// counts sums the lists up.
func (d Difference) counts() string {
	effect, appear, gained, across, wider := map[Effect]int{}, 0, 0, 0, 0
	for _, v := range d.Verdicts {
		effect[v.Effect]++
	}
	for _, f := range d.Findings {
		appear += first(f.Appears)
	}
	for _, r := range d.Reach {
		gained += first(r.Gained)
		across += first(r.Gained && r.Across())
		wider += first(r.Breaks != "")
	}
	var parts []string
	add := func(n int, one, many string) {
		if n > 0 {
			parts = append(parts, number(n, one, many))
		}
	}
	add(effect[Worsens], "verdict is worse", "verdicts are worse")
	add(effect[Blurs], "verdict is unknown now", "verdicts are unknown now")
	add(effect[Betters], "verdict is better", "verdicts are better")
	add(effect[Changes], "verdict is of a new promise", "verdicts are of new promises")
	add(appear, "finding is new", "findings are new")
	add(len(d.Findings)-appear, "finding is gone", "findings are gone")
	add(across, "way between tenants opens", "ways between tenants open")
	add(wider, "way opens where a promise is broken", "ways open where promises are broken")
	add(gained-across-wider, "other way opens", "other ways open")
	add(len(d.Reach)-gained, "way closes", "ways close")
	add(len(d.Added), "tenant is new", "tenants are new")
	add(len(d.Gone), "tenant is gone", "tenants are gone")
	add(len(d.Doubts), "doubt", "doubts")
	return strings.Join(parts, ", ")
}

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
