package engine

import (
	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
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

// Connections yields what is surely allowed between single pods, without those from a pod
// to itself, and from pods to addresses outside the cluster.
func (e *Engine) Connections(yield func(Connection) bool) { e.connections(yield, surely) }

// Perhaps yields the connections of which it cannot be told whether they are allowed: for
// a condition on requests, a construct that is not understood, or a question on which
// engines differ.
func (e *Engine) Perhaps(yield func(Connection) bool) { e.connections(yield, perhaps) }

func surely(r Reach) netset.Ports  { return r.Sure }
func perhaps(r Reach) netset.Ports { return r.Possible.Minus(r.Sure) }

// lister yields connections; of says which part of a Reach they are about.
type lister struct {
	engine *Engine
	of     func(Reach) netset.Ports
	yield  func(Connection) bool
}

func (e *Engine) connections(yield func(Connection) bool, of func(Reach) netset.Ports) {
	l := lister{e, of, yield}
	going := true
	e.Pairs(func(src, dst *Class, r Reach) bool {
		going = l.pairs(src, dst, r)
		return going
	})
	for i := 0; i < len(e.Classes()) && going; i++ {
		c := e.Classes()[i]
		going = l.nodeLocal(c) && l.addresses(c)
	}
}

func (l lister) pairs(src, dst *Class, r Reach) bool {
	open := l.of(r)
	if open.Empty() {
		return true
	}
	ports := ranges(open)
	for _, p := range src.Pods {
		for _, q := range dst.Pods {
			if p == q || l.engine.sameNode(p, q) {
				continue
			}
			if !l.yield(Connection{podName(p), podName(q), ports}) {
				return false
			}
		}
	}
	return true
}

// nodeLocal yields what pods on a node's network reach on their node, past policies.
func (l lister) nodeLocal(src *Class) bool {
	open := l.of(l.engine.ports.reach(everything))
	if !src.HostNetwork || open.Empty() {
		return true
	}
	for _, dst := range l.engine.Classes() {
		for _, p := range src.Pods {
			for _, q := range dst.Pods {
				if p != q && l.engine.sameNode(p, q) && !l.yield(Connection{podName(p), podName(q), nil}) {
					return false
				}
			}
		}
	}
	return true
}

func (l lister) addresses(c *Class) bool {
	if len(c.Pods) == 0 {
		return true
	}
	for _, a := range l.engine.Outside(rules.Egress, c) {
		open := l.of(a.Reach)
		if open.Empty() {
			continue
		}
		ports := ranges(open)
		for _, prefix := range a.Addresses.Prefixes() {
			for _, p := range c.Pods {
				if !l.yield(Connection{podName(p), prefix.String(), ports}) {
					return false
				}
			}
		}
	}
	return true
}

func ranges(p netset.Ports) []PodPort {
	if p.All() {
		return nil
	}
	var out []PodPort
	for _, protocol := range netset.Protocols {
		for _, r := range p.Of(protocol) {
			out = append(out, PodPort{protocol, r.From, r.To})
		}
	}
	return out
}

func podName(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }
