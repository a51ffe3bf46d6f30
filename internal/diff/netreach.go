package diff

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/snapshot"
)

// This file is all that diff knows of netreach.

// network is what a picture's policies allow, between classes of pods that none of them
// can tell apart.
type network struct {
	picture *snapshot.Snapshot
	reach   *netreach.Reach
	// classes are those with pods.
	classes []*netreach.Class
}

func networkOf(s *snapshot.Snapshot) network {
	n := network{picture: s, reach: netreach.New(s, netreach.Options{})}
	for _, c := range n.reach.Classes {
		if len(c.Pods) > 0 {
			n.classes = append(n.classes, c)
		}
	}
	return n
}

// between is the ports of dst that src reaches.
func (n network) between(src, dst *netreach.Class) netset.Ports {
	return setOf(n.reach.Ports(src, dst))
}

// pairs yields the pairs of which the first reaches the second.
func (n network) pairs(yield func(src, dst *netreach.Class) bool) {
	n.reach.Pairs(func(src, dst *netreach.Class, _ netreach.Ports) bool { return yield(src, dst) })
}

// outside is what a class may open to addresses outside the cluster.
func (n network) outside(c *netreach.Class) []netset.AddressPorts {
	var out []netset.AddressPorts
	for _, g := range n.reach.EgressTo(c) {
		var addresses netset.Addresses
		for _, p := range g.Addresses.Prefixes() {
			addresses = addresses.Union(netset.AddressesOf(p))
		}
		out = append(out, netset.AddressPorts{Addresses: addresses, Ports: setOf(g.Ports)})
	}
	return out
}

func setOf(p netreach.Ports) netset.Ports {
	if p.All() {
		return netset.AllPorts()
	}
	var out netset.Ports
	for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
		for _, r := range p.Of(protocol) {
			out = out.Union(netset.PortsOf(protocol, r.From, r.To))
		}
	}
	return out
}

// unjudged are the policies that netreach could not judge on either side, sorted.
func unjudged(networks [2]network) []snapshot.ObjectKey {
	var out []snapshot.ObjectKey
	for _, n := range networks {
		for p := range n.reach.Invalid {
			out = append(out, snapshot.KeyOf(p))
		}
		for _, o := range netreach.Foreign(n.picture) {
			out = append(out, snapshot.KeyOf(o))
		}
	}
	slices.SortFunc(out, func(a, b snapshot.ObjectKey) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Group, b.Group))
	})
	return slices.Compact(out)
}
