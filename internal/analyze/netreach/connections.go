package netreach

import (
	corev1 "k8s.io/api/core/v1"
)

// PodPort is a range of ports of one protocol.
type PodPort struct {
	Protocol corev1.Protocol `json:"protocol"`
	Port     int32           `json:"port"`
	EndPort  int32           `json:"endPort"`
}

// Connection is what one end may open to another: pods as "namespace/name", or a CIDR.
type Connection struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Ports that are open; none stands for every port of every protocol.
	Ports []PodPort `json:"ports,omitempty"`
}

// Connections yields what is allowed between single pods, without those from a pod to
// itself, and from pods to addresses outside the cluster.
func (r *Reach) Connections(yield func(Connection) bool) {
	going := true
	r.Pairs(func(src, dst *Class, open Ports) bool {
		going = podPairs(src, dst, list(open), yield)
		return going
	})
	for i := 0; i < len(r.Classes) && going; i++ {
		going = r.podAddresses(r.Classes[i], yield)
	}
}

func podPairs(src, dst *Class, ports []PodPort, yield func(Connection) bool) bool {
	for _, p := range src.Pods {
		for _, q := range dst.Pods {
			if p != q && !yield(Connection{podName(p), podName(q), ports}) {
				return false
			}
		}
	}
	return true
}

func (r *Reach) podAddresses(c *Class, yield func(Connection) bool) bool {
	for _, g := range r.EgressTo(c) {
		ports := list(g.Ports)
		for _, prefix := range g.Addresses.Prefixes() {
			for _, p := range c.Pods {
				if !yield(Connection{podName(p), prefix.String(), ports}) {
					return false
				}
			}
		}
	}
	return true
}

func list(p Ports) []PodPort {
	if p.All() {
		return nil
	}
	var out []PodPort
	for _, protocol := range protocols {
		for _, r := range p.Of(protocol) {
			out = append(out, PodPort{protocol, r.From, r.To})
		}
	}
	return out
}

func podName(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }
