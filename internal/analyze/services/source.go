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
	behind := j.labelSets(n, s)
	for _, p := range n.relying() {
		if !slices.ContainsFunc(behind, p.selector.Matches) {
			continue
		}
		for _, b := range p.blocks {
			if j.admitsNodes(s, p.policy, b) {
				return // one policy says it
			}
		}
	}
}

// labelSets are the labels of the pods behind a Service: of those that are there, and of
// one with just the labels that the Service selects.
func (p *picture) labelSets(n *space, s *corev1.Service) []labels.Labels {
	out := []labels.Labels{labels.Set(s.Spec.Selector)}
	known := map[string]bool{}
	for _, pod := range p.podsOf(n).behind(s) {
		set := labels.Set(pod.Labels)
		if text := set.String(); !known[text] {
			known[text] = true
			out = append(out, set)
		}
	}
	return out
}

// sourced is a policy that relies on source addresses.
type sourced struct {
	policy   *networkingv1.NetworkPolicy
	selector labels.Selector
	blocks   []block
}

type block struct {
	*networkingv1.IPBlock
	field string
}

// relying are the policies of a namespace that rely on source addresses. Of one that
// cannot be read, netreach says so.
func (n *space) relying() []sourced {
	if n.sourced != nil {
		return n.sourced
	}
	n.sourced = []sourced{}
	for _, p := range n.policies {
		found := sourced{policy: p}
		for i, rule := range p.Spec.Ingress {
			for k, peer := range rule.From {
				if peer.IPBlock != nil {
					found.blocks = append(found.blocks, block{peer.IPBlock, fmt.Sprintf("spec.ingress[%d].from[%d].ipBlock", i, k)})
				}
			}
		}
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err == nil && len(found.blocks) > 0 {
			found.selector = selector
			n.sourced = append(n.sourced, found)
		}
	}
	return n.sourced
}

func (j *judge) admitsNodes(s *corev1.Service, p *networkingv1.NetworkPolicy, block block) bool {
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
	says := func(detail string) guarantee.Evidence { return analyze.About(j.snapshot, p, block.field, detail) }
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
