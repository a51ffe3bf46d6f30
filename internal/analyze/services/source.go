package services

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// sourceLost judges whether a policy that admits addresses admits everybody, because the
// Service's callers look like nodes: with externalTrafficPolicy Cluster, the default, the
// source of what comes from outside is rewritten to the address of the node that took it.
func (j *judge) sourceLost(n *space, s *corev1.Service) {
	if s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal || len(s.Spec.Selector) == 0 {
		return
	}
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer && filtered(s) && !opensNodePorts(s) {
		return // the load balancer has looked at the source before
	}
	for _, p := range n.policies {
		if !namesAddresses(p) || !j.guards(n, p, s) {
			continue
		}
		for i, rule := range p.Spec.Ingress {
			for k, peer := range rule.From {
				if peer.IPBlock != nil && j.admitsNodes(s, p, fmt.Sprintf("spec.ingress[%d].from[%d].ipBlock", i, k), peer.IPBlock) {
					return // one policy says it
				}
			}
		}
	}
}

func namesAddresses(p *networkingv1.NetworkPolicy) bool {
	for _, rule := range p.Spec.Ingress {
		if slices.ContainsFunc(rule.From, func(peer networkingv1.NetworkPolicyPeer) bool { return peer.IPBlock != nil }) {
			return true
		}
	}
	return false
}

// guards reports whether a policy selects pods behind a Service: those that are there, or
// one with just the labels that the Service selects.
func (j *judge) guards(n *space, p *networkingv1.NetworkPolicy, s *corev1.Service) bool {
	selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
	if err != nil {
		return false // netreach says that the policy cannot be read
	}
	if selector.Matches(labels.Set(s.Spec.Selector)) {
		return true
	}
	for _, pod := range j.podsOf(n).behind(s) {
		if selector.Matches(labels.Set(pod.Labels)) {
			return true
		}
	}
	return false
}

func (j *judge) admitsNodes(s *corev1.Service, p *networkingv1.NetworkPolicy, field string, block *networkingv1.IPBlock) bool {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil || prefix.Bits() == 0 && len(block.Except) == 0 {
		return false // it admits everybody as it is: nothing is lost
	}
	var except []netip.Prefix
	for _, e := range block.Except {
		if cut, err := netip.ParsePrefix(e); err == nil {
			except = append(except, cut)
		}
	}
	says := func(detail string) guarantee.Evidence { return analyze.About(j.snapshot, p, field, detail) }
	if ip, ok := j.places.nodeIn(prefix, except); ok {
		j.note(sourceAddressLost, s, "spec.externalTrafficPolicy", "is not Local, and "+p.Name+" relies on source addresses",
			says(fmt.Sprintf("admits %s, where node address %s is", block.CIDR, ip)))
		return true
	}
	if len(j.places.nodes) == 0 || !j.ledger.Complete("Node") {
		j.note(nodesNotSeen, s, "spec.externalTrafficPolicy", "is not Local, and "+p.Name+" relies on source addresses",
			says("admits "+block.CIDR+"; no node's address is known"))
		return true
	}
	return false
}
