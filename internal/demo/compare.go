package demo

import (
	"slices"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// culprit is an object, and the fields of it, that break a guarantee.
type culprit struct {
	object string
	fields []string
}

// culpritsOf lists the objects that a broken row rests on.
func culpritsOf(r verify.Row) []culprit {
	var out []culprit
	for _, c := range r.Columns() {
		for _, f := range c.Findings {
			if f.Verdict != guarantee.Broken {
				continue
			}
			for _, e := range f.Evidence {
				i := slices.IndexFunc(out, func(c culprit) bool { return c.object == e.Object.String() })
				if i < 0 {
					i = len(out)
					out = append(out, culprit{object: e.Object.String()})
				}
				if e.Field != "" && !slices.Contains(out[i].fields, e.Field) {
					out[i].fields = append(out[i].fields, e.Field)
				}
			}
		}
	}
	return out
}

// breach is one object that breaks one guarantee of one tenant.
type breach struct {
	tenant    string
	guarantee guarantee.ID
	object    string
}

func (b breach) String() string { return b.tenant + " " + string(b.guarantee) + ": " + b.object }

// breaks lists the breaches of a report, each once. Fields are left out: where a rule
// stands in a role differs between a manifest and a server.
func breaks(report verify.Report) []breach {
	var out []breach
	for _, t := range report.Tenants {
		for _, r := range t.Rows {
			for _, c := range culpritsOf(r) {
				out = append(out, breach{t.Tenant, r.Guarantee, c.object})
			}
		}
	}
	return out
}

// sameAs says whether a breach that was found is the one that was planted. A cluster has
// the pods of a workload where a folder has the workload.
func (b breach) sameAs(planted breach) bool {
	if b.tenant != planted.tenant || b.guarantee != planted.guarantee {
		return false
	}
	pod, isPod := strings.CutPrefix(b.object, "Pod ")
	_, workload, _ := strings.Cut(planted.object, " ")
	return b.object == planted.object || isPod && strings.HasPrefix(pod, workload+"-")
}

// compare says which planted mistakes were found, and what else is broken.
func (d *Demo) compare(planted, found []breach, refused []string) {
	var missed, impossible []breach
	for _, p := range planted {
		switch {
		case slices.ContainsFunc(found, func(f breach) bool { return f.sameAs(p) }):
		case slices.Contains(refused, p.object):
			impossible = append(impossible, p)
		default:
			missed = append(missed, p)
		}
	}
	extra := slices.DeleteFunc(slices.Clone(found), func(f breach) bool { return slices.ContainsFunc(planted, f.sameAs) })
	d.say("\n  found on the live cluster: %d of the %d breaches that verify -f examples/leaky names", len(planted)-len(missed)-len(impossible), len(planted))
	d.say("  otherwise than in the folder: pods stand for the Deployments that made them, and the API server keeps the\n" +
		"  rules of its own ClusterRole edit, of which the manifest shows a few")
	for _, b := range impossible {
		d.say("  - not there to be found, this server did not take it: %s", b)
	}
	for _, b := range missed {
		d.say("  %s not found: %s", d.bad("✗"), b)
		d.surprise("a planted mistake was not found: %s", b)
	}
	for _, b := range extra {
		d.say("  + broken here and not in the folder: %s", b)
	}
}
