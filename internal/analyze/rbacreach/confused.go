package rbacreach

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// doubtDeputies says what cannot be told about the controllers that act on what a tenant
// writes: those that are not seen, those whose start options are not, and those that
// nobody has described.
func (c *closure) doubtDeputies(l *analyze.Ledger, bindings []*binding) {
	told := map[string]bool{}
	for _, b := range bindings {
		for _, dh := range b.deputies {
			d := &deputies[dh.deputy]
			reason, why := c.doubtOf(d, dh, b)
			if reason == "" || told[d.ID] {
				continue
			}
			told[d.ID] = true
			l.Doubt(guarantee.API5, reason, fmt.Sprintf("%s lets it write %s, and whoever may %s: cannot tell: %s; %s", b.role, d.Resources[0]+"."+d.Groups[0], d.Effect, why, d.Fix),
				analyze.AboutKey(c.s, b.role, fmt.Sprintf("rules[%d]", dh.rule), "bound by "+b.key.String()+" ("+d.Reference+")"))
		}
		c.doubtGroups(l, b, told)
	}
}

// doubtOf says why a deputy cannot be judged for a grant, if it cannot.
func (c *closure) doubtOf(d *deputy, dh deputyHit, b *binding) (reason, why string) {
	if d.Gives != "" || d.Cluster && b.namespace != "" {
		return "", ""
	}
	// An account in the tenant's own namespaces may bear any name, and proves nothing.
	agents := slices.DeleteFunc(slices.Clone(c.staff[dh.deputy]), func(a agent) bool { return c.own[a.account] == c.epoch })
	switch {
	case len(agents) == 0 && !dh.named:
		return "", ""
	case d.Unless != "":
		return "ControllerUnclear", "it is in order if " + d.Unless
	case len(agents) == 0:
		return "ControllerNotSeen", fmt.Sprintf("no ServiceAccount of %s is seen, and so not what it may do", d.Controller)
	}
	for _, a := range agents {
		if d.Home && len(d.Opens) > 0 && a.unclear && !c.reachesHome(b, a) {
			return "ControllerUnclear", fmt.Sprintf("how %s was started, and so whether it heeds this namespace, is not seen", d.Controller)
		}
	}
	return "", ""
}

// doubtGroups says that a rule writes kinds of which no controller is known.
func (c *closure) doubtGroups(l *analyze.Ledger, b *binding, told map[string]bool) {
	for k := range b.rules {
		rule := &b.rules[k]
		if !writes(rule) || len(rule.Resources) == 0 {
			continue
		}
		for _, g := range rule.APIGroups {
			if quiet[g] || told["group "+g] || described(g) {
				continue
			}
			told["group "+g] = true
			reason, what := "UnknownController", "the kinds of "+g
			if g == rbacv1.APIGroupAll {
				what = "the kinds of every group there is or will be"
			}
			l.Doubt(guarantee.API5, reason, fmt.Sprintf("%s lets it write %s: cannot tell which controller acts on them, and with which rights; name in the role only groups that are known", b.role, what),
				analyze.AboutKey(c.s, b.role, fmt.Sprintf("rules[%d].apiGroups", k), "names "+g+", bound by "+b.key.String()))
		}
	}
}

// described reports whether the table of deputies has a group.
func described(group string) bool {
	return slices.ContainsFunc(deputies, func(d deputy) bool { return slices.Contains(d.Groups, group) })
}
