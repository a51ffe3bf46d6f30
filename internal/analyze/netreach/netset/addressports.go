package netset

import (
	"net/netip"
	"slices"
)

// AddressPorts is ports at addresses.
type AddressPorts struct {
	Addresses Addresses
	Ports     Ports
}

// PortsAt is the union of the ports that grants give at an address.
func PortsAt(grants []AddressPorts, ip netip.Addr) Ports {
	var out Ports
	for _, g := range grants {
		if g.Addresses.Contains(ip) {
			out = out.Union(g.Ports)
		}
	}
	return out
}

// Atoms cuts the address space at every border of the grants; inside an atom, all
// grants are the same everywhere.
func Atoms(lists ...[]AddressPorts) Addresses {
	starts := []netip.Addr{Everywhere[0].from, Everywhere[1].from}
	for _, grants := range lists {
		for _, g := range grants {
			for _, r := range g.Addresses {
				starts = append(starts, r.from)
				if next := r.to.Next(); next.IsValid() {
					starts = append(starts, next)
				}
			}
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	starts = slices.Compact(starts)
	out := make(Addresses, len(starts))
	for i, from := range starts {
		to := Everywhere[1].to
		if from.Is4() {
			to = Everywhere[0].to
		}
		if i+1 < len(starts) && starts[i+1].BitLen() == from.BitLen() {
			to = starts[i+1].Prev()
		}
		out[i] = addressRange{from, to}
	}
	return out
}

// Subtract is what the grants give beyond others, as disjoint sets of addresses, each
// with its ports.
func Subtract(grants, others []AddressPorts) []AddressPorts {
	var out []AddressPorts
	for _, atom := range Atoms(grants, others) {
		left := PortsAt(grants, atom.from).Minus(PortsAt(others, atom.from))
		if left.Empty() {
			continue
		}
		i := slices.IndexFunc(out, func(g AddressPorts) bool { return g.Ports.Equal(left) })
		if i < 0 {
			out = append(out, AddressPorts{Ports: left})
			i = len(out) - 1
		}
		out[i].Addresses = out[i].Addresses.Union(Addresses{atom})
	}
	return out
}

// Pieces cuts the address space at every border of the grants; a piece is a set of one
// range.
func Pieces(grants []AddressPorts) []Addresses {
	atoms := Atoms(grants)
	out := make([]Addresses, len(atoms))
	for i := range atoms {
		out[i] = atoms[i : i+1 : i+1]
	}
	return out
}
