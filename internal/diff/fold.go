package diff

import (
	"fmt"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// findingLine is a finding as people are shown it: one unreadable file makes dozens of
// rows unknown, and is told once.
type findingLine struct {
	FindingChange
	// who are the tenants, each with its guarantees ("acme NET-1, NET-3; globex NET-1").
	who     string
	tenants int
}

// mostTenants is how many tenants a line names.
const mostTenants = 8

// foldFindings puts findings together that say the same of different rows.
func foldFindings(findings []FindingChange) []findingLine {
	var lines []findingLine
	place := map[string]int{}
	last := map[string]string{} // tenant that a line named last
	for _, f := range findings {
		alike := f.Finding
		alike.Guarantee, alike.Tenant = "", ""
		key := fmt.Sprint(f.Appears, f.Column, f.Verdict, f.Message, verify.Identity(alike))
		i, ok := place[key]
		if !ok {
			i = len(lines)
			place[key] = i
			lines = append(lines, findingLine{FindingChange: f})
		}
		lines[i].name(f, ok && last[key] == f.Tenant)
		last[key] = f.Tenant
	}
	return lines
}

// name adds a row, of the tenant that was named last or of another one.
func (l *findingLine) name(f FindingChange, again bool) {
	if !again {
		l.tenants++
	}
	switch {
	case l.tenants > mostTenants:
		return
	case again:
		l.who += ", " + string(f.Guarantee)
		return
	case l.who != "":
		l.who += "; "
	}
	l.who += f.Tenant + " " + string(f.Guarantee)
}

// rows names the rows of the line, as far as there is room.
func (l findingLine) rows() string {
	if more := l.tenants - mostTenants; more > 0 {
		return l.who + "; and " + number(more, "more tenant", "more tenants")
	}
	return l.who
}

// verdictLine is a change of a verdict as people are shown it.
type verdictLine struct {
	VerdictChange
	guarantees, promise string
}

// foldVerdicts puts a tenant's rows together that became unknown in the same way.
func foldVerdicts(verdicts []VerdictChange) []verdictLine {
	var lines []verdictLine
	place := map[string]int{}
	for _, v := range verdicts {
		key := v.Tenant + " " + v.arrows()
		i, ok := place[key]
		if ok && v.Effect == Blurs {
			lines[i].guarantees += ", " + string(v.Guarantee)
			lines[i].promise = ""
			continue
		}
		if v.Effect == Blurs {
			place[key] = len(lines)
		}
		lines = append(lines, verdictLine{v, string(v.Guarantee), v.Promise})
	}
	return lines
}

// arrows are the row's verdicts, and the columns' where only they changed.
func (v VerdictChange) arrows() string {
	if v.Before != v.After {
		return fmt.Sprintf("%s -> %s", named(v.Before), named(v.After))
	}
	var parts []string
	for _, c := range v.Columns {
		parts = append(parts, fmt.Sprintf("%s %s -> %s", c.Column, named(c.Before), named(c.After)))
	}
	return strings.Join(parts, ", ") + fmt.Sprintf(" (the row stays %s)", v.After)
}

// named is a verdict in words: the dash of reports would look like an arrow here.
func named(v guarantee.Verdict) string {
	if v == guarantee.NotPromised {
		return "not promised"
	}
	return string(v)
}
