package services

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watertight.dev/watertight/internal/analyze/services/address"
)

// TestEveryRuleIsTried: each rule is found in a case, with its verdict, and says what a
// reader needs. That cases leave alone what is in order shows in their last lines.
func TestEveryRuleIsTried(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, want, _ := strings.Cut(string(text), "-- want --\n")
		for line := range strings.Lines(want) {
			if words := strings.Fields(line); len(words) > 3 && words[1] == "NET-2" {
				found[words[2]+" "+strings.TrimSuffix(words[3], ":")] = true
			}
		}
	}
	seen := map[string]bool{}
	for _, r := range Rules() {
		if !found[string(r.Verdict)+" "+r.ID] {
			t.Errorf("no case finds that %s is %s", r.ID, r.Verdict)
		}
		if seen[r.ID] || r.Effect == "" || r.Fix == "" || r.Reference == "" {
			t.Errorf("%+v is there twice or lacks something", r)
		}
		seen[r.ID] = true
	}
	for what := range found {
		if _, id, _ := strings.Cut(what, " "); !seen[id] && id != "NotRead" {
			t.Errorf("%s is found and no rule of the list", id)
		}
	}
}

// TestAnnotations keeps the table in order: nothing stands behind a prefix that takes it.
func TestAnnotations(t *testing.T) {
	for _, a := range known {
		key := strings.TrimSuffix(a.key, "*")
		got, ok := annotationOf(key + strings.Repeat("x", len(a.key)-len(key)))
		if !ok || got.key != a.key || a.reference == "" {
			t.Errorf("%s: found %+v", a.key, got)
		}
	}
	if a, ok := annotationOf("example.com/server-snippet"); ok {
		t.Errorf("found %+v", a)
	}
}

// TestNodeIn finds a node in a block and not in its exceptions.
func TestNodeIn(t *testing.T) {
	p := newPlaces(nodes("10.0.0.1", "10.0.1.1", "fd00::1"))
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.1", "10.0.1.0/24": "10.0.1.1", "10.0.2.0/24": "", "fd00::/8": "fd00::1", "0.0.0.0/0": "10.0.0.1",
	} {
		ip, ok := p.nodeIn(prefix(text), nil)
		if ok != (want != "") || ok && ip.String() != want {
			t.Errorf("%s: %v %v", text, ip, ok)
		}
	}
	if ip, _ := p.nodeIn(prefix("10.0.0.0/8"), prefixes("10.0.0.0/24")); ip != address.Read("10.0.1.1")[0] {
		t.Errorf("got %v", ip)
	}
	if ip, ok := p.nodeIn(prefix("10.0.0.0/8"), prefixes("10.0.0.0/23")); ok {
		t.Errorf("got %v", ip)
	}
}
