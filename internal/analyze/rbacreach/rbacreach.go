// Package rbacreach reads RBAC and says what a tenant's identities may do outside their
// tenant, or to their tenant's guards. It follows single rules, not chains of them (that
// is the blast radius), and knows nothing of other authorizers.
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
var answered = []guarantee.ID{guarantee.API1, guarantee.API2, guarantee.API3, guarantee.API4}

// Analyzer judges API-1 to API-4 as far as single RBAC rules decide them.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "rbacreach", Guarantees: slices.Clone(answered), Run: Run}
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	all := allBindings(s)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		findings = append(findings, judge(s, t, all)...)
	}
	return findings
}

func judge(s *snapshot.Snapshot, t *v1alpha1.Tenant, all map[string][]*binding) []guarantee.Finding {
	l := analyze.NewLedger(s, t.Name)
	who := identitiesOf(s, t)
	rules := 0
	charges := newCharges()
	bindings := who.bindings(all)
	for _, b := range bindings {
		subject, i := who.among(b.subjects)
		if b.dangling {
			doubtRole(s, l, b, subject)
		}
		rules += len(b.rules)
		for k, rule := range b.rules {
			g := grant{b, rule, k}
			for _, f := range g.faults(s, t.Name) {
				charges.add(charge{grant: g, fault: f, subject: subject, index: i})
			}
		}
	}
	charges.report(s, l)
	for _, d := range s.Drift() {
		if d.Tenant == t.Name {
			l.Break(guarantee.API4, "LabelDrift", d.Message, analyze.AboutNamespace(s, d.Namespace, d.Message))
		}
	}
	l.Needs(answered, "Tenant", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
	for id, promise := range promises {
		l.Hold(id, "NoSuchRule", fmt.Sprintf("none of the %d RBAC rules that %d bindings give its identities %s", rules, len(bindings), promise),
			analyze.AboutTenant(s, t.Name, "spec.owners", who.String()))
	}
	return l.Close(answered)
}

var promises = map[guarantee.ID]string{
	guarantee.API1: "reads another tenant's objects",
	guarantee.API2: "writes another tenant's or cluster-wide objects",
	guarantee.API3: "leads out of its own namespaces",
	guarantee.API4: "writes its own guards",
}

// doubtRole says that a binding names a role which is not to be seen.
func doubtRole(s *snapshot.Snapshot, l *analyze.Ledger, b *binding, subject string) {
	for _, id := range answered {
		l.Doubt(id, "RoleNotFound", fmt.Sprintf("%s binds %s to %s, which is not among these manifests: what it allows is unknown; add the role", b.key, subject, b.role),
			analyze.AboutKey(s, b.key, "roleRef", "names "+b.role.String()))
	}
}
