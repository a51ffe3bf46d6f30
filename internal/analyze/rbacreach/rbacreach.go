// Package rbacreach reads RBAC and says what a tenant's identities may do outside their
// tenant, or to their tenant's guards: by single rules, by chains of them, and through
// controllers that act on what a tenant writes. It knows nothing of other authorizers,
// and does not judge what a pod may do to its node.
package rbacreach

import (
	"fmt"
	"slices"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{guarantee.API1, guarantee.API2, guarantee.API3, guarantee.API4, guarantee.API5}

// Analyzer judges API-1 to API-5 as far as RBAC decides them.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "rbacreach", Guarantees: slices.Clone(answered), Run: Run, Edges: Edges}
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	bindings, roles := allBindings(s)
	c := newClosure(newWorld(s, bindings, roles))
	all := bySubject(bindings)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := &judge{s: s, tenant: t, ledger: analyze.NewLedger(s, t.Name), who: identitiesOf(s, t)}
		findings = append(findings, j.run(c, j.who.bindings(all))...)
	}
	return findings
}

// judge is what the judgements of one tenant share.
type judge struct {
	s      *snapshot.Snapshot
	tenant *v1alpha1.Tenant
	ledger *analyze.Ledger
	who    *identities
}

func (j *judge) run(c *closure, bindings []*binding) []guarantee.Finding {
	l := j.ledger
	charges, charged, rules := j.charge(bindings)
	own := c.ownPlaces(j.tenant)
	roots := c.roots(own)
	tails := c.leads(roots).report(l, charged)
	charges.report(j.s, l, func(binding snapshot.ObjectKey) (string, []guarantee.Evidence) {
		return c.tail(tails[binding])
	})
	c.doubtDeputies(l, bindings)
	c.doubtTokens(l, own)
	for _, d := range j.s.Drift() {
		if d.Tenant == j.tenant.Name {
			l.Break(guarantee.API4, "LabelDrift", d.Message, analyze.AboutNamespace(j.s, d.Namespace, d.Message))
		}
	}
	l.Needs(answered, "Tenant", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
	for id, promise := range promises {
		l.Hold(id, "NoSuchRule", fmt.Sprintf("none of the %d RBAC rules that %d bindings give its identities %s", rules, len(bindings), promise),
			analyze.AboutTenant(j.s, j.tenant.Name, "spec.owners", j.who.String()))
	}
	return l.Close(answered)
}

// charge judges every rule that a tenant's identities hold, on its own.
func (j *judge) charge(bindings []*binding) (all *charges, byRule map[chargedRule][]fault, rules int) {
	all, byRule = newCharges(), map[chargedRule][]fault{}
	for _, b := range bindings {
		subject, i := j.who.among(b.subjects)
		if b.dangling {
			doubtRole(j.s, j.ledger, b, subject)
		}
		rules += len(b.rules)
		for k, rule := range b.rules {
			g := grant{b, rule, k}
			faults := g.faults(j.s, j.tenant.Name)
			for _, f := range faults {
				all.add(charge{grant: g, fault: f, subject: subject, index: i})
			}
			if len(faults) > 0 {
				byRule[chargedRule{b, k}] = faults
			}
		}
	}
	return all, byRule, rules
}

var promises = map[guarantee.ID]string{
	guarantee.API1: "reads another tenant's objects",
	guarantee.API2: "writes another tenant's or cluster-wide objects",
	guarantee.API3: "leads out of its own namespaces, alone or in a chain",
	guarantee.API4: "writes its own guards",
	guarantee.API5: "writes what a known controller acts on with rights of its own",
}

// doubtRole says that a binding names a role which is not to be seen.
func doubtRole(s *snapshot.Snapshot, l *analyze.Ledger, b *binding, subject string) {
	for _, id := range answered {
		l.Doubt(id, "RoleNotFound", fmt.Sprintf("%s binds %s to %s, which is not among these manifests: what it allows is unknown; add the role", b.key, subject, b.role),
			analyze.AboutKey(s, b.key, "roleRef", "names "+b.role.String()))
	}
}
