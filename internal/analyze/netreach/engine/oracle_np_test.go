package engine_test

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// networkPolicies is the middle tier: "v1.NetworkPolicy always makes a final decision for
// selected pods". An ipBlock is taken to match pods.
func (v *visit) networkPolicies() (out verdicts, final bool) {
	best := no
	for _, p := range v.NetworkPolicies {
		if p.Namespace != v.self.Namespace || !selects(&p.Spec.PodSelector, v.self.Labels) {
			continue
		}
		for _, t := range p.Spec.PolicyTypes {
			if string(t) != v.direction {
				continue
			}
			final = true
			if v.direction == "Ingress" {
				for _, r := range p.Spec.Ingress {
					best = max(best, v.networkRule(p.Namespace, r.From, r.Ports))
				}
			} else {
				for _, r := range p.Spec.Egress {
					best = max(best, v.networkRule(p.Namespace, r.To, r.Ports))
				}
			}
		}
	}
	return verdicts{allow: best != no, deny: best != yes}, final
}

// selectedAtAll reports whether a NetworkPolicy selects the pod in any direction.
func (v *visit) selectedAtAll() bool {
	for _, p := range v.NetworkPolicies {
		if p.Namespace == v.self.Namespace && selects(&p.Spec.PodSelector, v.self.Labels) && len(p.Spec.PolicyTypes) > 0 {
			return true
		}
	}
	return false
}

func (v *visit) networkRule(namespace string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) match {
	open := len(ports) == 0
	for _, p := range ports {
		open = open || v.networkPort(&p)
	}
	if !open {
		return no
	}
	if len(peers) == 0 {
		return yes
	}
	best := no
	for _, p := range peers {
		best = max(best, v.networkPeer(namespace, &p))
	}
	return best
}

func (v *visit) networkPort(p *networkingv1.NetworkPolicyPort) bool {
	protocol := corev1.ProtocolTCP // "if not specified, this field defaults to TCP"
	if p.Protocol != nil {
		protocol = *p.Protocol
	}
	switch {
	case protocol != v.protocol:
		return false
	case p.Port == nil:
		return true
	case p.Port.StrVal != "":
		return v.named(p.Port.StrVal)
	case p.EndPort != nil:
		return p.Port.IntVal <= v.port && v.port <= *p.EndPort
	}
	return p.Port.IntVal == v.port
}

func (v *visit) networkPeer(namespace string, p *networkingv1.NetworkPolicyPeer) match {
	if p.IPBlock != nil {
		return v.block(p.IPBlock)
	}
	is := !v.other.Spec.HostNetwork
	if p.PodSelector != nil {
		is = is && selects(p.PodSelector, v.other.Labels)
	}
	if p.NamespaceSelector != nil {
		is = is && v.inNamespaces(p.NamespaceSelector, v.other)
	} else {
		is = is && v.other.Namespace == namespace
	}
	if is {
		return yes
	}
	return no
}

func (v *visit) block(b *networkingv1.IPBlock) match {
	if v.address == "" {
		return maybe
	}
	at := netip.MustParseAddr(v.address)
	if !netip.MustParsePrefix(b.CIDR).Contains(at) {
		return no
	}
	for _, e := range b.Except {
		if netip.MustParsePrefix(e).Contains(at) {
			return no
		}
	}
	return yes
}
