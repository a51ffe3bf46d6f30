package rbacreach

import (
	"maps"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze"
)

// agent is a ServiceAccount that acts for a deputy.
type agent struct {
	account placeID
	// opened is set where it heeds objects outside its own namespace, confined where it
	// acts as an account beside the object. It is unclear whether it is opened where no pod
	// of it is seen, or a variable of the pod comes from elsewhere.
	opened, confined, unclear bool
}

// findStaff finds the accounts of each deputy, and how they were started.
func (w *world) findStaff() {
	w.staff = make([][]agent, len(deputies))
	var names []string
	for i := range deputies {
		d := &deputies[i]
		for _, pattern := range d.Accounts {
			found := []string{pattern}
			if strings.Contains(pattern, "*") {
				if names == nil {
					names = slices.Sorted(maps.Keys(w.named))
				}
				found = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !(&deputy{Accounts: []string{pattern}}).runsAs(n) })
			}
			for _, name := range found {
				w.hire(i, name)
			}
		}
	}
}

// hire notes the accounts of a name as a deputy's.
func (w *world) hire(at int, name string) {
	d := &deputies[at]
	for _, id := range w.named[name] {
		if slices.ContainsFunc(w.staff[at], func(a agent) bool { return a.account == id }) {
			continue
		}
		a := agent{account: id}
		running := 0
		for _, pod := range w.s.PodsIn(w.places[id].Namespace) {
			if runsAs(pod) == name {
				running++
				a.unclear = a.unclear || fromElsewhere(pod, d.Opens)
				a.opened = a.opened || started(pod, d.Opens)
				a.confined = a.confined || started(pod, d.Confines)
			}
		}
		a.unclear = !a.opened && (a.unclear || running == 0)
		w.staff[at] = append(w.staff[at], a)
	}
}

// useDeputies adds what an identity may have controllers do by a grant.
func (w *world) useDeputies(id placeID, b *binding) {
	for i := range b.deputies {
		dh := &b.deputies[i]
		d := &deputies[dh.deputy]
		if d.Cluster && (b.namespace != "" || b.bare) {
			continue
		}
		why := because(d.step, held{grant: b, hit: &hit{rule: dh.rule}})
		if d.Gives != "" {
			w.arcTo(id, d.step, why, w.id(analyze.Place{Kind: analyze.PlaceNamespace, Namespace: b.namespace}))
			continue
		}
		for _, a := range w.staff[dh.deputy] {
			if !a.confined && (!d.Home || a.opened || w.reachesHome(b, a)) {
				w.arcTo(id, d.step, why, a.account)
			}
		}
	}
}

// reachesHome reports whether a grant holds in the namespace that an agent runs in.
func (w *world) reachesHome(b *binding, a agent) bool {
	return b.namespace == "" || b.namespace == w.places[a.account].Namespace
}
