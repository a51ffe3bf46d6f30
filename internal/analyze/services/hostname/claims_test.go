package hostname_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watertight.dev/watertight/internal/analyze/services/hostname"
)

func claim(id int, owner, host, path string) hostname.Claim {
	return hostname.Claim{ID: id, Owner: owner, Host: host, Path: hostname.Path{Text: path}}
}

func describe(list []hostname.Conflict) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%d<%d", c.ID, c.Other)
		for mark, set := range map[string]bool{"!": c.Sure, "?": c.Vague} {
			if set {
				b.WriteString(mark)
			}
		}
		b.WriteString(" ")
	}
	return strings.TrimSpace(b.String())
}

// TestConflicts: who is charged with whose name.
func TestConflicts(t *testing.T) {
	aged := func(c hostname.Claim, since int64) hostname.Claim { c.Since = since; return c }
	keyed := func(c hostname.Claim, key string) hostname.Claim { c.Since, c.Key = 9, key; return c }
	oneLabel := func(c hostname.Claim) hostname.Claim { c.OneLabel = true; return c }
	regex := func(c hostname.Claim) hostname.Claim { c.Path.Vague = true; return c }
	exact := func(c hostname.Claim) hostname.Claim { c.Path.Exact = true; return c }
	for name, c := range map[string]struct {
		claims []hostname.Claim
		want   string
	}{
		"the younger is charged":             {[]hostname.Claim{aged(claim(0, "a", "x.example", "/"), 2), aged(claim(1, "b", "x.example", "/"), 1)}, "0<1!"},
		"ages unknown: both":                 {[]hostname.Claim{claim(0, "a", "x.example", "/"), claim(1, "b", "x.example", "/")}, "0<1 1<0"},
		"one age unknown: both":              {[]hostname.Claim{aged(claim(0, "a", "x.example", "/"), 2), claim(1, "b", "x.example", "/")}, "0<1 1<0"},
		"equal ages: by name":                {[]hostname.Claim{keyed(claim(0, "a", "x.example", "/"), "n/a"), keyed(claim(1, "b", "x.example", "/"), "n/b")}, "1<0!"},
		"one's own is no conflict":           {[]hostname.Claim{claim(0, "a", "x.example", "/"), claim(1, "a", "x.example", "/")}, ""},
		"the platform is never charged":      {[]hostname.Claim{claim(0, "", "x.example", "/"), aged(claim(1, "b", "x.example", "/"), 1)}, "1<0!"},
		"the platform's wildcard gives way":  {[]hostname.Claim{claim(0, "", "*.example", "/"), claim(1, "b", "x.example", "/")}, ""},
		"paths apart":                        {[]hostname.Claim{claim(0, "a", "x.example", "/a"), claim(1, "b", "x.example", "/b"), claim(2, "c", "x.example", "/ab")}, ""},
		"a path below":                       {[]hostname.Claim{aged(claim(0, "a", "x.example", "/a"), 1), aged(claim(1, "b", "x.example", "/a/b/"), 2)}, "1<0!"},
		"a path above":                       {[]hostname.Claim{aged(claim(0, "a", "x.example", "/a"), 2), aged(claim(1, "b", "x.example", "/a/b/"), 1)}, "0<1!"},
		"an exact path, and one below it":    {[]hostname.Claim{exact(claim(0, "a", "x.example", "/a")), claim(1, "b", "x.example", "/a/b")}, ""},
		"a regular expression":               {[]hostname.Claim{regex(claim(0, "a", "x.example", "/")), claim(1, "b", "x.example", "/b")}, "0<1? 1<0?"},
		"a wildcard above, one label":        {[]hostname.Claim{oneLabel(claim(0, "a", "*.example", "/")), claim(1, "b", "x.example", "/")}, "0<1 1<0"},
		"two labels, where one is meant":     {[]hostname.Claim{oneLabel(claim(0, "a", "*.example", "/")), claim(1, "b", "y.x.example", "/")}, ""},
		"two labels under a deep wildcard":   {[]hostname.Claim{claim(0, "a", "*.example", "/"), claim(1, "b", "y.x.example", "/")}, "0<1 1<0"},
		"wildcard in wildcard":               {[]hostname.Claim{claim(0, "a", "*.example", "/"), oneLabel(claim(1, "b", "*.x.example", "/"))}, "0<1 1<0"},
		"the name itself is not below":       {[]hostname.Claim{claim(0, "a", "*.x.example", "/"), claim(1, "b", "x.example", "/")}, ""},
		"the same wildcard, paths apart":     {[]hostname.Claim{claim(0, "a", "*.example", "/a"), claim(1, "b", "*.example", "/b")}, ""},
		"deeper than paths are compared":     {[]hostname.Claim{claim(0, "a", "x.example", strings.Repeat("/s", 99)), claim(1, "b", "x.example", strings.Repeat("/s", 98))}, "0<1? 1<0?"},
		"a third's older claim is the other": {[]hostname.Claim{aged(claim(0, "a", "x.example", "/"), 3), aged(claim(1, "b", "x.example", "/"), 2), aged(claim(2, "c", "x.example", "/"), 1)}, "0<2! 1<2!"},
	} {
		if diff := cmp.Diff(c.want, describe(hostname.NewClaims(c.claims).Conflicts())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestConflictsAsPairs compares the index with a look at every pair.
func TestConflictsAsPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hosts := []string{"*.example", "a.example", "b.a.example", "*.a.example", "c.b.a.example", "example", "*.b.a.example", "a.other"}
	paths := []string{"/", "/x", "/x/y", "/z", "/x/y/z"}
	for range 3000 {
		var list []hostname.Claim
		for i := range 1 + r.IntN(7) {
			list = append(list, hostname.Claim{
				ID: i, Owner: []string{"", "a", "b", "c"}[r.IntN(4)], Host: hosts[r.IntN(len(hosts))], OneLabel: r.IntN(2) == 0,
				Path:  hostname.Path{Text: paths[r.IntN(len(paths))], Exact: r.IntN(3) == 0},
				Since: int64(r.IntN(4)), Key: []string{"", "n/" + fmt.Sprint(i)}[r.IntN(2)],
			})
		}
		want := map[int]bool{}
		for _, c := range list {
			for _, o := range list {
				if c.Owner != "" && c.Owner != o.Owner && meet(c, o) && !after(o, c) {
					want[c.ID] = true
				}
			}
		}
		got := map[int]bool{}
		for _, c := range hostname.NewClaims(list).Conflicts() {
			got[c.ID] = true
			if !meet(list[c.ID], list[c.Other]) {
				t.Fatalf("%+v: %+v do not meet", c, list)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v: %s", list, diff)
		}
	}
}

// after: a is known to be the younger.
func after(a, b hostname.Claim) bool {
	if b.Owner == "" {
		return true
	}
	if a.Owner == "" || a.Since == 0 || b.Since == 0 {
		return false
	}
	return a.Since > b.Since || a.Since == b.Since && a.Key != "" && b.Key != "" && a.Key > b.Key
}

// meet: two claims have a request in common.
func meet(a, b hostname.Claim) bool {
	if a.Host == b.Host {
		return covers(a.Path, b.Path) || covers(b.Path, a.Path)
	}
	return a.Owner != "" && b.Owner != "" && (stands(a, b) || stands(b, a))
}

// stands: the wildcard a stands for b, or for some of what b stands for.
func stands(a, b hostname.Claim) bool {
	suffix, wild := strings.CutPrefix(a.Host, "*")
	rest, below := strings.CutSuffix(b.Host, suffix)
	if !wild || !below || rest == "" {
		return false
	}
	return !a.OneLabel || !strings.Contains(rest, ".") && rest != "*"
}

func covers(a, b hostname.Path) bool {
	if a.Exact {
		return strings.TrimSuffix(a.Text, "/") == strings.TrimSuffix(b.Text, "/")
	}
	return strings.HasPrefix(strings.TrimSuffix(b.Text, "/")+"/", strings.TrimSuffix(a.Text, "/")+"/")
}

// FuzzClaims: no host or path, however long, makes it fail or run away.
func FuzzClaims(f *testing.F) {
	f.Add("*.a.example", "/x//y", "a.example", "")
	f.Fuzz(func(t *testing.T, h1, p1, h2, p2 string) {
		hostname.NewClaims([]hostname.Claim{claim(0, "a", h1, p1), claim(1, "b", h2, p2), claim(2, "c", h1, p2)}).Conflicts()
	})
}
