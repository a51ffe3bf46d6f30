package netreach

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// direction is ingress or egress.
type direction int

const (
	ingress direction = iota
	egress
)

// String prints the direction as policyTypes does, in lower case.
func (d direction) String() string {
	if d == egress {
		return "egress"
	}
	return "ingress"
}

// policy is a NetworkPolicy in the form in which it is asked.
type policy struct {
	object   *networkingv1.NetworkPolicy
	selector labels.Selector
	isolates [2]bool
	rules    [2][]rule
}

// rule is one ingress or egress rule.
type rule struct {
	// field is the rule's path ("spec.ingress[0]").
	field string
	// ports; none means every port.
	ports []portMatch
	// everyone is set where the rule has no peers.
	everyone bool
	peers    []peer
}

// portMatch is a port of a rule: a range, or a name that each destination resolves.
type portMatch struct {
	name     string
	protocol corev1.Protocol
	ports    Ports
}

// peer is one peer of a rule.
type peer struct {
	field string
	// namespaces is nil for the policy's own namespace.
	namespaces labels.Selector
	pods       labels.Selector
	// block is set for an ipBlock; atom is its place among those that tell pods apart.
	block Addresses
	atom  int
}

// newPolicy reads a NetworkPolicy; an invalid selector or CIDR is an error.
func newPolicy(p *networkingv1.NetworkPolicy) (*policy, error) {
	selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
	if err != nil {
		return nil, fmt.Errorf("read spec.podSelector: %w", err)
	}
	out := &policy{object: p, selector: selector, isolates: isolation(&p.Spec)}
	for i, r := range p.Spec.Ingress {
		if err := out.addRule(ingress, i, r.From, r.Ports); err != nil {
			return nil, err
		}
	}
	for i, r := range p.Spec.Egress {
		if err := out.addRule(egress, i, r.To, r.Ports); err != nil {
			return nil, err
		}
	}
	for d := range out.rules {
		if !out.isolates[d] { // rules of a type that is not named are ignored
			out.rules[d] = nil
		}
	}
	return out, nil
}

// isolation applies the default of policyTypes: ingress always, egress if it has rules.
func isolation(spec *networkingv1.NetworkPolicySpec) [2]bool {
	if len(spec.PolicyTypes) == 0 {
		return [2]bool{true, len(spec.Egress) > 0}
	}
	return [2]bool{
		slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeIngress),
		slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeEgress),
	}
}

func (p *policy) addRule(d direction, i int, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) error {
	field := fmt.Sprintf("spec.%s[%d]", d, i)
	r := rule{field: field, everyone: len(peers) == 0}
	for _, port := range ports {
		r.ports = append(r.ports, newPortMatch(port))
	}
	list := field + ".from"
	if d == egress {
		list = field + ".to"
	}
	for j, from := range peers {
		at := fmt.Sprintf("%s[%d]", list, j)
		q, err := newPeer(from)
		if err != nil {
			return fmt.Errorf("read %s: %w", at, err)
		}
		q.field = at
		r.peers = append(r.peers, q)
	}
	p.rules[d] = append(p.rules[d], r)
	return nil
}

func newPortMatch(p networkingv1.NetworkPolicyPort) portMatch {
	protocol := corev1.ProtocolTCP
	if p.Protocol != nil {
		protocol = *p.Protocol
	}
	switch {
	case p.Port == nil:
		return portMatch{protocol: protocol, ports: PortsOf(protocol, 1, lastPort)}
	case p.Port.StrVal != "":
		return portMatch{protocol: protocol, name: p.Port.StrVal}
	case p.EndPort != nil:
		return portMatch{protocol: protocol, ports: PortsOf(protocol, p.Port.IntVal, *p.EndPort)}
	default:
		return portMatch{protocol: protocol, ports: PortsOf(protocol, p.Port.IntVal, p.Port.IntVal)}
	}
}

func newPeer(p networkingv1.NetworkPolicyPeer) (peer, error) {
	if p.IPBlock != nil {
		block, err := newBlock(p.IPBlock.CIDR, p.IPBlock.Except)
		return peer{block: block}, err
	}
	out := peer{pods: labels.Everything()}
	var err error
	if p.PodSelector != nil {
		if out.pods, err = metav1.LabelSelectorAsSelector(p.PodSelector); err != nil {
			return peer{}, fmt.Errorf("read podSelector: %w", err)
		}
	} else if p.NamespaceSelector == nil {
		out.pods = labels.Nothing()
	}
	if p.NamespaceSelector != nil {
		if out.namespaces, err = metav1.LabelSelectorAsSelector(p.NamespaceSelector); err != nil {
			return peer{}, fmt.Errorf("read namespaceSelector: %w", err)
		}
	}
	return out, nil
}

// newBlock is the addresses of a CIDR without the excepted ones. It is never nil, even
// where everything is excepted.
func newBlock(cidr string, except []string) (Addresses, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("read cidr: %w", err)
	}
	out := AddressesOf(prefix)
	for _, e := range except {
		cut, err := netip.ParsePrefix(e)
		if err != nil {
			return nil, fmt.Errorf("read except: %w", err)
		}
		out = out.Minus(AddressesOf(cut))
	}
	if out == nil {
		out = Addresses{}
	}
	return out, nil
}

// fixed is the ports of a rule that do not depend on the destination.
func (r rule) fixed() Ports {
	if len(r.ports) == 0 {
		return AllPorts()
	}
	var out Ports
	for _, m := range r.ports {
		out = out.Union(m.ports)
	}
	return out
}

// named reports whether the rule has ports that the destination must resolve.
func (r rule) named() bool {
	return slices.ContainsFunc(r.ports, func(m portMatch) bool { return m.name != "" })
}

// at is the ports of a rule at a destination.
func (r rule) at(destination *Class) Ports {
	out := r.fixed()
	for _, m := range r.ports {
		if m.name != "" {
			out = out.Union(destination.named[portName{m.name, m.protocol}])
		}
	}
	return out
}
