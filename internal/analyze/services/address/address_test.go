package address_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watertight.dev/watertight/internal/analyze/services/address"
)

// TestRead reads addresses as the most careless of readers would.
func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1":                 "10.0.0.1",
		"::ffff:169.254.169.254":   "169.254.169.254",
		"[fe80::1%eth0]":           "fe80::1",
		"010.0.0.1":                "10.0.0.1 8.0.0.1",
		"127.000.000.001":          "127.0.0.1",
		"0xa9.0xfe.0xa9.0xfe":      "169.254.169.254",
		"2852039166":               "169.254.169.254",
		"127.1":                    "127.0.0.1",
		"64:ff9b::a9fe:a9fe":       "64:ff9b::a9fe:a9fe 169.254.169.254",
		"2002:7f00:1::":            "2002:7f00:1:: 127.0.0.1",
		"::169.254.169.254":        "::a9fe:a9fe 169.254.169.254",
		"::1":                      "::1",
		"256.0.0.1":                "",
		"1.2.3.4.5":                "",
		"db.example":               "",
		"":                         "",
		"1.16777216":               "",
		strings.Repeat("1", 1<<20): "",
	} {
		var got []string
		for _, ip := range address.Read(text) {
			got = append(got, ip.String())
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%.40s: %s", text, diff)
		}
	}
}

func TestSpecial(t *testing.T) {
	for text, want := range map[string]address.Kind{
		"169.254.169.254": address.Metadata, "fd00:ec2::254": address.Metadata, "169.254.1.1": address.Local,
		"127.9.9.9": address.Local, "::": address.Local, "ff02::1": address.Local, "10.0.0.1": address.Ordinary, "fd00::254": address.Ordinary,
	} {
		kind, name, reference := address.Special(netip.MustParseAddr(text))
		if kind != want || (kind != address.Ordinary) != (name != "" && reference != "") {
			t.Errorf("%s: %s %q %q", text, kind, name, reference)
		}
	}
}

// FuzzRead: whatever is written, reading it ends, and gives no address with a zone.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "0x7f.1", "fe80::1%x", "....", "0", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, ip := range address.Read(text) {
			if !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() {
				t.Errorf("%q: %v", text, ip)
			}
		}
	})
}
