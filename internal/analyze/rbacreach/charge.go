package rbacreach

import (
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// charge is a fault with whom and what it goes back to.
type charge struct {
	grant   grant
	fault   fault
	subject string
	index   int // of the subject in its binding
}

// charges gathers faults by guarantee and binding: one binding too many is one finding
// for each guarantee that it breaks.
type charges struct {
	order []chargeKey
	lists map[chargeKey][]charge
}

type chargeKey struct {
	id      guarantee.ID
	binding snapshot.ObjectKey
}

func newCharges() *charges { return &charges{lists: map[chargeKey][]charge{}} }

func (c *charges) add(x charge) {
	key := chargeKey{x.fault.id, x.grant.key}
	if _, ok := c.lists[key]; !ok {
		c.order = append(c.order, key)
	}
	c.lists[key] = append(c.lists[key], x)
}

// report notes a finding for each guarantee and binding. What the binding leads on to is
// told with the escalation.
func (c *charges) report(s *snapshot.Snapshot, l *analyze.Ledger, tail func(snapshot.ObjectKey) (string, []guarantee.Evidence)) {
	for _, key := range c.order {
		list := c.lists[key]
		first := list[0]
		evidence := []guarantee.Evidence{
			analyze.AboutKey(s, key.binding, fmt.Sprintf("subjects[%d]", first.index), "gives "+first.subject+" the role "+first.grant.role.String()),
		}
		var what []string
		for _, x := range list {
			if !slices.Contains(what, x.fault.what) {
				what = append(what, x.fault.what)
				evidence = append(evidence, analyze.AboutKey(s, x.grant.role, fmt.Sprintf("rules[%d]", x.grant.index),
					"allows "+x.fault.what+" ("+x.fault.reference+")"))
			}
		}
		const most = 3
		more := ""
		if len(what) > most {
			more = fmt.Sprintf("; and %d more", len(what)-most)
			what = what[:most]
		}
		onwards := ""
		if key.id == guarantee.API3 {
			text, links := tail(key.binding)
			onwards = text
			evidence = append(evidence, links...)
		}
		l.Break(key.id, first.fault.reason, fmt.Sprintf("%s may %s%s, by %s and %s%s: %s",
			first.subject, strings.Join(what, "; "), more, key.binding, first.grant.role, onwards, remedy(first)), evidence...)
	}
}

func remedy(x charge) string {
	if x.grant.namespace == "" {
		return "delete the binding, or replace it by RoleBindings in the tenant's own namespaces"
	}
	if x.fault.id == guarantee.API4 {
		return "take the right out of the role, or delete the binding"
	}
	return "delete the binding"
}
