package engine_test

import (
	"encoding/json"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"watertight.dev/watertight/internal/snapshot"
)

// The oracle of the tiers answers one question at a time, slowly, in the words of the
// comments in network-policy-api v1alpha2. It shares no code with the engine or the
// readers. The quotations are the API's.

// question asks: may src open a connection to this port of dst?
type question struct {
	src, dst *corev1.Pod
	protocol corev1.Protocol
	port     int32
}

// verdicts are what may come of a question; both mean that nobody can tell.
type verdicts struct{ allow, deny bool }

// match is whether something matches.
type match int

const (
	no match = iota
	maybe
	yes
)

// oracle is a snapshot with its policies decoded.
type oracle struct {
	*snapshot.Snapshot
	cluster    []*policyv1alpha2.ClusterNetworkPolicy
	priorities []int32 // that occur, in order
}

func newOracle(s *snapshot.Snapshot) *oracle {
	o := &oracle{Snapshot: s}
	for _, u := range s.Others {
		data, err := json.Marshal(u)
		if err != nil {
			panic(err)
		}
		p := &policyv1alpha2.ClusterNetworkPolicy{}
		if err := json.Unmarshal(data, p); err != nil {
			panic(err)
		}
		o.cluster = append(o.cluster, p)
		o.priorities = append(o.priorities, p.Spec.Priority)
	}
	slices.Sort(o.priorities)
	o.priorities = slices.Compact(o.priorities)
	return o
}

// ask answers a question. A dual-stack pod may be reached over either family, so it is
// out of reach only where both are closed.
func (o *oracle) ask(q question) verdicts {
	if q.src == q.dst {
		return verdicts{allow: true}
	}
	out := verdicts{deny: true}
	for _, pair := range families(q.src, q.dst) {
		e := ends{pair[0], pair[1]}
		egress, ingress := o.side(q, e, "Egress"), o.side(q, e, "Ingress")
		out.allow = out.allow || egress.allow && ingress.allow
		out.deny = out.deny && (egress.deny || ingress.deny)
	}
	return out
}

// families pairs the addresses over which two pods can talk; without addresses, nobody
// knows them.
func families(src, dst *corev1.Pod) [][2]string {
	var out [][2]string
	for _, a := range src.Status.PodIPs {
		for _, b := range dst.Status.PodIPs {
			if netip.MustParseAddr(a.IP).Is4() == netip.MustParseAddr(b.IP).Is4() {
				out = append(out, [2]string{a.IP, b.IP})
			}
		}
	}
	if out == nil {
		for _, a := range append(src.Status.PodIPs, corev1.PodIP{})[:max(1, len(src.Status.PodIPs))] {
			for _, b := range append(dst.Status.PodIPs, corev1.PodIP{})[:max(1, len(dst.Status.PodIPs))] {
				out = append(out, [2]string{a.IP, b.IP})
			}
		}
	}
	return out
}

// ends are the addresses of a connection.
type ends struct{ src, dst string }

// side asks the policies of one end about the other. "Policy tiers are evaluated in the
// following order: Admin tier, NetworkPolicy tier, Baseline tier." "If a given connection
// wasn't allowed or denied by any of the tiers, the default kubernetes policy is applied,
// which says that all pods can communicate with each other."
func (o *oracle) side(q question, e ends, direction string) verdicts {
	self, other, address := q.src, q.dst, e.dst
	if direction == "Ingress" {
		self, other, address = q.dst, q.src, e.src
	}
	if self.Spec.HostNetwork { // "host-networked pods are not included in subject selection"
		return verdicts{allow: true}
	}
	v := visit{oracle: o, question: q, direction: direction, self: self, other: other, address: address}
	admin := v.tier(policyv1alpha2.AdminTier)
	out := verdicts{allow: admin["Accept"], deny: admin["Deny"]}
	if !admin["Pass"] && !admin[""] {
		return out
	}
	namespaced, final := v.networkPolicies()
	if !final {
		baseline := v.tier(policyv1alpha2.BaselineTier)
		namespaced = verdicts{allow: baseline["Accept"] || baseline["Pass"] || baseline[""], deny: baseline["Deny"]}
		// "v1.NetworkPolicy always makes a final decision for selected pods": whether that
		// goes for a direction that it does not isolate, implementations do not agree.
		namespaced.allow = namespaced.allow || v.selectedAtAll()
	}
	return verdicts{allow: out.allow || namespaced.allow, deny: out.deny || namespaced.deny}
}

// visit is one side of a question.
type visit struct {
	*oracle
	question
	direction   string
	self, other *corev1.Pod
	address     string // of the other
}

// outcomes are what may come of a tier: an action, or "" where no rule matches.
type outcomes map[string]bool

// tier goes through the policies of a tier. "Policies with lower priority values have
// higher precedence." "If two (or more) policies in the same tier with the same priority
// could match a connection, then the implementation can apply any of the matching
// policies."
func (v *visit) tier(tier policyv1alpha2.Tier) outcomes {
	all := outcomes{}
	for _, priority := range v.priorities {
		each, nothing := outcomes{}, true
		for _, p := range v.cluster {
			if p.Spec.Tier != tier || p.Spec.Priority != priority || !v.subject(p) {
				continue
			}
			got := v.rules(p)
			nothing = nothing && got[""]
			for action := range got {
				if action != "" {
					each[action] = true
				}
			}
		}
		for action := range each {
			all[action] = true
		}
		if !nothing {
			return all
		}
	}
	all[""] = true
	return all
}

// subject reports whether a policy governs self.
func (v *visit) subject(p *policyv1alpha2.ClusterNetworkPolicy) bool {
	if n := p.Spec.Subject.Namespaces; n != nil {
		return v.inNamespaces(n, v.self)
	}
	return v.isPod(p.Spec.Subject.Pods, v.self)
}

// rules goes through the rules of a policy: "a rule that appears at the top of the
// ingress rules would take the highest precedence".
func (v *visit) rules(p *policyv1alpha2.ClusterNetworkPolicy) outcomes {
	out := outcomes{}
	add := func(action policyv1alpha2.ClusterNetworkPolicyRuleAction, m match) (decided bool) {
		if m != no {
			out[string(action)] = true
		}
		return m == yes
	}
	if v.direction == "Ingress" {
		for _, r := range p.Spec.Ingress {
			best := no
			for _, peer := range r.From {
				best = max(best, v.ingressPeer(&peer))
			}
			if v.protocols(r.Protocols) && add(r.Action, best) {
				return out
			}
		}
	} else {
		for _, r := range p.Spec.Egress {
			best := no
			for _, peer := range r.To {
				best = max(best, v.egressPeer(&peer))
			}
			if v.protocols(r.Protocols) && add(r.Action, best) {
				return out
			}
		}
	}
	out[""] = true
	return out
}

func (v *visit) ingressPeer(p *policyv1alpha2.ClusterNetworkPolicyIngressPeer) match {
	return v.egressPeer(&policyv1alpha2.ClusterNetworkPolicyEgressPeer{Namespaces: p.Namespaces, Pods: p.Pods})
}

// egressPeer asks whether the other is a peer. Of namespaces and pods "host-networked
// pods are not included". Nodes are matched "on the IPs present in the
// node.Status.Addresses field". Of networks "cluster-internal traffic will be checked
// against the rule as well". What a domain name stands for, nobody knows.
func (v *visit) egressPeer(p *policyv1alpha2.ClusterNetworkPolicyEgressPeer) match {
	var is bool
	switch {
	case p.Namespaces != nil:
		is = !v.other.Spec.HostNetwork && v.inNamespaces(p.Namespaces, v.other)
	case p.Pods != nil:
		is = !v.other.Spec.HostNetwork && v.isPod(p.Pods, v.other)
	case p.Nodes != nil:
		for _, n := range v.Nodes {
			for _, a := range n.Status.Addresses {
				is = is || a.Address == v.address && selects(p.Nodes, n.Labels)
			}
		}
	case p.Networks != nil:
		if v.address == "" {
			return maybe
		}
		for _, c := range p.Networks {
			is = is || netip.MustParsePrefix(string(c)).Contains(netip.MustParseAddr(v.address))
		}
	case p.DomainNames != nil:
		return maybe
	}
	if is {
		return yes
	}
	return no
}

// protocols asks for the port: "if unspecified, protocol-specific attributes will not be
// used to match traffic".
func (v *visit) protocols(list []policyv1alpha2.ClusterNetworkPolicyProtocol) bool {
	if len(list) == 0 {
		return true
	}
	at := func(protocol corev1.Protocol, p *policyv1alpha2.Port) bool {
		if v.protocol != protocol {
			return false
		}
		if p.Range != nil {
			return p.Range.Start <= v.port && v.port <= p.Range.End
		}
		return p.Number == v.port
	}
	for _, p := range list {
		switch {
		case p.TCP != nil && at(corev1.ProtocolTCP, p.TCP.DestinationPort),
			p.UDP != nil && at(corev1.ProtocolUDP, p.UDP.DestinationPort),
			p.SCTP != nil && at(corev1.ProtocolSCTP, p.SCTP.DestinationPort),
			p.DestinationNamedPort != "" && v.named(p.DestinationNamedPort):
			return true
		}
	}
	return false
}

// named reports whether the destination has a container port of that name here.
func (v *visit) named(name string) bool {
	for _, c := range v.dst.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name && p.Protocol == v.protocol && p.ContainerPort == v.port {
				return true
			}
		}
	}
	return false
}

func (o *oracle) inNamespaces(s *metav1.LabelSelector, pod *corev1.Pod) bool {
	return slices.ContainsFunc(o.Namespaces, func(n *corev1.Namespace) bool {
		return n.Name == pod.Namespace && selects(s, n.Labels)
	})
}

func (o *oracle) isPod(p *policyv1alpha2.NamespacedPod, pod *corev1.Pod) bool {
	return o.inNamespaces(&p.NamespaceSelector, pod) && selects(&p.PodSelector, pod.Labels)
}

// selects asks apimachinery, which the readers do not use.
func selects(s *metav1.LabelSelector, set map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		panic(err)
	}
	return selector.Matches(labels.Set(set))
}
