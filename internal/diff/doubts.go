package diff

import (
	"fmt"

	"watertight.dev/watertight/internal/snapshot"
)

// doubts notes what keeps the answer from being sure: what could not be read, policies
// that nobody can judge and that changed, and namespaces that no tenant answers for now.
func (c *comparison) doubts(objects map[snapshot.ObjectKey]ObjectChange, networks [2]network) {
	for _, side := range []struct {
		name     string
		snapshot *snapshot.Snapshot
	}{{"before", c.before.Snapshot}, {"after", c.after.Snapshot}} {
		for _, p := range side.snapshot.Missing(everyKind(side.snapshot)...) {
			c.out.Doubts = append(c.out.Doubts, fmt.Sprintf("%s: could not read %s: %s", side.name, p.Source, p.Message))
		}
	}
	for _, key := range unjudged(networks) {
		if o, ok := objects[key]; ok {
			c.out.Doubts = append(c.out.Doubts, fmt.Sprintf("%s was %s, and what it opens or closes cannot be told", key, o.Change))
		}
	}
	for _, name := range c.out.Gone {
		for _, ns := range c.before.Snapshot.NamespacesOf(name) {
			if c.after.Snapshot.Exists(ns) {
				c.out.Doubts = append(c.out.Doubts, fmt.Sprintf("Tenant %s is gone and its namespace %s is still there: nothing is promised of it now", name, ns))
			}
		}
	}
}

// everyKind lists the kinds that problems name, so that Missing returns them all.
func everyKind(s *snapshot.Snapshot) []string {
	var kinds []string
	for _, p := range s.Problems {
		kinds = append(kinds, p.Kind)
	}
	return kinds
}
