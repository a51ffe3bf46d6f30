package hostname_test

import (
	"strings"
	"testing"

	"watertight.dev/watertight/internal/analyze/services/hostname"
)

// TestAllowed gives names below a wildcard and nothing that only looks like it.
func TestAllowed(t *testing.T) {
	patterns := []string{"acme.example", "*.acme.example"}
	for host, want := range map[string]bool{
		"acme.example": true, "ACME.example.": true, "a.b.acme.example": true, "*.acme.example": true, "*.x.acme.example": true,
		"notacme.example": false, "*.example": false, "": false, ".acme.example": false, "a..acme.example": false,
		"evil.example;\n.acme.example": false, "acme.example:80": false, "~^.*\\.acme.example": false, "*": false,
		strings.Repeat("a", 64) + ".acme.example":    false,
		strings.Repeat("a.", 1<<20) + "acme.example": false,
	} {
		if got := hostname.Allowed(patterns, host); got != want {
			t.Errorf("%.60q: %v", host, got)
		}
	}
}

func TestIntersect(t *testing.T) {
	for _, c := range []struct {
		listener, route, want string
		meet                  bool
	}{
		{"", "a.example", "a.example", true},
		{"*.example", "", "*.example", true},
		{"*.example", "a.b.example", "a.b.example", true},
		{"a.example", "*.example", "a.example", true},
		{"*.a.example", "*.example", "*.a.example", true},
		{"a.example", "A.example.", "a.example", true},
		{"", "", "", true},
		{"*.example", "example", "example", false},
		{"a.example", "b.example", "b.example", false},
	} {
		if got, meet := hostname.Intersect(c.listener, c.route); meet != c.meet || meet && got != c.want {
			t.Errorf("%q and %q: %q %v", c.listener, c.route, got, meet)
		}
	}
}
