package netreach

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
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
		for _, p := range j.engine.PoliciesIn(ns) {
			for d := range p.Rules {
				for i := range p.Rules[d] {
					j.judgeRule(l, ruleIn{p, &p.Rules[d][i], rules.Direction(d)})
				}
			}
		}
	}
	j.judgeGuard(l)
}

// ruleIn is a rule, the policy it stands in and its direction.
type ruleIn struct {
	policy *rules.Policy
	rule   *rules.Rule
	d      rules.Direction
}

func (j *judge) judgeDefaultDeny(l *analyze.Ledger, namespace string) {
	var missing []string
	for _, d := range []rules.Direction{rules.Ingress, rules.Egress} {
		if !slices.ContainsFunc(j.engine.PoliciesIn(namespace), func(p *rules.Policy) bool { return p.Isolates[d] && p.Subject.Labels.Empty() }) {
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
	if in.rule.Action != rules.Allow {
		return
	}
	reason := ""
	var evidence []guarantee.Evidence
	for i := range in.rule.Peers {
		q := &in.rule.Peers[i]
		fault, detail := j.faultOf(l.Tenant, in, q)
		if fault == "" {
			continue
		}
		if reason == "" {
			reason = fault
		}
		evidence = append(evidence, analyze.About(j.snapshot, in.policy.Object, q.Field, detail))
	}
	if reason != "" {
		j.reopen(l, in, reason, evidence)
	}
}

func (j *judge) reopen(l *analyze.Ledger, in ruleIn, reason string, evidence []guarantee.Evidence) {
	j.reopening[in.rule] = true
	word := "Ingress"
	if in.d == rules.Egress {
		word = "Egress"
	}
	l.Break(guarantee.NET5, reason+word, fmt.Sprintf(
		"%s, %s, reopens the floor: it %s; name peers of the tenant's own, or declare the flow in the Tenant (spec.network.flows)",
		snapshot.KeyOf(in.policy.Object), evidence[0].Field, evidence[0].Detail), evidence...)
}

// faultOf says what is wrong with a peer, if anything is.
func (j *judge) faultOf(tenant string, in ruleIn, q *rules.Peer) (reason, detail string) {
	d := j.declarations[tenant]
	switch {
	case q.Everyone:
		return "Peerless", "has no peers and so stands for everybody"
	case q.Addresses != nil:
		return j.blockFault(d, in, q.Addresses)
	case q.Nodes != nil:
		return "Nodes", "names the nodes of the cluster"
	case q.Unknown != "":
		return "", "" // a doubt about the traffic itself
	case q.Pods == nil || q.Pods.Namespace != "" || harmless(q.Pods):
		return "", ""
	}
	foreign, bounded := j.strangers(d, in.d, q.Pods.Namespaces)
	switch {
	case !bounded && q.Pods.Namespaces.Empty():
		return "ForeignNamespace", "selects every namespace"
	case !bounded:
		return "ForeignNamespace", fmt.Sprintf("selects namespaces by %q, which others can match", q.Pods.Namespaces)
	case len(foreign) > 0:
		return "ForeignNamespace", "selects namespaces that no flow declares: " + strings.Join(foreign, ", ")
	}
	return "", ""
}

// blockFault asks whether a flow declares the addresses of a block.
func (j *judge) blockFault(d *declaration, in ruleIn, block netset.Addresses) (reason, detail string) {
	var declared netset.Addresses
	for _, f := range d.flows {
		near, far := f.to, f.from
		if in.d == rules.Egress {
			near, far = f.from, f.to
		}
		if near.namespace == in.policy.Object.GetNamespace() {
			declared = declared.Union(far.addresses)
		}
	}
	if wide := block.Minus(declared); !wide.Empty() {
		return "WideCIDR", "names addresses that no flow declares: " + wide.String()
	}
	return "", ""
}

// harmless reports whether a peer can never match: it asks for a label twice over, with
// values that exclude each other.
func harmless(p *rules.Pods) bool { return contradicts(p.Namespaces) || contradicts(p.Labels) }

func contradicts(s *rules.Selector) bool {
	requirements := s.Requirements()
	for i, a := range requirements {
		for _, b := range requirements[i+1:] {
			if a.Key != b.Key {
				continue
			}
			in := func(r rules.Requirement) bool { return r.Operator == metav1.LabelSelectorOpIn }
			switch {
			case in(a) && in(b) && !slices.ContainsFunc(a.Values, func(v string) bool { return slices.Contains(b.Values, v) }),
				a.Operator == metav1.LabelSelectorOpDoesNotExist && (in(b) || b.Operator == metav1.LabelSelectorOpExists),
				b.Operator == metav1.LabelSelectorOpDoesNotExist && (in(a) || a.Operator == metav1.LabelSelectorOpExists):
				return true
			}
		}
	}
	return false
}

// strangers lists the namespaces that a selector pins by name or tenant and that are
// none of the tenant's business; bounded is false where it pins neither.
func (j *judge) strangers(d *declaration, dir rules.Direction, s *rules.Selector) (foreign []string, bounded bool) {
	for _, r := range s.Requirements() {
		if r.Operator != metav1.LabelSelectorOpIn {
			continue
		}
		switch r.Key {
		case corev1.LabelMetadataName:
			for _, ns := range r.Values {
				if !d.names(dir, ns, j.snapshot.TenantOf(ns)) {
					foreign = append(foreign, ns)
				}
			}
			return foreign, true
		case v1alpha1.LabelTenant:
			for _, name := range r.Values {
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
