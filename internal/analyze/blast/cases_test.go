package blast

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

var update = flag.Bool("update", false, "write what was found into the cases")

// TestCases: a case explains itself, then has manifests, the edges that analyzers would
// find ("FROM -> TO: ID, weak, NET-1, fix Kind name"), and what falls.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runCase(t, file) })
	}
}

func runCase(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, f := range archive.Files {
		content[f.Name] = string(f.Data)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.yaml"), []byte(content["in.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load.Folder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range strings.Fields(content["forbidden"]) {
		s = s.WithProblems(snapshot.Problem{Source: strings.ToLower(kind) + "s", Kind: kind, Message: "may not be listed (403)"})
	}
	var edges []analyze.Edge
	for line := range strings.Lines(content["edges"]) {
		edges = append(edges, parseEdge(t, line))
	}
	g, got := New(s, edges), ""
	for _, tenant := range g.Tenants() {
		report, err := g.Of(tenant)
		if err != nil {
			t.Fatal(err)
		}
		got += describe(report)
	}
	if *update {
		last := &archive.Files[len(archive.Files)-1]
		if last.Name != "want" {
			archive.Files = append(archive.Files, txtar.File{Name: "want"})
			last = &archive.Files[len(archive.Files)-1]
		}
		last.Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(content["want"], got); diff != "" && !*update {
		t.Errorf("differs (-want +got); -update writes it:\n%s", diff)
	}
}

// parseEdge reads "Workload a-x/web -> Node n1: Privileged, weak, KRN-1, fix Pod web".
func parseEdge(t *testing.T, line string) analyze.Edge {
	t.Helper()
	ends, facts, ok := strings.Cut(strings.TrimSpace(line), ": ")
	from, to, arrow := strings.Cut(ends, " -> ")
	if !ok || !arrow {
		t.Fatalf("edge %q: write FROM -> TO: ID", line)
	}
	e := analyze.Edge{From: parsePlace(t, from), To: parsePlace(t, to)}
	for i, fact := range strings.Split(facts, ", ") {
		fix, isFix := strings.CutPrefix(fact, "fix ")
		switch {
		case i == 0:
			e.ID, e.Effect = fact, "does "+fact
		case fact == "weak":
			e.Weak = true
		case isFix:
			kind, name, _ := strings.Cut(fix, " ")
			e.Fix, e.Evidence = "mend "+fix, guarantee.Evidence{Object: guarantee.Ref{Kind: kind, Name: name}, Field: "spec"}
		default:
			e.Guarantee = guarantee.ID(fact)
		}
	}
	return e
}

func parsePlace(t *testing.T, text string) analyze.Place {
	t.Helper()
	kind, rest, _ := strings.Cut(text, " ")
	switch kind {
	case "User", "Group":
		return identity(text)
	case "Namespace", "Secrets":
		return analyze.Place{Kind: analyze.PlaceKind(kind), Namespace: strings.TrimPrefix(rest, "*")}
	case "Node", "Network", "ControlPlane":
		return analyze.Place{Kind: analyze.PlaceKind(kind), Name: strings.TrimPrefix(rest, "*")}
	case "Workload", "Identity":
		ns, name, _ := strings.Cut(rest, "/")
		return analyze.Place{Kind: analyze.PlaceKind(kind), Namespace: ns, Name: name}
	}
	t.Fatalf("place %q", text)
	return analyze.Place{}
}

// describe prints a report in few words.
func describe(r Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Tenant, numbers(r.Radius, r.AtLeast))
	for _, p := range r.Unread {
		fmt.Fprintf(&b, "  unread %s: %s\n", p.Source, p.Message)
	}
	describeFalls(&b, r.Falls)
	if r.Fix != nil {
		fmt.Fprintf(&b, "  %s: %s\n", r.Fix.Fix, numbers(r.Fix.Radius, false))
	}
	if r.IfUnseen.Radius != r.Radius {
		fmt.Fprintf(&b, "  if unseen: %s\n", numbers(r.IfUnseen.Radius, false))
		describeFalls(&b, r.IfUnseen.Falls)
	}
	for _, x := range r.Reached {
		fmt.Fprintf(&b, "  reaches %d workloads of %s: %s\n", x.Workloads, x.Tenant, words(x.Chain))
	}
	return b.String()
}

func numbers(r Radius, atLeast bool) string {
	text := fmt.Sprintf("%d tenants, %d nodes, %d secrets, %d platform", r.Tenants, r.Nodes, r.Secrets, r.Platform)
	if atLeast {
		text = "at least " + text
	}
	if r.ControlPlane {
		text += ", control plane"
	}
	return text
}

func describeFalls(b *strings.Builder, f Falls) {
	if f.ControlPlane != nil {
		fmt.Fprintf(b, "  control plane: %s\n", words(f.ControlPlane.Chain))
	}
	for _, x := range f.Tenants {
		fmt.Fprintf(b, "  tenant %s: %s\n", x.Tenant, words(x.Chain))
	}
	for _, x := range f.Nodes {
		fmt.Fprintf(b, "  node: %s\n", words(x.Chain))
	}
	for _, x := range f.Secrets {
		fmt.Fprintf(b, "  secrets: %s\n", words(x.Chain))
	}
	for _, x := range f.Platform {
		fmt.Fprintf(b, "  platform: %s\n", words(x.Chain))
	}
}

func words(c Chain) string {
	text := ""
	for i, s := range c.Steps() {
		if i == 0 {
			text = s.From.String()
		}
		mark := "-"
		if s.Weak {
			mark = "?"
		}
		text += fmt.Sprintf(" %s%s> %s", mark, s.ID, s.To)
	}
	return text
}

// TestLongChain: thousands of changes on one chain take neither long nor much memory, and
// one that ends it is found.
func TestLongChain(t *testing.T) {
	s := (&snapshot.Snapshot{}).With(&v1alpha1.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec:       v1alpha1.TenantSpec{Namespaces: []v1alpha1.TenantNamespace{{Name: "x"}}},
	})
	const length = 20000
	var edges []analyze.Edge
	at := account("acme-x", "ci")
	for i := range length {
		next := identity(fmt.Sprintf("User u%05d", i))
		if i == length-1 {
			next = analyze.Place{Kind: analyze.PlaceCluster}
		}
		edges = append(edges, analyze.Edge{From: at, To: next, ID: "Impersonate", Fix: "mend it", Evidence: guarantee.Evidence{
			Object: guarantee.Ref{Kind: "RoleBinding", Name: fmt.Sprintf("r%05d", i)}}})
		at = next
	}
	r, err := New(s, edges).Of("acme")
	if err != nil {
		t.Fatal(err)
	}
	if !r.Radius.ControlPlane || len(r.Falls.ControlPlane.Chain.Steps()) != length || r.Fix == nil || !r.Fix.Radius.Zero() {
		t.Errorf("radius %+v, fix %+v", r.Radius, r.Fix)
	}
}
