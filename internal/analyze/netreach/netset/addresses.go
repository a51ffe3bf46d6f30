package netset

import (
	"net/netip"
	"slices"
	"strings"
)

// addressRange is the addresses from from to to, both included and of one family.
type addressRange struct{ from, to netip.Addr }

// Addresses is a set of IPv4 and IPv6 addresses: sorted ranges that do not touch. IPv4
// comes first. Sets are never changed once made.
type Addresses []addressRange

// Everywhere is every address of both families.
var Everywhere = Blocks("0.0.0.0/0", "::/0")

// Blocks is the union of CIDRs that are known to be well-formed.
func Blocks(cidrs ...string) Addresses {
	var out Addresses
	for _, c := range cidrs {
		out = out.Union(AddressesOf(netip.MustParsePrefix(c)))
	}
	return out
}

// AddressesOf is the addresses of a prefix.
func AddressesOf(p netip.Prefix) Addresses {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	p = p.Masked()
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	to, _ := netip.AddrFromSlice(last)
	return Addresses{{p.Addr(), to}}
}

// Empty reports whether no address is in the set.
func (a Addresses) Empty() bool { return len(a) == 0 }

// Contains reports whether an address is in the set.
func (a Addresses) Contains(ip netip.Addr) bool {
	ip = ip.Unmap()
	return slices.ContainsFunc(a, func(r addressRange) bool {
		return r.from.Compare(ip) <= 0 && ip.Compare(r.to) <= 0
	})
}

// Union is the addresses in either set.
func (a Addresses) Union(b Addresses) Addresses {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y addressRange) int { return x.from.Compare(y.from) })
	var out Addresses
	for _, r := range all {
		if n := len(out); n > 0 && r.from.BitLen() == out[n-1].to.BitLen() && touches(out[n-1].to, r.from) {
			if out[n-1].to.Less(r.to) {
				out[n-1].to = r.to
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

// touches reports whether from is at most one above to.
func touches(to, from netip.Addr) bool {
	next := to.Next()
	return !next.IsValid() || from.Compare(next) <= 0
}

// Minus is the addresses of a that are not in b.
func (a Addresses) Minus(b Addresses) Addresses {
	var out Addresses
	for _, r := range a {
		rest := true
		for _, cut := range b {
			if cut.from.BitLen() != r.from.BitLen() || cut.to.Less(r.from) || r.to.Less(cut.from) {
				continue
			}
			if r.from.Less(cut.from) {
				out = append(out, addressRange{r.from, cut.from.Prev()})
			}
			if !cut.to.Less(r.to) {
				rest = false
				break
			}
			r.from = cut.to.Next()
		}
		if rest {
			out = append(out, r)
		}
	}
	return out
}

// Intersect is the addresses in both sets.
func (a Addresses) Intersect(b Addresses) Addresses { return a.Minus(Everywhere.Minus(b)) }

// Prefixes is the set as the fewest CIDRs, in order.
func (a Addresses) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, r := range a {
		for from := r.from; ; {
			p := widest(from, r.to)
			out = append(out, p)
			last := AddressesOf(p)[0].to
			if last == r.to {
				break
			}
			from = last.Next()
		}
	}
	return out
}

// widest is the largest prefix that begins at from and does not pass to.
func widest(from, to netip.Addr) netip.Prefix {
	for bits := 0; ; bits++ {
		p := netip.PrefixFrom(from, bits)
		if p.Masked().Addr() == from && !to.Less(AddressesOf(p)[0].to) {
			return p
		}
	}
}

// String prints CIDRs; the whole of a family is called by its name.
func (a Addresses) String() string {
	const most = 6
	var parts []string
	for _, p := range a.Prefixes() {
		if len(parts) == most {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, p.String())
	}
	return strings.Join(parts, ", ")
}

// Ranges yields the set's ranges in order, both ends included.
func (a Addresses) Ranges(yield func(from, to netip.Addr) bool) {
	for _, r := range a {
		if !yield(r.from, r.to) {
			return
		}
	}
}

// First is the lowest address of a set that is not empty.
func (a Addresses) First() netip.Addr { return a[0].from }
