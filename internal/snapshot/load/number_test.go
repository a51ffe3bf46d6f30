package load

import "testing"

// TestTinyNumber: a quantity with an absurd exponent is found, and what only looks like it
// inside of a name or an identifier is not.
func TestTinyNumber(t *testing.T) {
	for text, want := range map[string]string{
		`{"cpu":"1e-2147483647"}`:                           "1e-2147483647",
		`{"cpu":-1.5E-99999}`:                               "-1.5E-99999",
		`["+3e-00012345"]`:                                  "+3e-00012345",
		`{"cpu":"1e-999"}`:                                  "",
		`{"cpu":"1e-0000000001"}`:                           "",
		`{"uid":"0b7c1d2e-8e-3824-4f0a-98e-3824aa"}`:        "",
		`{"uid":"6d0f2c18-78e-98815860"}`:                   "",
		`{"uid":"12345678-1234-4123-878e-988158601234"}`:    "",
		`{"image":"registry.example/a@sha256:4e-46781234"}`: "",
		`{"cpu":"1e-99999m"}`:                               "",
	} {
		if got := tinyNumber([]byte(text)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
