package blast

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Radius is how much falls with a tenant. What is its own does not count.
type Radius struct {
	// Tenants are the other tenants of which any place falls.
	Tenants int `json:"tenants"`
	// Nodes on which the attacker becomes root.
	Nodes int `json:"nodes"`
	// Secrets counts the namespaces whose Secrets the attacker reads.
	Secrets int `json:"secrets"`
	// Platform counts the namespaces of no tenant in which any place falls.
	Platform int `json:"platform"`
	// ControlPlane falls, and everything with it: the other numbers count all there is.
	ControlPlane bool `json:"controlPlane"`
}

// Score is the radius as one number: how many other tenants fall. The control plane
// counts as all of them.
func (r Radius) Score() int { return r.Tenants }

// Zero reports whether nothing falls.
func (r Radius) Zero() bool { return r == Radius{} }

// Compare orders by what weighs most: tenants, then the control plane, nodes, Secrets and
// the platform's namespaces.
func (r Radius) Compare(other Radius) int {
	plane := 0
	switch {
	case r.ControlPlane && !other.ControlPlane:
		plane = 1
	case other.ControlPlane && !r.ControlPlane:
		plane = -1
	}
	return cmp.Or(cmp.Compare(r.Score(), other.Score()), plane, cmp.Compare(r.Nodes, other.Nodes),
		cmp.Compare(r.Secrets, other.Secrets), cmp.Compare(r.Platform, other.Platform))
}

func (r *Radius) add(kind prizeKind, n int) {
	switch kind {
	case prizeControlPlane:
		r.ControlPlane = n > 0
	case prizeTenant:
		r.Tenants += n
	case prizeNode:
		r.Nodes += n
	case prizeSecrets:
		r.Secrets += n
	case prizePlatform:
		r.Platform += n
	}
}

// Report is what falls with a tenant.
type Report struct {
	Tenant string `json:"tenant"`
	Radius Radius `json:"radius"`
	Score  int    `json:"score"`
	// AtLeast says that the numbers are a lower bound; Unread says why.
	AtLeast bool               `json:"atLeast"`
	Unread  []snapshot.Problem `json:"unread,omitempty"`
	// Falls are the chains of steps that succeed as things are seen.
	Falls Falls `json:"falls"`
	// Fix is the one change after which the least falls; nil where none alone helps.
	Fix *Fix `json:"fix,omitempty"`
	// IfUnseen is what falls if something fails that is not seen: a kernel, a sandbox, a
	// server that trusts its neighbours.
	IfUnseen Unseen `json:"ifUnseen"`
	// Reached are other tenants' workloads to which what has fallen can send packets.
	// Nobody runs code in them by that.
	Reached []Exposure `json:"reached,omitempty"`
}

// Unseen is what falls where weak steps succeed too. Falls lists only what they add, and
// of a tenant's Secrets only the tenant.
type Unseen struct {
	Radius Radius `json:"radius"`
	Score  int    `json:"score"`
	Falls  Falls  `json:"falls"`
}

// Falls lists what falls by itself, each by its shortest chain. Where the control plane
// falls, everything else falls with it and is not listed again.
type Falls struct {
	ControlPlane *Fall  `json:"controlPlane,omitempty"`
	Tenants      []Fall `json:"tenants,omitempty"`
	Nodes        []Fall `json:"nodes,omitempty"`
	Secrets      []Fall `json:"secrets,omitempty"`
	Platform     []Fall `json:"platform,omitempty"`
}

// Fall is something that falls.
type Fall struct {
	// Tenant that is hurt, if it is a tenant's.
	Tenant string `json:"tenant,omitempty"`
	// Place is the first that falls.
	Place analyze.Place `json:"place"`
	// Chain of steps that leads there from a place of the tenant that was broken into.
	Chain Chain `json:"chain"`
}

// Fix is a change and what falls after it.
type Fix struct {
	Fix      string             `json:"fix"`
	Evidence guarantee.Evidence `json:"evidence"`
	Radius   Radius             `json:"radius"`
	Score    int                `json:"score"`
}

// Exposure is how much of a tenant can be reached by packets.
type Exposure struct {
	Tenant    string `json:"tenant"`
	Workloads int    `json:"workloads"`
	// Chain leads to the first of them.
	Chain Chain `json:"chain"`
}

// Tenants lists all tenants that Of answers for, sorted.
func (g *Graph) Tenants() []string { return slices.Clone(g.tenants) }

// Of reports on a tenant.
func (g *Graph) Of(tenant string) (Report, error) {
	own, known := slices.BinarySearch(g.tenants, tenant)
	if !known {
		return Report{}, &UnknownTenant{Name: tenant, Known: slices.Clone(g.tenants)}
	}
	s := g.scratch.Get().(*scratch)
	defer g.scratch.Put(s)
	t := g.walk(s, g.starts[own])
	defer t.forget(s)
	strong := t.take(s, t.starts, t.strong)
	r := Report{Tenant: tenant, Radius: g.radius(tenant, strong), Falls: t.falls(strong, false)}
	r.Score = r.Radius.Score()
	if len(strong) > 0 {
		r.Fix = t.bestFix(s, strong, r.Radius)
	}
	r.Unread = g.unread(t.node)
	r.AtLeast = len(r.Unread) > 0
	r.Reached = t.exposures(s)
	r.IfUnseen = Unseen{Radius: r.Radius, Score: r.Score}
	if r.Radius.ControlPlane {
		return r, nil // nothing is left
	}
	t.walkWeak(s)
	weak := t.take(s, t.strong, len(t.node))
	r.IfUnseen.Radius, r.IfUnseen.Falls = g.radius(tenant, append(strong, weak...)), t.falls(weak, true)
	r.IfUnseen.Score = r.IfUnseen.Radius.Score()
	return r, nil
}

// taken is a prize and the first position with which it falls.
type taken struct{ prize, at int32 }

// take lists the prizes, in order, that fall at some positions and not before.
func (t *tree) take(s *scratch, from, to int) []taken {
	found := 0
	for i := from; i < to; i++ {
		for _, p := range t.graph.prizes.of[t.node[i]] {
			if s.fallen[p] == 0 {
				s.fallen[p] = int32(i) + 1
				found++
			}
		}
	}
	out := make([]taken, 0, found)
	for p, at := range s.fallen {
		if found > 0 && int(at) > from {
			out = append(out, taken{int32(p), at - 1})
		}
	}
	return out
}

// count adds prizes up, for what they are.
func count(g *Graph, list []taken) Radius {
	var r Radius
	for _, t := range list {
		r.add(g.prizes.list[t.prize].kind, 1)
	}
	return r
}

// radius adds prizes up; the control plane is all that there is.
func (g *Graph) radius(tenant string, list []taken) Radius {
	r := count(g, list)
	if r.ControlPlane {
		r.Tenants, r.Nodes, r.Platform = len(g.tenants)-1, g.prizes.nodes, g.prizes.platform
		r.Secrets = g.prizes.namespaces - len(g.snapshot.NamespacesOf(tenant))
	}
	return r
}

// falls lists prizes with their chains. Among what takes weak steps the Secrets of a
// tenant are left out: the tenant is in the list.
func (t *tree) falls(list []taken, weak bool) Falls {
	var f Falls
	var size [prizePlatform + 1]int
	for _, x := range list {
		size[t.graph.prizes.list[x.prize].kind]++
	}
	lists := [...]*[]Fall{prizeTenant: &f.Tenants, prizeNode: &f.Nodes, prizeSecrets: &f.Secrets, prizePlatform: &f.Platform}
	for _, x := range list {
		z := &t.graph.prizes.list[x.prize]
		if weak && z.kind == prizeSecrets && z.tenant != "" {
			continue
		}
		fall := Fall{Tenant: z.tenant, Place: t.graph.places[t.node[x.at]], Chain: Chain{ways: t.ways, at: x.at, last: none}}
		if z.kind == prizeControlPlane {
			f.ControlPlane = &Fall{Place: fall.Place, Chain: fall.Chain}
			continue
		}
		of := lists[z.kind]
		if *of == nil {
			*of = make([]Fall, 0, size[z.kind])
		}
		*of = append(*of, fall)
	}
	return f
}

// UnknownTenant says that a name is not that of a Tenant.
type UnknownTenant struct {
	Name  string
	Known []string
}

// Error lists the tenants there are.
func (u *UnknownTenant) Error() string {
	if len(u.Known) == 0 {
		return fmt.Sprintf("there is no Tenant %q, nor any other", u.Name)
	}
	return fmt.Sprintf("there is no Tenant %q; there are: %s", u.Name, strings.Join(u.Known, ", "))
}
