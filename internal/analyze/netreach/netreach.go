package netreach

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{guarantee.NET1, guarantee.NET3, guarantee.NET4, guarantee.NET5, guarantee.NET8}

// needed are the kinds without which none of them can be judged.
var needed = []string{
	"Tenant", "TenantClass", "Namespace", "NetworkPolicy", "Pod", "Deployment", "StatefulSet",
	"DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController",
}

// Analyzer judges NET-1, NET-3, NET-4, NET-5 and NET-8.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "netreach", Guarantees: slices.Clone(answered), Run: Run}
}

// judge holds what the judgements share.
type judge struct {
	snapshot     *snapshot.Snapshot
	reach        *Reach
	declarations map[string]*declaration
	ledgers      map[string]*analyze.Ledger
	culprits     *culprits
	// reopening are the rules, by policy and path, that NET-5 names.
	reopening map[ruleKey]bool
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	j := &judge{
		snapshot: s, declarations: map[string]*declaration{}, ledgers: map[string]*analyze.Ledger{},
		culprits: newCulprits(), reopening: map[ruleKey]bool{},
		reach: New(s, Options{Hypothetical: ghosts(s), Keys: keys(s)}),
	}
	for _, t := range s.Tenants {
		j.declarations[t.Name] = declare(s, t)
		j.ledgers[t.Name] = analyze.NewLedger(s, t.Name)
	}
	for _, t := range s.Tenants {
		j.judgeFloor(t)
	}
	j.judgePairs()
	j.judgeOutside()
	j.judgeLatent()
	j.culprits.report(j)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		l := j.ledgers[t.Name]
		j.doubts(l, t)
		j.grounds(l, t)
		findings = append(findings, l.Close(answered)...)
	}
	return findings
}

// doubts notes what keeps the judgements from being certain.
func (j *judge) doubts(l *analyze.Ledger, t *v1alpha1.Tenant) {
	l.Needs(answered, needed...)
	l.NeedsNamespaces(answered)
	if class := j.snapshot.ClassOf(t); class == nil {
		message := fmt.Sprintf("TenantClass %s of tenant %s does not exist: what it declares (DNS, ingress controllers, bounds) is unknown; create it or correct spec.className", t.Spec.ClassName, t.Name)
		for _, id := range answered {
			l.Doubt(id, "ClassNotFound", message, analyze.AboutTenant(j.snapshot, t.Name, "spec.className", t.Spec.ClassName))
		}
	}
	for p, err := range j.reach.Invalid {
		if j.snapshot.TenantOf(p.Namespace) != t.Name {
			continue
		}
		for _, id := range answered {
			l.Doubt(id, "PolicyInvalid", fmt.Sprintf("NetworkPolicy %s/%s cannot be read (%v): correct it", p.Namespace, p.Name, err),
				analyze.About(j.snapshot, p, "spec", err.Error()))
		}
	}
	var opening []*unstructured.Unstructured
	for _, o := range Foreign(j.snapshot) {
		if !onlyCloses(o) {
			opening = append(opening, o)
		}
	}
	if len(opening) == 0 {
		return
	}
	var evidence []guarantee.Evidence
	var kinds []string
	for _, o := range opening {
		if !slices.Contains(kinds, o.GetKind()) {
			kinds = append(kinds, o.GetKind())
			evidence = append(evidence, analyze.About(j.snapshot, o, "", "is not judged"))
		}
	}
	for _, id := range answered {
		l.Doubt(id, "UnknownPolicyKind", fmt.Sprintf("policies of kind %s are in force and not judged: what they open or close is unknown", strings.Join(kinds, ", ")), evidence...)
	}
}

// onlyCloses reports whether a cluster-wide policy has no rule but Deny and Pass, so that
// it cannot open what NetworkPolicies close.
func onlyCloses(o *unstructured.Unstructured) bool {
	if o.GroupVersionKind().Group != "policy.networking.k8s.io" {
		return false
	}
	for _, list := range []string{"ingress", "egress"} {
		rules, _, err := unstructured.NestedSlice(o.Object, "spec", list)
		if err != nil {
			return false
		}
		for _, r := range rules {
			fields, ok := r.(map[string]any)
			if !ok || fields["action"] != "Deny" && fields["action"] != "Pass" {
				return false
			}
		}
	}
	return true
}

// grounds says what a guarantee rests on where nothing speaks against it.
func (j *judge) grounds(l *analyze.Ledger, t *v1alpha1.Tenant) {
	var evidence []guarantee.Evidence
	pods, policies := 0, 0
	for _, ns := range j.snapshot.NamespacesOf(t.Name) {
		pods += len(j.snapshot.PodsIn(ns))
		policies += len(j.reach.policies[ns])
		for _, p := range j.reach.policies[ns] {
			if p.selector.Empty() && p.isolates[ingress] && p.isolates[egress] {
				evidence = append(evidence, analyze.About(j.snapshot, p.object, "spec.podSelector", "isolates every pod of "+ns))
				break
			}
		}
	}
	rests := fmt.Sprintf("by the %d NetworkPolicies of its %d namespaces, for its %d pods", policies, len(j.snapshot.NamespacesOf(t.Name)), pods)
	if pods == 0 {
		rests += " (none exist yet) and for any that it may create"
	}
	l.Hold(guarantee.NET1, "Isolated", "no undeclared traffic between tenant "+t.Name+" and another is possible "+rests, evidence...)
	l.Hold(guarantee.NET3, "DeclaredOnly", "between its namespaces only declared flows are open "+rests, evidence...)
	l.Hold(guarantee.NET4, "DeclaredOnly", "egress is open only as declared, and not to metadata addresses, "+rests, evidence...)
	l.Hold(guarantee.NET5, "FloorInPlace", "every namespace denies by default, no rule reopens it, and the guard refuses such rules", evidence...)
	l.Hold(guarantee.NET8, "NoLatentAllow", "every rule that admits or reaches another namespace has its other half "+rests, evidence...)
}
