package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"watertight.dev/watertight/internal/analyze/blast"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// How many chains of a list the text shows; JSON has them all.
const (
	mostChains     = 20
	mostWeakChains = 5
)

// blastPrinter writes lines that nobody's text can forge, and remembers the first error.
type blastPrinter struct {
	out io.Writer
	err error
}

func (p *blastPrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.out, verify.Clean(fmt.Sprintf(format, args...)))
	}
}

// header says where the picture was taken.
func (d *blastDocument) header(p *blastPrinter) {
	p.line("%s", d.Source)
	for _, n := range d.Notes {
		p.line("note: %s", n)
	}
	p.line("")
}

// text prints one report; others is how many other tenants there are.
func (d *blastDocument) text(out io.Writer, others int) error {
	p, r := &blastPrinter{out: out}, d.Report
	d.header(p)
	p.line("tenant %s: %s%s", r.Tenant, atLeast(r.AtLeast), extent(r.Radius, others))
	p.falls(r.Falls, "falls", mostChains)
	switch {
	case r.Fix != nil:
		p.line("")
		p.line("best single change: %s%s", r.Fix.Fix, by(r.Fix.Evidence))
		p.line("  leaves %s%s", atLeast(r.AtLeast), extent(r.Fix.Radius, others))
	case !r.Radius.Zero():
		p.line("")
		p.line("no single change shrinks this: there is a second chain to each of them")
	}
	if r.IfUnseen.Radius != r.Radius {
		p.line("")
		p.line("if something unseen fails too (marked ?): %s%s", atLeast(r.AtLeast), extent(r.IfUnseen.Radius, others))
		p.falls(r.IfUnseen.Falls, "would fall", mostWeakChains)
	}
	p.reached(r.Reached)
	p.unread(r)
	return p.err
}

func atLeast(yes bool) string {
	if yes {
		return "at least "
	}
	return ""
}

// extent says in words how much falls.
func extent(r blast.Radius, others int) string {
	tenants := amount(others, "other tenant")
	if r.ControlPlane {
		return fmt.Sprintf("radius %d: the control plane falls, and all with it: %s, %s, the Secrets of %s", r.Score(), tenants, amount(r.Nodes, "node"), amount(r.Secrets, "namespace"))
	}
	if r.Zero() {
		return fmt.Sprintf("radius 0 of %s: nothing falls with it", tenants)
	}
	return fmt.Sprintf("radius %d of %s, %s, the Secrets of %s, %s of no tenant", r.Score(), tenants, amount(r.Nodes, "node"), amount(r.Secrets, "namespace"), amount(r.Platform, "namespace"))
}

func amount(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// falls prints each thing that falls with its chain.
func (p *blastPrinter) falls(f blast.Falls, verb string, most int) {
	if f.ControlPlane != nil {
		p.chain("the control plane "+verb, f.ControlPlane.Chain)
	}
	for _, list := range []struct {
		what  string
		falls []blast.Fall
		name  func(blast.Fall) string
	}{
		{"tenants", f.Tenants, func(x blast.Fall) string { return "tenant " + x.Tenant }},
		{"nodes", f.Nodes, func(x blast.Fall) string { return x.Place.String() }},
		{"namespaces' Secrets", f.Secrets, func(x blast.Fall) string { return x.Place.String() }},
		{"namespaces of no tenant", f.Platform, func(x blast.Fall) string { return "namespace " + x.Place.Namespace }},
	} {
		for i, fall := range list.falls {
			if i == most {
				p.line("")
				p.line("... and %d more %s (-o json lists them)", len(list.falls)-most, list.what)
				break
			}
			p.chain(list.name(fall)+" "+verb, fall.Chain)
		}
	}
}

// chain prints a step a line.
func (p *blastPrinter) chain(title string, c blast.Chain) {
	p.line("")
	p.line("%s", title)
	for i, s := range c.Steps() {
		if i == 0 {
			p.line("  %s", s.From)
		}
		mark := "→"
		if s.Weak {
			mark = "?"
		}
		p.line("  %s %s: %s [%s]%s", mark, s.To, s.Effect, s.ID, by(s.Evidence))
	}
}

// by names the object and the field that give a step.
func by(e guarantee.Evidence) string {
	if e.Object.Kind == "" {
		return ""
	}
	text := ", by " + e.Object.String()
	if e.Field != "" {
		text += " " + e.Field
	}
	if e.Source != "" {
		text += " (" + e.Source + ")"
	}
	return text
}

// reached prints which tenants packets come to.
func (p *blastPrinter) reached(list []blast.Exposure) {
	if len(list) == 0 {
		return
	}
	p.line("")
	p.line("can send packets to %s, which alone takes nothing:", amount(len(list), "other tenant"))
	for i, x := range list {
		if i == mostChains {
			p.line("")
			p.line("... and %d more tenants (-o json lists them)", len(list)-mostChains)
			break
		}
		p.chain(fmt.Sprintf("tenant %s is reached, in %s", x.Tenant, amount(x.Workloads, "workload")), x.Chain)
	}
}

func (p *blastPrinter) unread(r *blast.Report) {
	if !r.AtLeast {
		return
	}
	p.line("")
	p.line("at least, because")
	for i, problem := range r.Unread {
		if i == mostChains {
			p.line("  ... and %d more (-o json lists them)", len(r.Unread)-mostChains)
			break
		}
		p.line("  %s: %s", problem.Source, problem.Message)
	}
}

// table prints a line per tenant.
func (d *blastDocument) table(out io.Writer, others int) error {
	p := &blastPrinter{out: out}
	d.header(p)
	if p.err != nil {
		return p.err
	}
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintf(w, "TENANT\tRADIUS (OF %d)\tCONTROL PLANE\tNODES\tSECRETS\tPLATFORM\tIF UNSEEN FAILS\tREACHED\tBEST SINGLE CHANGE\n", others)
	for _, s := range d.Summaries {
		plane, change := "-", "-"
		if s.Radius.ControlPlane {
			plane = "falls"
		}
		if s.Fix != nil {
			change = fmt.Sprintf("%s%s: leaves %d", s.Fix.Fix, by(s.Fix.Evidence), s.Fix.Score)
		}
		fmt.Fprintf(w, "%s\t%s%d\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", verify.Clean(s.Tenant), atLeast(s.AtLeast), s.Score, plane,
			s.Radius.Nodes, s.Radius.Secrets, s.Radius.Platform, s.IfUnseen.Score(), s.Reached, verify.Clean(change))
	}
	return w.Flush()
}
