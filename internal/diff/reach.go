package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// ReachChange is a way through the network that only one side has.
type ReachChange struct {
	// Gained is false where the way is lost.
	Gained bool `json:"gained"`
	From   End  `json:"from"`
	To     End  `json:"to"`
	// Ports are those that the other side lacks ("TCP 80").
	Ports string `json:"ports"`
	// Breaks is the guarantee of From's tenant, broken on the later side, that a way that
	// was gained widens further: NET-4 for addresses, NET-3 inside the tenant.
	Breaks guarantee.ID `json:"breaks,omitempty"`
}

// End is one end of a way: pods that no policy can tell apart, on either side, or
// addresses outside the cluster.
type End struct {
	Tenant    string `json:"tenant,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Members are workloads and pods ("namespace/name"), or CIDRs.
	Members []string `json:"members"`
}

// String names the first member, and counts the rest.
func (e End) String() string {
	if more := len(e.Members) - 1; more > 0 {
		return fmt.Sprintf("%s and %d more", e.Members[0], more)
	}
	return strings.Join(e.Members, "")
}

// Across reports whether the way leads from one tenant to another.
func (r ReachChange) Across() bool {
	return r.From.Tenant != "" && r.To.Tenant != "" && r.From.Tenant != r.To.Tenant
}

// Worsens reports whether the change opens one tenant to another, or a hole further.
func (r ReachChange) Worsens() bool { return r.Gained && (r.Across() || r.Breaks != "") }

// breaks finds the guarantee that a way widens further.
func (r ReachChange) breaks(after verify.Report) guarantee.ID {
	id := guarantee.NET4
	switch {
	case !r.Gained || r.From.Tenant == "":
		return ""
	case r.To.Namespace == "":
	case r.From.Tenant == r.To.Tenant:
		id = guarantee.NET3
	default:
		return ""
	}
	for _, t := range after.Tenants {
		if row, ok := t.Row(id); t.Tenant == r.From.Tenant && ok && row.Verdict == guarantee.Broken {
			return id
		}
	}
	return ""
}

// atom is units of one namespace that are in the same classes on both sides.
type atom struct {
	End
	classes [2][]*engine.Class
}

// wide compares two networks.
type wide struct {
	networks [2]network
	atoms    []*atom
	of       [2]map[*engine.Class][]*atom
	seen     map[[2]*atom]bool
	out      []ReachChange
}

// reachChanges lists what is gained and what is lost, across tenants first.
func reachChanges(networks [2]network, after verify.Report) []ReachChange {
	w := &wide{networks: networks, seen: map[[2]*atom]bool{}}
	w.split()
	for side, n := range w.networks {
		n.pairs(func(src, dst *engine.Class) bool {
			for _, f := range w.of[side][src] {
				for _, t := range w.of[side][dst] {
					w.compare(f, t)
				}
			}
			return true
		})
	}
	for _, a := range w.atoms {
		w.compareOutside(a)
	}
	for i := range w.out {
		w.out[i].Breaks = w.out[i].breaks(after)
	}
	slices.SortFunc(w.out, func(a, b ReachChange) int {
		return cmp.Or(
			cmp.Compare(first(b.Worsens()), first(a.Worsens())),
			cmp.Compare(first(b.Gained), first(a.Gained)),
			cmp.Compare(first(b.Across()), first(a.Across())),
			slices.Compare(a.From.Members, b.From.Members),
			slices.Compare(a.To.Members, b.To.Members),
			cmp.Compare(a.Ports, b.Ports),
		)
	})
	return w.out
}

// split sorts the units of both sides into atoms.
func (w *wide) split() {
	type place struct {
		classes [2][]*engine.Class
		ids     [2][]int
	}
	places := map[unit]*place{}
	for side, n := range w.networks {
		w.of[side] = map[*engine.Class][]*atom{}
		for id, c := range n.classes {
			for _, pod := range c.Pods {
				u := unitOf(pod)
				if places[u] == nil {
					places[u] = &place{}
				}
				if p := places[u]; !slices.Contains(p.ids[side], id) {
					p.classes[side], p.ids[side] = append(p.classes[side], c), append(p.ids[side], id)
				}
			}
		}
	}
	before, after := w.networks[0].picture, w.networks[1].picture
	known := map[string]*atom{}
	for u, p := range places {
		slices.Sort(p.ids[0])
		slices.Sort(p.ids[1])
		key := fmt.Sprint(u.namespace, p.ids)
		a, ok := known[key]
		if !ok {
			a = &atom{End: End{Tenant: cmp.Or(after.TenantOf(u.namespace), before.TenantOf(u.namespace)), Namespace: u.namespace}, classes: p.classes}
			known[key] = a
			w.atoms = append(w.atoms, a)
			for side, classes := range p.classes {
				for _, c := range classes {
					w.of[side][c] = append(w.of[side][c], a)
				}
			}
		}
		a.Members = append(a.Members, u.String())
	}
	for _, a := range w.atoms {
		slices.Sort(a.Members)
	}
}

// compare notes what two atoms gained and lost. A unit's way to itself counts for nothing.
func (w *wide) compare(from, to *atom) {
	if from == to && len(from.Members) == 1 {
		return
	}
	was, is := w.ports(0, from, to), w.ports(1, from, to)
	if was.Equal(is) || w.seen[[2]*atom{from, to}] {
		return
	}
	w.seen[[2]*atom{from, to}] = true
	w.note(true, from.End, to.End, is.Minus(was))
	w.note(false, from.End, to.End, was.Minus(is))
}

func (w *wide) ports(side int, from, to *atom) netset.Ports {
	var out netset.Ports
	for _, src := range from.classes[side] {
		for _, dst := range to.classes[side] {
			out = out.Union(w.networks[side].between(src, dst))
		}
	}
	return out
}

func (w *wide) compareOutside(a *atom) {
	var open [2][]netset.AddressPorts
	for side, classes := range a.classes {
		for _, c := range classes {
			open[side] = append(open[side], w.networks[side].outside(c)...)
		}
	}
	for side, gained := range []bool{false, true} {
		for _, g := range netset.Subtract(open[side], open[1-side]) {
			to := End{}
			for _, p := range g.Addresses.Prefixes() {
				to.Members = append(to.Members, p.String())
			}
			w.note(gained, a.End, to, g.Ports)
		}
	}
}

func (w *wide) note(gained bool, from, to End, ports netset.Ports) {
	if !ports.Empty() {
		w.out = append(w.out, ReachChange{Gained: gained, From: from, To: to, Ports: ports.String()})
	}
}
