package guarantee

import (
	"regexp"
	"testing"
)

func TestWorst(t *testing.T) {
	for _, c := range []struct {
		verdicts []Verdict
		want     Verdict
	}{
		{nil, Unknown},
		{[]Verdict{NotAsked}, Unknown},
		{[]Verdict{NotPromised, NotAsked}, Unknown},
		{[]Verdict{Holds, NotAsked}, Holds},
		{[]Verdict{Holds, Unknown}, Unknown},
		{[]Verdict{Unknown, Broken, Holds}, Broken},
		{[]Verdict{Holds, "nonsense"}, Unknown},
	} {
		got := Worst(c.verdicts...)
		if got != c.want {
			t.Errorf("Worst(%q) = %q, want %q", c.verdicts, got, c.want)
		}
	}
}

// TestCatalog: IDs are unique and well-formed, and every guarantee says what it promises
// and where that comes from.
func TestCatalog(t *testing.T) {
	id := regexp.MustCompile(`^(API|NET|KRN|GPU|CAP|IDN)-[1-9][0-9]?$`)
	seen := map[ID]bool{}
	for _, g := range All() {
		if !id.MatchString(string(g.ID)) || seen[g.ID] {
			t.Errorf("ID %q is malformed or used twice", g.ID)
		}
		seen[g.ID] = true
		if g.Sentence == "" || g.Sentence[len(g.Sentence)-1] == '.' || len(g.References) == 0 || g.Boundary == "" {
			t.Errorf("%s lacks a sentence without full stop, a reference or a boundary", g.ID)
		}
		if got, ok := Get(g.ID); !ok || got.Sentence != g.Sentence {
			t.Errorf("Get(%s) = %v, %v", g.ID, got, ok)
		}
	}
	if _, ok := Get("NET-99"); ok {
		t.Error("Get finds a guarantee that does not exist")
	}
}

func TestSort(t *testing.T) {
	findings := []Finding{
		{Tenant: "b", Guarantee: API1, Verdict: Broken},
		{Tenant: "a", Guarantee: NET1, Verdict: Broken},
		{Tenant: "a", Guarantee: API1, Verdict: Holds},
		{Tenant: "a", Guarantee: API1, Verdict: Broken, Message: "z"},
		{Tenant: "a", Guarantee: API1, Verdict: Broken, Message: "y"},
	}
	Sort(findings)
	want := []string{"aAPI-1brokeny", "aAPI-1brokenz", "aAPI-1holds", "aNET-1broken", "bAPI-1broken"}
	for i, f := range findings {
		if got := f.Tenant + string(f.Guarantee) + string(f.Verdict) + f.Message; got != want[i] {
			t.Errorf("place %d: got %s, want %s", i, got, want[i])
		}
	}
}
