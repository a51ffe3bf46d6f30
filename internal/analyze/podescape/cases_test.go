package podescape

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

var update = flag.Bool("update", false, "write the edges that were found into the cases")

// TestCases: a case is an explanation, manifests, and the edges. A weak edge is in
// brackets; the place of a node whose name is empty is "any Node". A file called only
// names the rules that the case is about; a file called live makes it a live picture.
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
	last := len(archive.Files) - 1
	if archive.Files[last].Name != "want" {
		archive.Files = append(archive.Files, txtar.File{Name: "want"})
		last++
	}
	dir := t.TempDir()
	live := false
	var only []string
	for _, f := range archive.Files[:last] {
		switch f.Name {
		case "only":
			only = strings.Fields(string(f.Data))
		case "live":
			live = true
		default:
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := load.Folder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Problems) > 0 {
		t.Fatalf("the case does not load: %v", s.Problems)
	}
	if live {
		s.Origin = snapshot.OriginLive
	}
	got := describe(s, only)
	if *update {
		archive.Files[last].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(archive.Files[last].Data), got); diff != "" {
		t.Errorf("edges differ (-want +got); -update writes them:\n%s", diff)
	}
}

func describe(s *snapshot.Snapshot, only []string) string {
	var lines []string
	for e := range every(s) {
		if len(only) > 0 && !slices.Contains(only, e.ID) {
			continue
		}
		id := e.ID
		if e.Weak {
			id = "(" + e.ID + ")"
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s: %s -> %s: %s %s", id, e.From, e.To, e.Evidence.Object, e.Evidence.Field)))
	}
	return strings.Join(lines, "\n") + "\n"
}

// every is the edges as an iterator.
func every(s *snapshot.Snapshot) func(func(analyze.Edge) bool) {
	return func(yield func(analyze.Edge) bool) { Edges(s, yield) }
}
