package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// Class is a set of pods that no policy can tell apart: one namespace, the same values of
// every label that a selector asks for, the same named ports and addresses in the same
// blocks, as far as any policy asks for them.
type Class struct {
	// HostNetwork pods are the node to the network: policies neither select them nor
	// match them by selector.
	HostNetwork bool
	// Pods of the class. A hypothetical class has none: it stands for pods that could be
	// created.
	Pods []*corev1.Pod

	space *space
	// labels that selectors ask for, and rules.LabelServiceAccount; the pods may carry more.
	labels    map[string]string
	node      string
	named     map[portName]portID
	addresses []netip.Addr
	grants    [2]*grant
	id        int // in Engine.Classes
}

// portName is the name of a container's port.
type portName struct {
	name     string
	protocol corev1.Protocol
}

// Namespace of the class's pods.
func (c *Class) Namespace() string { return c.space.name }

// Tenant that owns the namespace, or "".
func (c *Class) Tenant() string { return c.space.tenant }

// Labels of the pods as far as anybody asks for them. The map is not the caller's to
// change.
func (c *Class) Labels() map[string]string { return c.labels }

// Node is where pods on the host's network run, if that is known.
func (c *Class) Node() string { return c.node }

// String names the class for people.
func (c *Class) String() string {
	if len(c.Pods) == 1 {
		return c.space.name + "/" + c.Pods[0].Name
	}
	shown := maps.Clone(c.labels)
	delete(shown, rules.LabelServiceAccount)
	if len(shown) == 0 {
		return c.space.name
	}
	return fmt.Sprintf("%s (%s)", c.space.name, labels.Set(shown))
}

// Isolated reports whether a policy isolates the class in a direction.
func (c *Class) Isolated(d rules.Direction) bool {
	return c.grants[d].isolated || len(c.grants[d].admin)+len(c.grants[d].baseline) > 0
}

// sorter sorts pods into the classes of one namespace.
type sorter struct {
	engine *Engine
	space  *space
	keys   []string // of labels that count here, sorted
	byKey  map[string]*Class
	key    []byte
	// addresses of the last pod.
	addresses []netip.Addr
}

// sort makes a namespace's classes anew.
func (e *Engine) sort(sp *space) {
	s := &e.sorter
	s.engine, s.space, s.keys = e, sp, e.keys.of(sp.name)
	if s.byKey == nil {
		s.byKey = map[string]*Class{}
	}
	clear(s.byKey)
	sp.classes = nil
	for _, p := range sp.pods {
		if running(p) {
			c := s.class(p.Labels, p)
			c.Pods = append(c.Pods, p)
		}
	}
	for _, g := range sp.ghosts {
		s.class(g, nil)
	}
	e.changed()
}

// changed says that pairs must be worked out again.
func (e *Engine) changed() { e.plan, e.classes = nil, nil }

// running reports whether a pod is, or will be, on the network.
func running(p *corev1.Pod) bool {
	return p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// class finds or makes the class of a pod, or of a hypothetical one (nil).
func (s *sorter) class(podLabels map[string]string, p *corev1.Pod) *Class {
	s.key = s.key[:0]
	for i, k := range s.keys {
		if v, ok := value(k, podLabels, p); ok {
			s.key = append(binary.AppendUvarint(binary.AppendUvarint(s.key, uint64(i)+4), uint64(len(v))), v...)
		}
	}
	var named []namedPort
	var addresses []netip.Addr
	node := ""
	if p != nil {
		named = s.engine.namedPorts(p)
		for _, n := range named {
			s.key = append(append(append(append(s.key, 1, byte(len(n.name))), n.name...), n.protocol...), byte(n.port>>8), byte(n.port))
		}
		if len(s.engine.cuts) > 0 {
			s.addresses = appendAddresses(s.addresses[:0], p)
			addresses = s.addresses
			s.key = append(s.key, 2, 0)
			for _, a := range addresses {
				s.key = blockKey(s.key, s.engine.cuts, a)
			}
		}
		if p.Spec.HostNetwork {
			node = p.Spec.NodeName
			s.key = append(append(s.key, 3, 0), node...)
		}
	}
	if known, ok := s.byKey[string(s.key)]; ok {
		return known
	}
	if p != nil && addresses == nil {
		s.addresses = appendAddresses(s.addresses[:0], p)
		addresses = s.addresses
	}
	c := s.engine.room.classes.One()
	*c = Class{space: s.space, addresses: slices.Clone(addresses), node: node}
	for _, k := range s.keys {
		if v, ok := value(k, podLabels, p); ok {
			if c.labels == nil {
				c.labels = make(map[string]string, len(s.keys))
			}
			c.labels[k] = v
		}
	}
	for _, n := range named {
		if c.named == nil {
			c.named = map[portName]portID{}
		}
		at := portName{n.name, n.protocol}
		c.named[at] = s.engine.ports.union(c.named[at], s.engine.ports.id(netset.PortsOf(n.protocol, n.port, n.port)))
	}
	c.HostNetwork = p != nil && p.Spec.HostNetwork
	s.byKey[string(s.key)] = c
	s.space.classes = append(s.space.classes, c)
	return c
}

// value is a label of a pod, or its ServiceAccount; a hypothetical pod has the default one.
func value(key string, podLabels map[string]string, p *corev1.Pod) (string, bool) {
	if key != rules.LabelServiceAccount {
		v, ok := podLabels[key]
		return v, ok
	}
	if p == nil || p.Spec.ServiceAccountName == "" {
		return "default", true
	}
	return p.Spec.ServiceAccountName, true
}

type namedPort struct {
	portName
	port int32
}

// namedPorts are the pod's container ports that some policy asks for by name, sorted.
// Restartable init containers (sidecars, KEP-753) have ports too.
func (e *Engine) namedPorts(p *corev1.Pod) []namedPort {
	if len(e.keys.ports) == 0 {
		return nil
	}
	var out []namedPort
	add := func(c *corev1.Container) {
		for _, port := range c.Ports {
			if port.Name == "" || e.keys.ports[port.Name] == 0 {
				continue
			}
			protocol := port.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			out = append(out, namedPort{portName{port.Name, protocol}, port.ContainerPort})
		}
	}
	for i := range p.Spec.Containers {
		add(&p.Spec.Containers[i])
	}
	for i := range p.Spec.InitContainers {
		c := &p.Spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(c)
		}
	}
	slices.SortFunc(out, func(a, b namedPort) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		if c := strings.Compare(string(a.protocol), string(b.protocol)); c != 0 {
			return c
		}
		return int(a.port - b.port)
	})
	return slices.Compact(out)
}

// appendAddresses appends a pod's addresses to an empty list, IPv4 first.
func appendAddresses(out []netip.Addr, p *corev1.Pod) []netip.Addr {
	if a, err := netip.ParseAddr(p.Status.PodIP); err == nil {
		out = append(out, a.Unmap())
	}
	for _, ip := range p.Status.PodIPs {
		if ip.IP == p.Status.PodIP {
			continue
		}
		if a, err := netip.ParseAddr(ip.IP); err == nil && !slices.Contains(out, a.Unmap()) {
			out = append(out, a.Unmap())
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}
