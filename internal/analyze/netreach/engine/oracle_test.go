package engine

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// The oracle answers one question at a time, slowly, in the words of the API
// documentation. It shares no code with the package.

// oracle asks: may src open a connection to dst on this port?
func oracle(s *snapshot.Snapshot, src, dst *corev1.Pod, protocol corev1.Protocol, port int32, blocks blockMode) bool {
	if src == dst {
		return true
	}
	// "traffic to and from the node where a Pod is running is always allowed"
	if src.Spec.HostNetwork && src.Spec.NodeName != "" && src.Spec.NodeName == dst.Spec.NodeName {
		return true
	}
	return oracleSide(s, src, dst, dst, "Egress", protocol, port, blocks) &&
		oracleSide(s, dst, src, dst, "Ingress", protocol, port, blocks)
}

// oracleSide asks whether the policies of self allow the other end. "A pod is isolated
// if there is any NetworkPolicy that both selects the pod and has the direction in its
// policyTypes."
func oracleSide(s *snapshot.Snapshot, self, other, destination *corev1.Pod, direction string, protocol corev1.Protocol, port int32, blocks blockMode) bool {
	if self.Spec.HostNetwork {
		return true
	}
	isolated := false
	for _, p := range s.NetworkPolicies {
		if p.Namespace != self.Namespace || !oracleSelects(&p.Spec.PodSelector, self.Labels) || !oracleType(p, direction) {
			continue
		}
		isolated = true
		if direction == "Ingress" {
			for _, r := range p.Spec.Ingress {
				if oraclePeers(s, p.Namespace, r.From, other, blocks) && oraclePorts(r.Ports, destination, protocol, port) {
					return true
				}
			}
			continue
		}
		for _, r := range p.Spec.Egress {
			if oraclePeers(s, p.Namespace, r.To, other, blocks) && oraclePorts(r.Ports, destination, protocol, port) {
				return true
			}
		}
	}
	return !isolated
}

// "If this field is not specified, it will default based on the existence of ingress or
// egress rules; policies that contain an egress section are assumed to affect egress,
// and all policies are assumed to affect ingress."
func oracleType(p *networkingv1.NetworkPolicy, direction string) bool {
	if len(p.Spec.PolicyTypes) == 0 {
		return direction == "Ingress" || len(p.Spec.Egress) > 0
	}
	for _, t := range p.Spec.PolicyTypes {
		if string(t) == direction {
			return true
		}
	}
	return false
}

// "If this field is empty or missing, this rule matches all sources."
func oraclePeers(s *snapshot.Snapshot, namespace string, peers []networkingv1.NetworkPolicyPeer, other *corev1.Pod, blocks blockMode) bool {
	if len(peers) == 0 {
		return true
	}
	for _, peer := range peers {
		switch {
		case peer.IPBlock != nil:
			if oracleBlock(peer.IPBlock, other.Status.PodIP, blocks) {
				return true
			}
		case other.Spec.HostNetwork:
		case peer.NamespaceSelector == nil:
			if other.Namespace == namespace && oracleSelects(peer.PodSelector, other.Labels) {
				return true
			}
		case oracleSelects(peer.NamespaceSelector, oracleNamespace(s, other.Namespace)):
			if peer.PodSelector == nil || oracleSelects(peer.PodSelector, other.Labels) {
				return true
			}
		}
	}
	return false
}

func oracleNamespace(s *snapshot.Snapshot, name string) map[string]string {
	set := map[string]string{"kubernetes.io/metadata.name": name}
	for _, ns := range s.Namespaces {
		if ns.Name == name {
			for k, v := range ns.Labels {
				set[k] = v
			}
		}
	}
	return set
}

// blockMode says whether blocks match pods, and those whose address is not known.
type blockMode struct{ matches, unaddressed bool }

func oracleBlock(b *networkingv1.IPBlock, ip string, mode blockMode) bool {
	if ip == "" {
		return mode.unaddressed && !slices.Contains(b.Except, b.CIDR)
	}
	if !mode.matches {
		return false
	}
	address, err := netip.ParseAddr(ip)
	if err != nil || !netip.MustParsePrefix(b.CIDR).Contains(address) {
		return false
	}
	for _, e := range b.Except {
		if netip.MustParsePrefix(e).Contains(address) {
			return false
		}
	}
	return true
}

// "If this field is empty or missing, this rule matches all ports."
func oraclePorts(ports []networkingv1.NetworkPolicyPort, destination *corev1.Pod, protocol corev1.Protocol, port int32) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		if p.Protocol == nil && protocol != corev1.ProtocolTCP || p.Protocol != nil && *p.Protocol != protocol {
			continue
		}
		switch {
		case p.Port == nil:
			return true
		case p.Port.StrVal != "":
			for _, c := range destination.Spec.Containers {
				for _, cp := range c.Ports {
					if cp.Name == p.Port.StrVal && cp.Protocol == protocol && cp.ContainerPort == port {
						return true
					}
				}
			}
		case p.EndPort != nil:
			if port >= p.Port.IntVal && port <= *p.EndPort {
				return true
			}
		case p.Port.IntVal == port:
			return true
		}
	}
	return false
}

// "An empty label selector matches all objects. A null label selector matches no
// objects."
func oracleSelects(s *metav1.LabelSelector, set map[string]string) bool {
	if s == nil {
		return false
	}
	for k, v := range s.MatchLabels {
		if got, ok := set[k]; !ok || got != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		got, ok := set[e.Key]
		listed := ok && slices.Contains(e.Values, got)
		switch e.Operator {
		case metav1.LabelSelectorOpIn:
			if !listed {
				return false
			}
		case metav1.LabelSelectorOpNotIn:
			if listed {
				return false
			}
		case metav1.LabelSelectorOpExists:
			if !ok {
				return false
			}
		case metav1.LabelSelectorOpDoesNotExist:
			if ok {
				return false
			}
		}
	}
	return true
}
