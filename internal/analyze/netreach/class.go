package netreach

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/snapshot"
)

// Class is a set of pods that no policy can tell apart: one namespace, the same values of
// every label that a selector asks for, the same named ports and, where ipBlocks match
// pods, addresses in the same blocks.
type Class struct {
	Namespace string
	// Tenant that owns the namespace, or "".
	Tenant string
	// Labels that selectors ask for; the pods may carry more.
	Labels labels.Set
	// HostNetwork pods are the node to the network: policies neither select them nor
	// match them by selector.
	HostNetwork bool
	// Pods of the class. A hypothetical class has none: it stands for pods that could be
	// created.
	Pods []*corev1.Pod

	id         int
	namespace  labels.Set
	named      map[portName]Ports
	blockBytes string
	grants     [2]grant
}

// portName is the name of a container's port.
type portName struct {
	name     string
	protocol corev1.Protocol
}

// String names the class for people.
func (c *Class) String() string {
	if len(c.Pods) == 1 {
		return c.Namespace + "/" + c.Pods[0].Name
	}
	if len(c.Labels) == 0 {
		return c.Namespace
	}
	return fmt.Sprintf("%s (%s)", c.Namespace, c.Labels)
}

// Hypothetical is a pod that does not exist, to be reasoned about as if it did.
type Hypothetical struct {
	Namespace string
	// Tenant overrides who owns the namespace, for one that does not exist.
	Tenant string
	Labels map[string]string
}

// classifier sorts pods into classes.
type classifier struct {
	snapshot *snapshot.Snapshot
	keys     map[string]bool
	blocks   []Addresses
	tenants  map[string]string
	byKey    map[string]*Class
	spaces   map[string]labels.Set
	classes  []*Class
}

// classify sorts the snapshot's running pods, and the hypothetical ones, into classes, in
// the order of namespaces.
func classify(s *snapshot.Snapshot, b *builder) []*Class {
	c := &classifier{
		snapshot: s, keys: b.labelKeys(), blocks: b.podBlocks(),
		tenants: map[string]string{}, byKey: map[string]*Class{}, spaces: map[string]labels.Set{},
	}
	for _, h := range b.options.Hypothetical {
		if h.Tenant != "" {
			c.tenants[h.Namespace] = h.Tenant
		}
	}
	for _, name := range s.NamespaceNames() {
		for _, p := range s.PodsIn(name) {
			if running(p) {
				class := c.put(p.Namespace, p.Labels, p)
				class.Pods = append(class.Pods, p)
			}
		}
	}
	for _, h := range b.options.Hypothetical {
		c.put(h.Namespace, h.Labels, nil)
	}
	return c.classes
}

// running reports whether a pod is, or will be, on the network.
func running(p *corev1.Pod) bool {
	return p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// put finds or makes the class of a pod, or of a hypothetical one.
func (c *classifier) put(namespace string, podLabels map[string]string, p *corev1.Pod) *Class {
	class := &Class{Namespace: namespace, Labels: labels.Set{}, named: map[portName]Ports{}}
	for k, v := range podLabels {
		if c.keys[k] {
			class.Labels[k] = v
		}
	}
	if p != nil {
		class.HostNetwork = p.Spec.HostNetwork
		class.named = namedPorts(p)
		class.blockBytes = c.inBlocks(p)
	}
	key := class.key()
	if known, ok := c.byKey[key]; ok {
		return known
	}
	class.id = len(c.classes)
	class.namespace = c.space(namespace)
	class.Tenant = c.snapshot.TenantOf(namespace)
	if class.Tenant == "" {
		class.Tenant = c.tenants[namespace]
	}
	c.byKey[key] = class
	c.classes = append(c.classes, class)
	return class
}

func (c *classifier) space(namespace string) labels.Set {
	set, ok := c.spaces[namespace]
	if !ok {
		set = c.snapshot.NamespaceLabels(namespace)
		c.spaces[namespace] = set
	}
	return set
}

// key is the same for pods of one class.
func (c *Class) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%t\x00%s\x00", c.Namespace, c.HostNetwork, c.blockBytes)
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		fmt.Fprintf(&b, "%s=%s\x00", k, c.Labels[k])
	}
	names := slices.SortedFunc(maps.Keys(c.named), func(a, b portName) int {
		return strings.Compare(a.name+"/"+string(a.protocol), b.name+"/"+string(b.protocol))
	})
	for _, n := range names {
		fmt.Fprintf(&b, "%s/%s:%v\x00", n.name, n.protocol, c.named[n])
	}
	return b.String()
}

// namedPorts are the pod's container ports by name. Restartable init containers (sidecars) have ports too.
func namedPorts(p *corev1.Pod) map[portName]Ports {
	out := map[portName]Ports{}
	containers := slices.Clone(p.Spec.Containers)
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, port := range c.Ports {
			if port.Name == "" {
				continue
			}
			protocol := port.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			name := portName{port.Name, protocol}
			out[name] = out[name].Union(PortsOf(protocol, port.ContainerPort, port.ContainerPort))
		}
	}
	return out
}

// inBlocks says, a byte for each ipBlock, whether one of the pod's addresses is in it.
func (c *classifier) inBlocks(p *corev1.Pod) string {
	if len(c.blocks) == 0 {
		return ""
	}
	var addresses []netip.Addr
	for _, ip := range append([]corev1.PodIP{{IP: p.Status.PodIP}}, p.Status.PodIPs...) {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			addresses = append(addresses, a)
		}
	}
	in := make([]byte, len(c.blocks))
	for i, b := range c.blocks {
		in[i] = '0'
		if slices.ContainsFunc(addresses, b.Contains) {
			in[i] = '1'
		}
	}
	return string(in)
}
