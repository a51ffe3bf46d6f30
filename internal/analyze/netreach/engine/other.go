package engine

import (
	"net/netip"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// family is the protocol over which two ends talk: connections of one do not pass by
// rules about the addresses of the other.
type family int

const (
	ipv4 family = iota
	ipv6
	noFamily // the end's address is not known
	families = iota
)

// families of a class's addresses, as bits; none where no address is known.
func (c *Class) families() byte {
	var out byte
	for _, a := range c.addresses {
		out |= 1 << familyOf(a)
	}
	return out
}

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// other is the other end of a connection, as rules see it: a class by its addresses of a
// family, an address that is no pod's, or, without either, the crowd.
type other struct {
	class   *Class
	family  family
	address netip.Addr
}

// match reports whether a rule takes the other end in.
func (o other) match(e *Engine, r *boundRule) answer {
	best := no
	for i := range r.peers {
		if a := o.matchPeer(e, &r.peers[i]); a > best {
			if best = a; best == yes {
				break
			}
		}
	}
	if best == yes && r.rule.Unsure != "" {
		return maybe
	}
	return best
}

func (o other) matchPeer(e *Engine, b *boundPeer) answer {
	switch {
	case b.set == nil:
		return yes
	case o.class != nil:
		return b.matches(e, o.class, o.family)
	case o.address.IsValid():
		return b.holds(e, o.address)
	}
	return b.throng(o.family)
}

// ports are the ports of a rule where the other end is the destination: names have no
// meaning outside the cluster, and the crowd has none.
func (o other) ports(e *Engine, r *boundRule) portID {
	if o.class == nil {
		return r.fixed
	}
	return r.portsAt(e.ports, o.class)
}

// holds reports whether a peer takes in an address that is no pod's.
func (b *boundPeer) holds(e *Engine, a netip.Addr) answer {
	switch b.set.key.kind {
	case peerBlock:
		if b.addresses.Contains(a) {
			return yes
		}
	case peerNodes:
		if e.nodeAddresses(b.set.key.labels).Contains(a) {
			return yes
		}
	case peerUnknown, peerOutside:
		return maybe
	}
	return no
}

// throng reports whether a peer takes in those who are not among its set's few.
func (b *boundPeer) throng(f family) answer {
	switch {
	case b.set.key.kind == peerUnknown:
		return maybe
	case b.set.key.kind == peerBlock && f == noFamily:
		if b.set.unaddressed {
			return maybe
		}
		return no
	case b.set.key.kind == peerBlock:
		switch {
		case !b.set.most[f]:
			return no
		case b.set.key.matches == rules.AsEngineDoes:
			return maybe
		}
		return yes
	case b.set.rest:
		return yes
	}
	return no
}

// between is what src may open to dst, over whatever family both have.
func (e *Engine) between(src, dst *Class) span {
	if src.grants[rules.Egress] == e.open && dst.grants[rules.Ingress] == e.open {
		return everything
	}
	out := nothing
	for _, w := range ways(src.families(), dst.families()) {
		there := e.evaluate(src.grants[rules.Egress], src, other{class: dst, family: w.to})
		if there.possible != noPorts {
			back := e.evaluate(dst.grants[rules.Ingress], dst, other{class: src, family: w.from})
			out = e.ports.either(out, e.ports.both(there, back))
		}
	}
	return out
}

// side is what near is allowed with far in a direction, whatever far says.
func (e *Engine) side(d rules.Direction, near, far *Class) span {
	out := nothing
	for _, w := range ways(near.families(), far.families()) {
		out = e.ports.either(out, e.evaluate(near.grants[d], near, other{class: far, family: w.to}))
	}
	return out
}

// way is the families by which two ends see each other's addresses.
type way struct{ from, to family }

// allWays are what ways returns, by both ends' families.
var allWays = func() (out [4][4][]way) {
	for a := range byte(4) {
		for b := range byte(4) {
			out[a][b] = makeWays(a, b)
		}
	}
	return out
}()

// ways are the families over which two ends can talk. An end whose address is not known
// may have any; where both have none in common, policies are asked all the same.
func ways(a, b byte) []way { return allWays[a][b] }

func makeWays(a, b byte) []way {
	var out []way
	for _, f := range []family{ipv4, ipv6} {
		bit := byte(1) << f
		switch {
		case a&b&bit != 0:
			out = append(out, way{f, f})
		case a == 0 && b&bit != 0:
			out = append(out, way{noFamily, f})
		case b == 0 && a&bit != 0:
			out = append(out, way{f, noFamily})
		}
	}
	switch {
	case len(out) > 0:
	case a == 0:
		out = []way{{noFamily, noFamily}}
	case a == 1:
		out = []way{{ipv4, ipv6}}
	default:
		out = []way{{ipv6, ipv4}}
	}
	return out
}
