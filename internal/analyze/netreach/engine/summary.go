package engine

import (
	"fmt"
	"strings"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// End is one end of a summary line: groups of pods, or CIDRs.
type End struct {
	// Name for people.
	Name string
	// Groups of pods; nil for addresses.
	Groups []*Group
	// Addresses, where the end is no pods.
	Addresses netset.Addresses
}

// Members yields the end's pods ("namespace/name") or CIDRs.
func (x End) Members(yield func(string) bool) {
	for _, g := range x.Groups {
		for _, c := range g.Classes {
			for _, p := range c.Pods {
				if !yield(podName(p)) {
					return
				}
			}
		}
	}
	for _, prefix := range x.Addresses.Prefixes() {
		if !yield(prefix.String()) {
			return
		}
	}
}

// Line is what one end may open to another.
type Line struct {
	From, To End
	Reach
}

// Summary yields what is allowed between groups that have pods, and from them to
// addresses outside the cluster: groups are pods that no policy tells apart.
func (e *Engine) Summary(yield func(Line) bool) {
	going := true
	e.Flows(func(f Flow) bool {
		from, to := inhabited(f.From.Groups), inhabited(f.To.Groups)
		kept := to[:0:0]
		for _, g := range to {
			if !f.Excepts(g) {
				kept = append(kept, g)
			}
		}
		if len(from) > 0 && len(kept) > 0 {
			going = yield(Line{named(from), named(kept), f.Reach})
		}
		return going
	})
	for _, g := range e.prepare().groups {
		if len(inhabited([]*Group{g})) == 0 {
			continue
		}
		for _, a := range e.Outside(rules.Egress, g.Classes[0]) {
			to := End{Name: a.Addresses.String(), Addresses: a.Addresses}
			if going = going && yield(Line{named([]*Group{g}), to, a.Reach}); !going {
				return
			}
		}
	}
}

// inhabited are the groups that have pods.
func inhabited(groups []*Group) []*Group {
	out := make([]*Group, 0, len(groups))
	for _, g := range groups {
		for _, c := range g.Classes {
			if len(c.Pods) > 0 {
				out = append(out, g)
				break
			}
		}
	}
	return out
}

// named names groups by their pods, the first of them and how many more.
func named(groups []*Group) End {
	const most = 1
	var names []string
	pods := 0
	for _, g := range groups {
		for _, c := range g.Classes {
			for _, p := range c.Pods {
				if pods++; len(names) < most {
					names = append(names, podName(p))
				}
			}
		}
	}
	name := strings.Join(names, ", ")
	if more := pods - len(names); more > 0 {
		name += fmt.Sprintf(" and %d more", more)
	}
	return End{Name: name, Groups: groups}
}
