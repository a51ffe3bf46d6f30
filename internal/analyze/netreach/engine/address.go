package engine

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// AddressReach is what a class may exchange with addresses that are no pod's.
type AddressReach struct {
	Addresses netset.Addresses
	Reach
}

// Outside is the addresses that a class may open connections to, or admit them from, as
// if none of them were a pod's: disjoint sets, each with what is allowed.
func (e *Engine) Outside(d rules.Direction, c *Class) []AddressReach {
	g := c.grants[d]
	if g == e.open {
		return []AddressReach{{netset.Everywhere, e.ports.reach(everything)}}
	}
	var out []AddressReach
	for _, piece := range e.pieces(g) {
		value := e.evaluate(g, c, other{address: piece.First()})
		if value.possible == noPorts {
			continue
		}
		reach := e.ports.reach(value)
		i := slices.IndexFunc(out, func(a AddressReach) bool {
			return a.Sure.Equal(reach.Sure) && a.Possible.Equal(reach.Possible)
		})
		if i < 0 {
			out = append(out, AddressReach{Reach: reach})
			i = len(out) - 1
		}
		out[i].Addresses = out[i].Addresses.Union(piece)
	}
	return out
}

// AddressReach is what a class may exchange with one address.
func (e *Engine) AddressReach(d rules.Direction, c *Class, a netip.Addr) Reach {
	return e.ports.reach(e.evaluate(c.grants[d], c, other{address: a.Unmap()}))
}

// pieces cuts the address space at every border that a grant's rules draw.
func (e *Engine) pieces(g *grant) []netset.Addresses {
	var all []netset.AddressPorts
	for _, list := range [][]*boundRule{g.admin, g.rules, g.baseline} {
		for _, r := range list {
			for i := range r.peers {
				b := &r.peers[i]
				switch {
				case b.set == nil:
				case b.set.key.kind == peerBlock:
					all = append(all, netset.AddressPorts{Addresses: b.addresses})
				case b.set.key.kind == peerNodes:
					all = append(all, netset.AddressPorts{Addresses: e.nodeAddresses(b.set.key.labels)})
				}
			}
		}
	}
	return netset.Pieces(all)
}

// nodeAddresses are the addresses of the nodes that a selector matches.
func (e *Engine) nodeAddresses(s *rules.Selector) netset.Addresses {
	var out netset.Addresses
	for _, n := range e.nodes {
		if s.Matches(n.Labels) {
			out = out.Union(AddressesOfNode(n))
		}
	}
	return out
}

// AddressesOfNode are the addresses in a Node's status.
func AddressesOfNode(n *corev1.Node) netset.Addresses {
	var out netset.Addresses
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil {
			ip = ip.Unmap()
			out = out.Union(netset.AddressesOf(netip.PrefixFrom(ip, ip.BitLen())))
		}
	}
	return out
}
