package engine

import (
	"maps"
	"slices"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// keyTable counts which labels and port names policies ask for: pods that differ in
// nothing else are of one class. Selectors that can only concern one namespace count
// there alone.
type keyTable struct {
	fixed []string
	all   map[string]int
	local map[string]map[string]int // namespace → key
	ports map[string]int
	// gained are the keys and names that were not there before.
	gained map[gainedKey]bool
}

// gainedKey is a key that came up in one namespace, or everywhere ("").
type gainedKey struct{ namespace, key string }

func newKeyTable(fixed []string) keyTable {
	t := keyTable{
		fixed: fixed, all: map[string]int{}, local: map[string]map[string]int{},
		ports: map[string]int{}, gained: map[gainedKey]bool{},
	}
	for _, k := range fixed {
		t.all[k]++
	}
	return t
}

// of lists the keys that count in a namespace, sorted.
func (t *keyTable) of(namespace string) []string {
	keys := slices.Collect(maps.Keys(t.all))
	for k := range t.local[namespace] {
		if t.all[k] == 0 {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// count adds or removes what a policy asks for.
func (t *keyTable) count(p *rules.Policy, by int) {
	t.pods(&p.Subject, by)
	for d := range p.Rules {
		for i := range p.Rules[d] {
			r := &p.Rules[d][i]
			for k := range r.Peers {
				if r.Peers[k].Pods != nil {
					t.pods(r.Peers[k].Pods, by)
				}
			}
			for k := range r.Ports {
				if name := r.Ports[k].Name; name != "" {
					t.bump(t.ports, gainedKey{"", name}, by)
				}
			}
		}
	}
}

func (t *keyTable) pods(p *rules.Pods, by int) {
	requirements := p.Labels.Requirements()
	if len(requirements) == 0 {
		return
	}
	counts := t.all
	if p.Namespace != "" {
		counts = t.local[p.Namespace]
		if counts == nil {
			counts = map[string]int{}
			t.local[p.Namespace] = counts
		}
	}
	for i := range requirements {
		t.bump(counts, gainedKey{p.Namespace, requirements[i].Key}, by)
	}
}

func (t *keyTable) bump(counts map[string]int, at gainedKey, by int) {
	if counts[at.key] == 0 {
		t.gained[at] = true
	}
	if counts[at.key] += by; counts[at.key] <= 0 {
		delete(counts, at.key)
	}
}
