package blast

import (
	"slices"

	"watertight.dev/watertight/internal/analyze"
)

// prize is something that counts when it falls.
type prizeKind uint8

const (
	prizeControlPlane prizeKind = iota
	prizeTenant
	prizeNode
	prizeSecrets
	prizePlatform
)

type prize struct {
	kind prizeKind
	// key is what the prize is counted by: a namespace, or the name of a tenant or node.
	key string
	// tenant that it belongs to.
	tenant string
}

// prizes are numbered in the order in which reports list them.
type prizes struct {
	list []prize
	// of lists the prizes that fall with a place.
	of [][]int32
	// namespaces are how many there are besides those of one tenant: in all, and of no
	// tenant. nodes are those that are known.
	namespaces, platform, nodes int
}

// listPrizes says of each place what falls with it. To hold any place of a tenant is to
// break into it, be it the Secrets of a namespace.
func (g *Graph) listPrizes() prizes {
	var out prizes
	number := map[prize]int32{}
	byPlace := make([][]prize, len(g.places))
	nodes := map[string]bool{}
	for _, n := range g.snapshot.Nodes {
		nodes[n.Name] = true
	}
	for i, p := range g.places {
		byPlace[i] = g.prizesOf(p, g.tenant[i])
		for _, z := range byPlace[i] {
			if _, known := number[z]; !known {
				number[z] = none
				out.list = append(out.list, z)
			}
		}
	}
	slices.SortFunc(out.list, comparePrizes)
	for i, z := range out.list {
		number[z] = int32(i)
	}
	out.of = make([][]int32, len(g.places))
	for i, list := range byPlace {
		for _, z := range list {
			out.of[i] = append(out.of[i], number[z])
		}
	}
	for _, z := range out.list {
		if z.kind == prizeNode {
			nodes[z.key] = true
		}
	}
	out.nodes = len(nodes)
	namespaces := map[string]bool{}
	for _, ns := range g.snapshot.NamespaceNames() {
		namespaces[ns] = true
	}
	for _, z := range out.list {
		if z.kind == prizeSecrets || z.kind == prizePlatform {
			namespaces[z.key] = true
		}
	}
	out.namespaces = len(namespaces)
	for ns := range namespaces {
		if g.snapshot.TenantOf(ns) == "" {
			out.platform++
		}
	}
	return out
}

func comparePrizes(a, b prize) int {
	if a.kind != b.kind {
		return int(a.kind) - int(b.kind)
	}
	if a.key < b.key {
		return -1
	}
	return 1 // never asked of equals
}

func (g *Graph) prizesOf(p analyze.Place, owner int32) []prize {
	var out []prize
	tenant := ""
	if owner != none {
		tenant = g.tenants[owner]
		out = append(out, prize{prizeTenant, tenant, tenant})
	}
	switch p.Kind {
	case analyze.PlaceNetwork:
		return nil
	case analyze.PlaceCluster:
		return []prize{{kind: prizeControlPlane}}
	case analyze.PlaceNode:
		if p != anyNode || len(g.snapshot.Nodes) == 0 { // else it counts as those that it may be
			out = append(out, prize{kind: prizeNode, key: p.Name})
		}
	case analyze.PlaceSecrets:
		if p.Namespace != "" {
			out = append(out, prize{prizeSecrets, p.Namespace, tenant})
		}
	}
	if ns := namespaceOf(p); ns != "" && tenant == "" && p.Kind != analyze.PlaceNode {
		out = append(out, prize{kind: prizePlatform, key: ns})
	}
	return out
}
