package diff

import (
	"slices"

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
)

// This file is all that diff knows of netreach.

// network is what a picture's policies allow, between classes of pods that none of them
// can tell apart. What is perhaps allowed counts as allowed: a change of it is a change.
type network struct {
	picture *snapshot.Snapshot
	reach   *engine.Engine
	// classes are those with pods.
	classes []*engine.Class
}

func networkOf(s *snapshot.Snapshot) network {
	n := network{picture: s, reach: engine.New(s, netreach.DetectPlugin(s).Options)}
	for _, c := range n.reach.Classes() {
		if len(c.Pods) > 0 {
			n.classes = append(n.classes, c)
		}
	}
	return n
}

// between is the ports of dst that src reaches.
func (n network) between(src, dst *engine.Class) netset.Ports {
	return n.reach.Between(src, dst).Possible
}

// pairs yields the pairs of which the first reaches the second.
func (n network) pairs(yield func(src, dst *engine.Class) bool) {
	n.reach.Pairs(func(src, dst *engine.Class, _ engine.Reach) bool { return yield(src, dst) })
}

// outside is what a class may open to addresses outside the cluster.
func (n network) outside(c *engine.Class) []netset.AddressPorts {
	var out []netset.AddressPorts
	for _, a := range n.reach.Outside(rules.Egress, c) {
		out = append(out, netset.AddressPorts{Addresses: a.Addresses, Ports: a.Possible})
	}
	return out
}

// unjudged are the policies that could not be read on either side, sorted.
func unjudged(networks [2]network) []snapshot.ObjectKey {
	var out []snapshot.ObjectKey
	for _, n := range networks {
		for _, u := range n.reach.Unread {
			out = append(out, snapshot.KeyOf(u.Object))
		}
	}
	slices.SortFunc(out, snapshot.ObjectKey.Compare)
	return slices.Compact(out)
}
