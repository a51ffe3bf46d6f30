package blast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// oracle answers slowly, out of the definitions: it knows no numbers, no tree and no
// sets of changes.
type oracle struct {
	s     *snapshot.Snapshot
	edges []analyze.Edge
	// removed is what a change takes away: all edges with that object and field.
	removed *guarantee.Evidence
}

// cost is how many weak steps, and how many steps, a place takes.
type cost struct{ weak, steps int }

func (c cost) less(d cost) bool { return c.weak < d.weak || c.weak == d.weak && c.steps < d.steps }

// belongs reports whose credential or place it is; an identity may be several tenants'.
func (o oracle) belongs(p analyze.Place) []string {
	if t := o.s.TenantOf(p.Namespace); p.Namespace != "" && t != "" {
		return []string{t}
	}
	var out []string
	for _, t := range o.s.Tenants {
		mine := p == analyze.Place{Kind: "Identity", Namespace: "watertight-system", Name: "owner-" + t.Name}
		for _, w := range t.Spec.Owners {
			mine = mine || p == analyze.Place{Kind: "Identity", Namespace: w.Namespace, Name: w.Kind + " " + w.Name} ||
				w.Kind == "ServiceAccount" && p == analyze.Place{Kind: "Identity", Namespace: w.Namespace, Name: w.Name}
		}
		if mine {
			out = append(out, t.Name)
		}
	}
	return out
}

// held reports whether an attacker in the tenant holds a place from the start.
func (o oracle) held(tenant string, p analyze.Place) bool {
	if slices.Contains(o.belongs(p), tenant) {
		return true
	}
	if ns, ok := strings.CutPrefix(p.Name, "Group system:serviceaccounts:"); ok && o.s.TenantOf(ns) == tenant {
		return true
	}
	for _, t := range o.s.Tenants { // an owner that lies in another tenant's namespace
		for _, w := range t.Spec.Owners {
			if t.Name == tenant && w.Kind == "ServiceAccount" && p == (analyze.Place{Kind: "Identity", Namespace: w.Namespace, Name: w.Name}) {
				return true
			}
		}
	}
	return slices.Contains([]string{"Group system:authenticated", "Group system:unauthenticated", "Group system:serviceaccounts", "User system:anonymous"}, p.Name)
}

// all are the edges with those that the places imply.
func (o oracle) all() []analyze.Edge {
	out := slices.Clone(o.edges)
	places := map[analyze.Place]bool{}
	add := func(from, to analyze.Place, e analyze.Edge) {
		e.From, e.To = from, to
		out = append(out, e)
	}
	for _, t := range o.s.Tenants {
		for i, w := range t.Spec.Owners {
			from := analyze.Place{Kind: "Identity", Namespace: w.Namespace, Name: w.Kind + " " + w.Name}
			if w.Kind == "ServiceAccount" {
				from.Name = w.Name
			}
			for _, ns := range o.s.NamespacesOf(t.Name) {
				add(from, analyze.Place{Kind: "Namespace", Namespace: ns}, analyze.Edge{Fix: "x", Evidence: guarantee.Evidence{
					Object: guarantee.Ref{APIVersion: "watertight.dev/v1alpha1", Kind: "Tenant", Name: t.Name}, Field: fmt.Sprintf("spec.owners[%d]", i)}})
			}
		}
	}
	for _, e := range out {
		places[e.From], places[e.To] = true, true
	}
	group := func(name string) analyze.Place { return analyze.Place{Kind: "Identity", Name: "Group " + name} }
	for p := range places {
		switch {
		case p.Kind == "Node" && p.Name == "":
			for _, n := range o.s.Nodes {
				to := analyze.Place{Kind: "Node", Name: n.Name}
				if !slices.ContainsFunc(o.edges, func(e analyze.Edge) bool { return e.From == p && e.To == to }) {
					add(p, to, analyze.Edge{})
				}
			}
		case p.Kind == "Secrets" && p.Namespace == "":
			for _, ns := range o.s.NamespaceNames() {
				add(p, analyze.Place{Kind: "Secrets", Namespace: ns}, analyze.Edge{})
			}
		case p.Kind == "Namespace" || p.Kind == "Identity" && p.Namespace != "":
			add(p, group("system:serviceaccounts:"+p.Namespace), analyze.Edge{})
			add(p, group("system:serviceaccounts"), analyze.Edge{})
			add(p, group("system:authenticated"), analyze.Edge{})
		case p.Kind == "Identity" && p.Name != "User system:anonymous":
			add(p, group("system:authenticated"), analyze.Edge{})
		}
	}
	return slices.DeleteFunc(out, func(e analyze.Edge) bool {
		return o.removed != nil && e.Fix != "" && e.Evidence.Object == o.removed.Object && e.Evidence.Field == o.removed.Field
	})
}

func isWeak(e analyze.Edge) bool {
	return e.To.Kind != "Network" && (e.Weak || e.From.Kind == "Network")
}

// costs relaxes every edge until nothing changes.
func (o oracle) costs(tenant string) map[analyze.Place]cost {
	edges := o.all()
	at := map[analyze.Place]cost{}
	for _, e := range edges {
		for _, p := range []analyze.Place{e.From, e.To} {
			if o.held(tenant, p) {
				at[p] = cost{}
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, e := range edges {
			from, ok := at[e.From]
			if !ok || e.From.Kind == "ControlPlane" {
				continue
			}
			c := cost{from.weak, from.steps + 1}
			if isWeak(e) {
				c.weak++
			}
			if now, known := at[e.To]; !known || c.less(now) {
				at[e.To], changed = c, true
			}
		}
	}
	return at
}

// prizesAt maps what counts to the cheapest place that takes it.
func (o oracle) prizesAt(tenant string, costs map[analyze.Place]cost, mostWeak int) map[string]cost {
	out := map[string]cost{}
	note := func(key string, c cost) {
		if now, known := out[key]; !known || c.less(now) {
			out[key] = c
		}
	}
	for p, c := range costs {
		if c.weak > mostWeak || o.held(tenant, p) || p.Kind == "Network" {
			continue
		}
		owners := o.belongs(p)
		if len(owners) == 1 {
			note("tenant "+owners[0], c)
		}
		switch p.Kind {
		case "ControlPlane":
			note("plane", c)
		case "Node":
			if p.Name != "" {
				note("node "+p.Name, c)
			}
		case "Secrets":
			if p.Namespace != "" {
				note("secrets "+p.Namespace, c)
			}
		}
		if p.Namespace != "" && len(owners) != 1 {
			note("platform "+p.Namespace, c)
		}
	}
	return out
}

// radius counts what is taken with at most that many weak steps.
func (o oracle) radius(tenant string, mostWeak int) Radius {
	taken := o.prizesAt(tenant, o.costs(tenant), mostWeak)
	var r Radius
	for key := range taken {
		switch kind, _, _ := strings.Cut(key, " "); kind {
		case "tenant":
			r.Tenants++
		case "node":
			r.Nodes++
		case "secrets":
			r.Secrets++
		case "platform":
			r.Platform++
		case "plane":
			r.ControlPlane = true
		}
	}
	if r.ControlPlane {
		r.Tenants, r.Nodes = len(o.s.Tenants)-1, len(o.s.Nodes)
		r.Secrets = len(o.s.NamespaceNames()) - len(o.s.NamespacesOf(tenant))
		r.Platform = 1
	}
	return r
}

// TestOracle compares random graphs.
func TestOracle(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		s, edges := randomGraph(r)
		o := oracle{s: s, edges: edges}
		g := New(s, edges)
		for _, tenant := range s.Tenants {
			report, err := g.Of(tenant.Name)
			if err != nil {
				t.Fatal(err)
			}
			for _, complaint := range o.disagree(report) {
				t.Errorf("seed %d, tenant %s: %s", seed, tenant.Name, complaint)
			}
		}
		if t.Failed() {
			for _, e := range edges {
				t.Logf("%s -> %s weak=%v %s fix %s", e.From, e.To, e.Weak, e.Guarantee, e.Evidence.Object)
			}
			return
		}
	}
}

// TestOrder: neither the order of the edges nor earlier answers change a report.
func TestOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 8))
		s, edges := randomGraph(r)
		mixed := slices.Clone(edges)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		a, b := New(s, edges), New(s, mixed)
		first := reportsJSON(t, a, s)
		if diff := cmp.Diff(first, reportsJSON(t, a, s)); diff != "" {
			t.Fatalf("seed %d: asked twice:\n%s", seed, diff)
		}
		if diff := cmp.Diff(first, reportsJSON(t, b, s)); diff != "" {
			t.Fatalf("seed %d: with the edges in another order:\n%s", seed, diff)
		}
	}
}

func reportsJSON(t *testing.T, g *Graph, s *snapshot.Snapshot) string {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", " ")
	for _, tenant := range s.Tenants {
		report, err := g.Of(tenant.Name)
		if err == nil {
			err = e.Encode(report)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}
