// Package analyzetest runs an analyzer over test cases that read like explanations: txtar
// files that hold manifests and the findings that are wanted. It is for tests only.
package analyzetest

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
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

var update = flag.Bool("update", false, "write what was found into the cases")

// wanted is the file of a case that holds the findings, a line each.
const wanted = "want"

// base holds the manifests that all cases of a package share.
const base = "testdata/base.yaml"

// Cases runs every case of testdata. A case's manifests are added to those of
// testdata/base.yaml, or take their place.
func Cases(t *testing.T, a analyze.Analyzer) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runCase(t, file, a) })
	}
}

func runCase(t *testing.T, file string, a analyze.Analyzer) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := describe(a.Run(caseSnapshot(t, archive)))
	i := len(archive.Files) - 1
	if i < 0 || archive.Files[i].Name != wanted {
		archive.Files = append(archive.Files, txtar.File{Name: wanted})
		i++
	}
	if *update {
		archive.Files[i].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
		t.Errorf("findings differ (-want +got); -update writes them:\n%s", diff)
	}
}

// caseSnapshot is the base with what the case adds or replaces. A file called live
// stands for a live cluster, one called forbidden names kinds that may not be listed.
func caseSnapshot(t *testing.T, archive *txtar.Archive) *snapshot.Snapshot {
	t.Helper()
	dir := t.TempDir()
	s := &snapshot.Snapshot{}
	live := false
	var forbidden []snapshot.Problem
	manifests := 0
	for _, f := range archive.Files {
		switch f.Name {
		case "live":
			live = true
		case "forbidden":
			for _, kind := range strings.Fields(string(f.Data)) {
				forbidden = append(forbidden, snapshot.Problem{Source: strings.ToLower(kind), Kind: kind, Message: kind + " may not be listed (403)"})
			}
		case wanted:
		default:
			manifests++
			archiveFile(t, dir, f.Name, f.Data)
		}
	}
	if _, err := os.Stat(base); err == nil {
		s = folder(t, base)
	}
	if manifests > 0 {
		s = overlay(s, folder(t, dir))
	}
	if len(forbidden) > 0 {
		s = without(s, forbidden)
	}
	if live {
		s.Origin = snapshot.OriginLive
	}
	return s
}

func folder(t *testing.T, dir string) *snapshot.Snapshot {
	t.Helper()
	s, err := load.Folder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// without is a snapshot whose loader was not allowed to list some kinds.
func without(s *snapshot.Snapshot, forbidden []snapshot.Problem) *snapshot.Snapshot {
	out := (&snapshot.Snapshot{}).WithProblems(forbidden...)
	for _, k := range snapshot.Kinds() {
		if len(out.Missing(k.Kind)) > 0 {
			continue
		}
		for _, o := range k.Of(s) {
			out = out.With(o)
		}
	}
	return out.WithSources(s.Sources).WithProblems(s.Problems...)
}

// overlay is the first snapshot with everything of the second.
func overlay(s, more *snapshot.Snapshot) *snapshot.Snapshot {
	var objects []runtime.Object
	for _, k := range snapshot.Kinds() {
		for _, o := range k.Of(more) {
			objects = append(objects, o)
		}
	}
	for _, w := range more.Workloads {
		objects = append(objects, w.Object)
	}
	for _, o := range more.Others {
		objects = append(objects, o)
	}
	return s.With(objects...).WithSources(more.Sources).WithProblems(more.Problems...)
}

func archiveFile(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// describe prints a line per finding that is not simply holds: tenant, guarantee,
// verdict, reason, and the object and field of the first evidence. What holds is listed
// at the end, so that a case shows what it leaves alone.
func describe(findings []guarantee.Finding) string {
	var b strings.Builder
	holds := map[string][]string{}
	var tenants []string
	for _, f := range findings {
		if f.Verdict == guarantee.Holds {
			if holds[f.Tenant] == nil {
				tenants = append(tenants, f.Tenant)
			}
			holds[f.Tenant] = append(holds[f.Tenant], string(f.Guarantee))
			continue
		}
		fmt.Fprintf(&b, "%s %s %s %s", f.Tenant, f.Guarantee, f.Verdict, f.Reason)
		if len(f.Evidence) > 0 {
			fmt.Fprintf(&b, ": %s %s", f.Evidence[0].Object, f.Evidence[0].Field)
		}
		b.WriteString("\n")
	}
	for _, t := range tenants {
		fmt.Fprintf(&b, "%s holds %s\n", t, strings.Join(holds[t], " "))
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}
