package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// NetworkPolicy reads a NetworkPolicy v1
// (kubernetes.io/docs/concepts/services-networking/network-policies). An invalid selector
// or CIDR is an error that names its field.
func (r *Reader) NetworkPolicy(p *networkingv1.NetworkPolicy) (*Policy, error) {
	selector, err := r.Selector(&p.Spec.PodSelector)
	if err != nil {
		return nil, fmt.Errorf("spec.podSelector: %w", err)
	}
	out := r.room.policies.One()
	*out = Policy{
		Object: p, Tier: TierNamespace, Isolates: isolation(&p.Spec),
		Subject: Pods{Namespace: p.Namespace, Labels: selector},
	}
	if out.Isolates[Ingress] && len(p.Spec.Ingress) > 0 { // rules of a type that is not named are ignored
		out.Rules[Ingress] = r.room.rules.Take(len(p.Spec.Ingress))
		for i := range p.Spec.Ingress {
			rule := &p.Spec.Ingress[i]
			if err := r.npRule(&out.Rules[Ingress][i], npRule{p.Namespace, Ingress, i, rule.From, rule.Ports}); err != nil {
				return nil, err
			}
		}
	}
	if out.Isolates[Egress] && len(p.Spec.Egress) > 0 {
		out.Rules[Egress] = r.room.rules.Take(len(p.Spec.Egress))
		for i := range p.Spec.Egress {
			rule := &p.Spec.Egress[i]
			if err := r.npRule(&out.Rules[Egress][i], npRule{p.Namespace, Egress, i, rule.To, rule.Ports}); err != nil {
				return nil, err
			}
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

// npRule is a rule as NetworkPolicy writes it, and its place.
type npRule struct {
	namespace string
	direction Direction
	index     int
	peers     []networkingv1.NetworkPolicyPeer
	ports     []networkingv1.NetworkPolicyPort
}

func (r *Reader) npRule(out *Rule, in npRule) error {
	out.Field = npField(in.direction, in.index, -1)
	if len(in.ports) > 0 {
		out.Ports = r.room.ports.Take(len(in.ports))
		for i := range in.ports {
			out.Ports[i] = r.npPort(&in.ports[i])
		}
	}
	if len(in.peers) == 0 {
		out.Peers = r.room.peers.Take(1)
		out.Peers[0] = Peer{Field: out.Field, Everyone: true}
		return nil
	}
	out.Peers = r.room.peers.Take(len(in.peers))
	for i := range in.peers {
		field := npField(in.direction, in.index, i)
		if err := r.npPeer(&out.Peers[i], in.namespace, &in.peers[i]); err != nil {
			return fmt.Errorf("%s.%w", field, err)
		}
		out.Peers[i].Field = field
	}
	return nil
}

// npFields are the paths of the first rules and peers: thousands of policies share them.
var npFields = func() (out [2][8][9]string) {
	for d := range out {
		for i := range out[d] {
			for j := range out[d][i] {
				out[d][i][j] = writeField(Direction(d), i, j-1)
			}
		}
	}
	return out
}()

// npField is the path of a rule, or of a peer of it where peer is not negative.
func npField(d Direction, rule, peer int) string {
	if rule < len(npFields[d]) && peer+1 < len(npFields[d][rule]) {
		return npFields[d][rule][peer+1]
	}
	return writeField(d, rule, peer)
}

func writeField(d Direction, rule, peer int) string {
	field := "spec." + d.String() + "[" + strconv.Itoa(rule) + "]"
	switch {
	case peer < 0:
		return field
	case d == Ingress:
		return field + ".from[" + strconv.Itoa(peer) + "]"
	default:
		return field + ".to[" + strconv.Itoa(peer) + "]"
	}
}

func (r *Reader) npPort(p *networkingv1.NetworkPolicyPort) Port {
	protocol := corev1.ProtocolTCP
	if p.Protocol != nil {
		protocol = *p.Protocol
	}
	switch {
	case p.Port == nil:
		return Port{Protocol: protocol, Ports: r.ports(protocol, 1, netset.LastPort)}
	case p.Port.StrVal != "":
		return Port{Protocol: protocol, Name: p.Port.StrVal}
	case p.EndPort != nil:
		return Port{Protocol: protocol, Ports: r.ports(protocol, p.Port.IntVal, *p.EndPort)}
	default:
		return Port{Protocol: protocol, Ports: r.ports(protocol, p.Port.IntVal, p.Port.IntVal)}
	}
}

func (r *Reader) npPeer(out *Peer, namespace string, p *networkingv1.NetworkPolicyPeer) error {
	var err error
	if p.IPBlock != nil {
		out.Addresses, err = Block(p.IPBlock.CIDR, p.IPBlock.Except)
		if err != nil {
			return fmt.Errorf("ipBlock.%w", err)
		}
		return nil
	}
	out.Pods = r.room.pods.One()
	if p.PodSelector != nil {
		if out.Pods.Labels, err = r.Selector(p.PodSelector); err != nil {
			return fmt.Errorf("podSelector: %w", err)
		}
	}
	if p.NamespaceSelector == nil {
		out.Pods.Namespace = namespace
		if p.PodSelector == nil { // selects nothing; an API server refuses it
			out.Pods = nil
			out.Addresses = netset.Addresses{}
		}
		return nil
	}
	if out.Pods.Namespaces, err = r.Selector(p.NamespaceSelector); err != nil {
		return fmt.Errorf("namespaceSelector: %w", err)
	}
	return nil
}

// Block is the addresses of a CIDR without the excepted ones. It is never nil, even where
// everything is excepted.
func Block(cidr string, except []string) (netset.Addresses, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("cidr: %w", err)
	}
	out := netset.AddressesOf(prefix)
	for _, e := range except {
		cut, err := netip.ParsePrefix(e)
		if err != nil {
			return nil, fmt.Errorf("except: %w", err)
		}
		out = out.Minus(netset.AddressesOf(cut))
	}
	if out == nil {
		out = netset.Addresses{}
	}
	return out, nil
}
