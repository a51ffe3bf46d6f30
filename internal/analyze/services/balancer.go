package services

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/services/address"
	"watertight.dev/watertight/internal/snapshot"
)

// balancer judges what a LoadBalancer Service asks for.
func (j *judge) balancer(s *corev1.Service) {
	if !slices.Contains(j.class.Spec.Network.ServiceTypes, corev1.ServiceTypeNodePort) && opensNodePorts(s) {
		j.note(nodePortOfBalancer, s, "spec.allocateLoadBalancerNodePorts", fmt.Sprintf("is not false, and class %s allows no node ports", j.class.Name))
	}
	if ip := s.Spec.LoadBalancerIP; ip != "" {
		j.note(loadBalancerIP, s, "spec.loadBalancerIP", "is "+j.named(ip))
	}
	if s.Spec.LoadBalancerClass != nil && *s.Spec.LoadBalancerClass != "" {
		j.note(loadBalancerClass, s, "spec.loadBalancerClass", "is "+clip(*s.Spec.LoadBalancerClass))
	}
}

// opensNodePorts: ports that were allocated stay when allocation is switched off.
func opensNodePorts(s *corev1.Service) bool {
	if s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.AllocateLoadBalancerNodePorts == nil || *s.Spec.AllocateLoadBalancerNodePorts {
		return true
	}
	return slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.NodePort != 0 })
}

// balancerStatus judges the addresses of a Service's load balancer: every node captures
// what is sent there, whoever wrote them.
func (j *judge) balancerStatus(s *corev1.Service) {
	for i, in := range s.Status.LoadBalancer.Ingress {
		if in.IP == "" || in.IPMode != nil && *in.IPMode == corev1.LoadBalancerIPModeProxy { // not captured (KEP-1860)
			continue
		}
		field := fmt.Sprintf("status.loadBalancer.ingress[%d].ip", i)
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
			j.note(loadBalancerStatus, s, field, fmt.Sprintf("is %s on a Service that has no load balancer", j.named(in.IP)))
			continue
		}
		for _, ip := range address.Read(in.IP) {
			if j.captures(s, field, ip) {
				break
			}
		}
	}
}

// captures judges one address of a load balancer.
func (j *judge) captures(s *corev1.Service, field string, ip netip.Addr) bool {
	at := j.places.of(ip)
	foreign := slices.ContainsFunc(at.pods, func(p *corev1.Pod) bool { return p.Namespace != s.Namespace })
	switch _, special, _ := address.Special(ip); {
	case special != "" || at.apiServer || foreign || len(at.services) > 0:
		j.note(loadBalancerStatus, s, field, "is "+j.named(ip.String()))
		return true
	case at.node != "":
		if kubeletOrAPI(s) {
			j.note(loadBalancerStatus, s, field, fmt.Sprintf("is %s, at a port of the node's own", j.named(ip.String())))
		} else {
			j.note(balancerAtNode, s, field, "is "+j.named(ip.String()))
		}
		return true
	}
	if o := j.rival(s, at.balancers); o != nil {
		j.note(loadBalancerStatus, s, field, fmt.Sprintf("is %s, at a port that the load balancer of %s has%s", clip(ip.String()), snapshot.KeyOf(o), aged(s, o)),
			about(j.snapshot, o, "status.loadBalancer", "has the same address and port"))
		return true
	}
	return false
}

// kubeletOrAPI reports whether a Service takes a port that nodes listen on themselves.
func kubeletOrAPI(s *corev1.Service) bool {
	return slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.Protocol != corev1.ProtocolUDP && slices.Contains([]int32{22, 2379, 2380, 6443, 10250, 10256, 10257, 10259}, p.Port)
	})
}

// rival is a Service of another tenant that has the same address and port, and is not
// known to be younger.
func (j *judge) rival(s *corev1.Service, balancers []*corev1.Service) *corev1.Service {
	const most = 64 // load balancers that share an address; beyond, the first decide
	taken := map[corev1.ServicePort]bool{}
	for _, p := range s.Spec.Ports {
		taken[portOf(p)] = true
	}
	for _, o := range balancers[:min(len(balancers), most)] {
		first := !s.CreationTimestamp.IsZero() && s.CreationTimestamp.Before(&o.CreationTimestamp)
		if j.owner(o) == j.tenant.Name || first {
			continue
		}
		if slices.ContainsFunc(o.Spec.Ports, func(p corev1.ServicePort) bool { return taken[portOf(p)] }) {
			return o
		}
	}
	return nil
}

// portOf is what of a port is taken at an address.
func portOf(p corev1.ServicePort) corev1.ServicePort {
	return corev1.ServicePort{Port: p.Port, Protocol: cmp.Or(p.Protocol, corev1.ProtocolTCP)}
}

func aged(s, o *corev1.Service) string {
	if s.CreationTimestamp.IsZero() || o.CreationTimestamp.IsZero() || s.CreationTimestamp.Equal(&o.CreationTimestamp) {
		return "; which came first cannot be told"
	}
	return ", which is older"
}

// legacyRanges is the annotation that spec.loadBalancerSourceRanges took the place of.
const legacyRanges = "service.beta.kubernetes.io/load-balancer-source-ranges"

// filtered reports whether a load balancer keeps most of the Internet away. Half of it or
// more is no filter, and what is no range filters nothing.
func filtered(s *corev1.Service) bool {
	ranges := s.Spec.LoadBalancerSourceRanges
	if old := s.Annotations[legacyRanges]; len(ranges) == 0 && old != "" {
		ranges = strings.Split(old, ",")
	}
	var v4, v6 float64 // parts of all addresses
	for _, r := range ranges {
		p, err := netip.ParsePrefix(strings.TrimSpace(r))
		switch {
		case err != nil:
			return false
		case p.Addr().Is4():
			v4 += 1 / float64(uint64(1)<<p.Bits())
		default:
			v6 += 1 / float64(uint64(1)<<min(p.Bits(), 63))
		}
	}
	return len(ranges) > 0 && v4 < 0.5 && v6 < 0.5
}
