// Package kubenetworkpolicies asks the evaluator of sigs.k8s.io/kube-network-policies what
// it would do with a packet: a second opinion on network policies that shares no code
// with ours. It is a module of its own, so that what the evaluator needs stays out of the
// program; it runs no firewall and talks to no cluster.
package kubenetworkpolicies

import (
	"context"
	"net"
	_ "unsafe" // for go:linkname

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	policyfake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"
	policyinformers "sigs.k8s.io/network-policy-api/pkg/client/informers/externalversions"
)

// packet has the layout of the evaluator's own type of that name, in v0.8.0.
type packet struct {
	id      uint32
	family  corev1.IPFamily
	srcIP   net.IP
	dstIP   net.IP
	proto   corev1.Protocol
	srcPort int
	dstPort int
	payload []byte
}

// evaluatePacket is the evaluator. The module exports no way to ask it but a running
// firewall, so the linker is asked for it by name; another version fails to link, or in
// TestItAnswers.
//
//go:linkname evaluatePacket sigs.k8s.io/kube-network-policies/pkg/networkpolicy.(*Controller).evaluatePacket
func evaluatePacket(c *networkpolicy.Controller, ctx context.Context, p packet) bool

// Evaluator judges packets between pods by the policies in its stores.
type Evaluator struct {
	controller *networkpolicy.Controller

	namespaces, nodes, pods    cache.Store
	policies, admins, baseline cache.Store
}

// New makes an Evaluator without objects.
func New() (*Evaluator, error) {
	client, policyClient := fake.NewClientset(), policyfake.NewClientset()
	core := informers.NewSharedInformerFactory(client, 0)
	api := policyinformers.NewSharedInformerFactory(policyClient, 0).Policy().V1alpha1()
	c, err := networkpolicy.NewController(client,
		core.Networking().V1().NetworkPolicies(), core.Core().V1().Namespaces(), core.Core().V1().Pods(), core.Core().V1().Nodes(),
		policyClient, api.AdminNetworkPolicies(), api.BaselineAdminNetworkPolicies(),
		networkpolicy.Config{AdminNetworkPolicy: true, BaselineAdminNetworkPolicy: true, NodeName: "n0", NRIdisabled: true})
	if err != nil {
		return nil, err
	}
	return &Evaluator{
		controller: c,
		namespaces: core.Core().V1().Namespaces().Informer().GetStore(),
		nodes:      core.Core().V1().Nodes().Informer().GetStore(),
		pods:       core.Core().V1().Pods().Informer().GetStore(),
		policies:   core.Networking().V1().NetworkPolicies().Informer().GetStore(),
		admins:     api.AdminNetworkPolicies().Informer().GetStore(),
		baseline:   api.BaselineAdminNetworkPolicies().Informer().GetStore(),
	}, nil
}

// Allows reports whether the first packet of a connection would pass, over any family of
// addresses that both pods have.
func (e *Evaluator) Allows(src, dst *corev1.Pod, protocol corev1.Protocol, port int32) bool {
	for _, a := range src.Status.PodIPs {
		for _, b := range dst.Status.PodIPs {
			p := packet{family: corev1.IPv4Protocol, srcIP: net.ParseIP(a.IP), dstIP: net.ParseIP(b.IP), proto: protocol, srcPort: 40000, dstPort: int(port)}
			if (p.srcIP.To4() == nil) != (p.dstIP.To4() == nil) {
				continue
			}
			if p.srcIP.To4() == nil {
				p.family = corev1.IPv6Protocol
			}
			if evaluatePacket(e.controller, context.Background(), p) {
				return true
			}
		}
	}
	return false
}
