package netreach

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// networkGuard is the admission policy that refuses tenants' reopening rules.
const networkGuard = "watertight-networkpolicy"

// judgeFloor asks whether the tenant can reopen what is denied (NET-5): is there a
// default deny in every namespace, does a rule reopen it, is the guard in force?
func (j *judge) judgeFloor(t *v1alpha1.Tenant) {
	l := j.ledgers[t.Name]
	for _, ns := range j.snapshot.NamespacesOf(t.Name) {
		if j.snapshot.Exists(ns) {
			j.judgeDefaultDeny(l, ns)
		}
		for _, p := range j.reach.policies[ns] {
			for d := range p.rules {
				for _, r := range p.rules[d] {
					j.judgeRule(l, ruleIn{p, r, direction(d)})
				}
			}
		}
	}
	j.judgeGuard(l)
}

func (j *judge) judgeDefaultDeny(l *analyze.Ledger, namespace string) {
	var missing []string
	for _, d := range []direction{ingress, egress} {
		if !slices.ContainsFunc(j.reach.policies[namespace], func(p *policy) bool { return p.isolates[d] && p.selector.Empty() }) {
			missing = append(missing, d.String())
		}
	}
	if len(missing) == 0 || !l.Complete("NetworkPolicy") {
		return
	}
	what := strings.Join(missing, " and ")
	l.Break(guarantee.NET5, "NoDefaultDeny",
		fmt.Sprintf("namespace %s has no NetworkPolicy that denies %s by default: add one with an empty podSelector and both policyTypes", namespace, what),
		analyze.AboutNamespace(j.snapshot, namespace, "no NetworkPolicy with an empty podSelector isolates "+what))
}

// judgeRule names a rule that reopens the floor, with each peer that does.
func (j *judge) judgeRule(l *analyze.Ledger, in ruleIn) {
	object := in.policy.object
	if in.rule.everyone {
		j.reopen(l, in, "Peerless", []guarantee.Evidence{analyze.About(j.snapshot, object, in.rule.field, "has no peers and so stands for everybody")})
		return
	}
	reason := ""
	var evidence []guarantee.Evidence
	for _, q := range in.rule.peers {
		fault, detail := j.faultOf(l.Tenant, in, &q)
		if fault == "" {
			continue
		}
		if reason == "" {
			reason = fault
		}
		evidence = append(evidence, analyze.About(j.snapshot, object, q.field, detail))
	}
	if reason != "" {
		j.reopen(l, in, reason, evidence)
	}
}

func (j *judge) reopen(l *analyze.Ledger, in ruleIn, reason string, evidence []guarantee.Evidence) {
	object := in.policy.object
	j.reopening[ruleKey{object.Namespace, object.Name, in.rule.field}] = true
	word := "Ingress"
	if in.d == egress {
		word = "Egress"
	}
	l.Break(guarantee.NET5, reason+word, fmt.Sprintf(
		"NetworkPolicy %s/%s, %s, reopens the floor: it %s; name peers of the tenant's own, or declare the flow in the Tenant (spec.network.flows)",
		object.Namespace, object.Name, evidence[0].Field, evidence[0].Detail), evidence...)
}

// faultOf says what is wrong with a peer, if anything is.
func (j *judge) faultOf(tenant string, in ruleIn, q *peer) (reason, detail string) {
	d := j.declarations[tenant]
	if q.block != nil {
		var declared Addresses
		for _, f := range d.flows {
			near, far := f.to, f.from
			if in.d == egress {
				near, far = f.from, f.to
			}
			if near.namespace == in.policy.object.Namespace {
				declared = declared.Union(far.addresses)
			}
		}
		if wide := q.block.Minus(declared); !wide.Empty() {
			return "WideCIDR", "names addresses that no flow declares: " + wide.String()
		}
		return "", ""
	}
	if q.namespaces == nil || j.harmless(q) {
		return "", ""
	}
	foreign, bounded := j.strangers(d, in.d, q.namespaces)
	switch {
	case !bounded:
		if q.namespaces.Empty() {
			return "ForeignNamespace", "selects every namespace"
		}
		return "ForeignNamespace", fmt.Sprintf("selects namespaces by %q, which others can match", q.namespaces)
	case len(foreign) > 0:
		return "ForeignNamespace", "selects namespaces that no flow declares: " + strings.Join(foreign, ", ")
	}
	return "", ""
}

// harmless reports whether a peer can never match.
func (j *judge) harmless(q *peer) bool {
	_, some := q.pods.Requirements()
	_, any := q.namespaces.Requirements()
	return !some || !any
}

// strangers lists the namespaces that a selector pins by name or tenant and that are
// none of the tenant's business; bounded is false where it pins neither.
func (j *judge) strangers(d *declaration, dir direction, s labels.Selector) (foreign []string, bounded bool) {
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		if r.Operator() != selection.In && r.Operator() != selection.Equals && r.Operator() != selection.DoubleEquals {
			continue
		}
		values := r.Values().UnsortedList()
		slices.Sort(values)
		switch r.Key() {
		case corev1.LabelMetadataName:
			for _, ns := range values {
				if !d.names(dir, ns, j.snapshot.TenantOf(ns)) {
					foreign = append(foreign, ns)
				}
			}
			return foreign, true
		case v1alpha1.LabelTenant:
			for _, name := range values {
				if name != d.tenant {
					foreign = append(foreign, "those of tenant "+name)
				}
			}
			return foreign, true
		}
	}
	return nil, false
}

// judgeGuard asks for the admission policy that refuses reopening rules.
func (j *judge) judgeGuard(l *analyze.Ledger) {
	fault := guardFault(j.snapshot)
	missing := analyze.AboutKey(j.snapshot, snapshot.ObjectKey{
		Group: admissionv1.GroupName, Kind: "ValidatingAdmissionPolicy", Name: networkGuard,
	}, "", fault)
	switch {
	case fault == "":
	case len(j.snapshot.Missing("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")) > 0:
		l.Needs([]guarantee.ID{guarantee.NET5}, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
	case j.snapshot.Origin == snapshot.OriginLive:
		l.Break(guarantee.NET5, "GuardMissing", "nothing refuses a policy that reopens the floor: "+fault+"; run watertight install", missing)
	default:
		l.Doubt(guarantee.NET5, "GuardNotSeen", "whether a policy that reopens the floor would be refused cannot be told from these manifests: "+fault, missing)
	}
}

// guardFault says why the guard is not in force; it is empty where it is.
func guardFault(s *snapshot.Snapshot) string {
	i := slices.IndexFunc(s.Policies, func(p *admissionv1.ValidatingAdmissionPolicy) bool { return p.Name == networkGuard })
	if i < 0 {
		return "ValidatingAdmissionPolicy " + networkGuard + " is missing"
	}
	if f := s.Policies[i].Spec.FailurePolicy; f != nil && *f == admissionv1.Ignore {
		return "ValidatingAdmissionPolicy " + networkGuard + " fails open (spec.failurePolicy: Ignore)"
	}
	bound := slices.ContainsFunc(s.PolicyBindings, func(b *admissionv1.ValidatingAdmissionPolicyBinding) bool {
		return b.Spec.PolicyName == networkGuard && slices.Contains(b.Spec.ValidationActions, admissionv1.Deny)
	})
	if !bound {
		return "no ValidatingAdmissionPolicyBinding denies by " + networkGuard
	}
	return ""
}
