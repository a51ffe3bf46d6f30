// Package address reads IP addresses as tenants write them, and knows which of them are
// never a tenant's: metadata services, loopback, link-local. It knows no cluster, so it
// does not say whose pod or node an address is.
package address

import (
	"net/netip"
	"strconv"
	"strings"
)

// longest is more than any address is written with.
const longest = 64

// Read returns every address that a reader may take the text for, the plain one first.
// Programs differ on leading zeros (decimal or octal: CVE-2021-29923), on hexadecimal and
// short forms (inet_aton), and follow IPv6 addresses that carry an IPv4 address inside
// (mapped, NAT64, 6to4). It is empty where the text is no address at all.
func Read(text string) []netip.Addr {
	if len(text) > longest {
		return nil
	}
	text, _, _ = strings.Cut(strings.Trim(text, "[]"), "%") // a zone names a link, not an address
	if ip, err := netip.ParseAddr(text); err == nil {
		return append([]netip.Addr{ip.Unmap()}, inside(ip.Unmap())...)
	}
	var out []netip.Addr
	for _, octal := range []bool{false, true} {
		ip, ok := aton(text, octal)
		if ok && (len(out) == 0 || out[0] != ip) {
			out = append(out, ip)
		}
	}
	return out
}

// carriers are prefixes of IPv6 addresses that carry an IPv4 address, and where in them.
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible (RFC 4291, deprecated)
}

// inside is the IPv4 address that an IPv6 address carries.
func inside(ip netip.Addr) []netip.Addr {
	for _, c := range carriers {
		if !ip.Is6() || !c.prefix.Contains(ip) {
			continue
		}
		b := ip.As16()
		v4 := netip.AddrFrom4([4]byte(b[c.at : c.at+4]))
		if c.prefix.Bits() == 96 && c.prefix.Addr() == netip.IPv6Unspecified() && v4.As4()[0] == 0 {
			return nil // :: and ::1 are themselves
		}
		return []netip.Addr{v4}
	}
	return nil
}

// aton reads the short, octal and hexadecimal forms that inet_aton reads.
func aton(text string, octal bool) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, p := range parts {
		base := 10
		switch {
		case strings.HasPrefix(p, "0x") || strings.HasPrefix(p, "0X"):
			p, base = p[2:], 16
		case octal && len(p) > 1 && p[0] == '0':
			base = 8
		}
		n, err := strconv.ParseUint(p, base, 32)
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		if err != nil || n >= 1<<bits {
			return netip.Addr{}, false
		}
		value = value<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}
