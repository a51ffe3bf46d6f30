package netreach

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
)

// declaration is the traffic that a tenant and its class declare.
type declaration struct {
	tenant  string
	flows   []flow
	dns     flow
	ingress []v1alpha1.PeerSelector
	// bound is where the class lets flows go outside the cluster; whence they may come, it
	// does not bound.
	bound netset.Addresses
	// known are the partners by direction, once they were asked for.
	known [2]partners
}

// flow is a declared flow.
type flow struct {
	from, to end
	ports    netset.Ports
}

// end is one end of a flow: pods of a tenant's namespace (of all of them, where it is
// empty), pods that the class selects, or addresses.
type end struct {
	tenant, namespace string
	pods              labels.Set
	selectors         []v1alpha1.PeerSelector
	addresses         netset.Addresses
}

// neverReachable is what no declaration opens: link-local and loopback addresses, and the
// clouds' metadata services (ATT&CK T1552.005): AWS and most others, Azure, Alibaba, and
// those that answer on IPv6. The compiler refuses flows to them.
var neverReachable = netset.Blocks("169.254.0.0/16", "127.0.0.0/8", "168.63.129.16/32", "100.100.100.200/32",
	"fe80::/10", "::1/128", "fd00:ec2::/64", "fd20:ce::/64")

// defaultDNS is where cluster DNS lives unless the class says otherwise.
var defaultDNS = []v1alpha1.PeerSelector{{Namespace: "kube-system", Pods: map[string]string{"k8s-app": "kube-dns"}}}

// declare reads a tenant's flows. Without its class, only DNS in its usual place counts.
func declare(s *snapshot.Snapshot, t *v1alpha1.Tenant) *declaration {
	d := &declaration{tenant: t.Name, bound: netset.Everywhere}
	network := v1alpha1.NetworkClass{}
	if class := s.ClassOf(t); class != nil {
		network = class.Spec.Network
	}
	if bound := cidrs(network.EgressCIDRs); len(bound) > 0 {
		d.bound = bound
	}
	d.bound = d.bound.Minus(neverReachable)
	unbound := netset.Everywhere.Minus(neverReachable) // the class bounds egress alone
	d.ingress = network.IngressFrom
	dns := network.DNS
	if len(dns) == 0 {
		dns = defaultDNS
	}
	ports := netset.PortsOf(corev1.ProtocolUDP, 53, 53).Union(netset.PortsOf(corev1.ProtocolTCP, 53, 53))
	for _, p := range network.DNSPorts {
		ports = ports.Union(netset.PortsOf(corev1.ProtocolUDP, p, p)).Union(netset.PortsOf(corev1.ProtocolTCP, p, p))
	}
	d.dns = flow{from: end{tenant: t.Name}, to: end{selectors: dns}, ports: ports}
	for _, f := range t.Spec.Network.Flows {
		d.flows = append(d.flows, flow{d.end(f.From, unbound), d.end(f.To, d.bound), flowPorts(f.Ports)})
	}
	return d
}

// end reads one end of a flow; of a block counts what lies within the bound.
func (d *declaration) end(e v1alpha1.FlowEnd, bound netset.Addresses) end {
	switch {
	case e.Ingress:
		return end{selectors: d.ingress}
	case e.CIDR != "":
		block, err := rules.Block(e.CIDR, e.Except)
		if err != nil {
			block = netset.Addresses{}
		}
		return end{addresses: block.Intersect(bound)}
	}
	owner := cmp.Or(e.Tenant, d.tenant)
	out := end{tenant: owner, pods: e.Pods}
	if e.Namespace != "" {
		out.namespace = v1alpha1.NamespaceName(owner, e.Namespace)
	}
	return out
}

func flowPorts(list []v1alpha1.FlowPort) netset.Ports {
	if len(list) == 0 {
		return netset.AllPorts()
	}
	var out netset.Ports
	for _, p := range list {
		last := p.Port
		if p.EndPort != nil {
			last = *p.EndPort
		}
		out = out.Union(netset.PortsOf(p.Protocol, p.Port, last))
	}
	return out
}

func cidrs(list []string) netset.Addresses {
	var out netset.Addresses
	for _, c := range list {
		if block, err := rules.Block(c, nil); err == nil {
			out = out.Union(block)
		}
	}
	return out
}

// is reports whether an end stands for a class.
func (e end) is(c *engine.Class) bool {
	if e.tenant != "" {
		return c.Tenant() == e.tenant && (e.namespace == "" || e.namespace == c.Namespace()) && within(e.pods, c.Labels())
	}
	return slices.ContainsFunc(e.selectors, func(p v1alpha1.PeerSelector) bool {
		return p.Namespace == c.Namespace() && within(p.Pods, c.Labels())
	})
}

func within(wanted, have map[string]string) bool {
	for k, v := range wanted {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// all is every flow, DNS included.
func (d *declaration) all() []flow { return append([]flow{d.dns}, d.flows...) }

// between is the ports that the tenant declares from src to dst.
func (d *declaration) between(src, dst *engine.Class) netset.Ports {
	if d == nil {
		return netset.Ports{}
	}
	var out netset.Ports
	for _, f := range d.all() {
		if f.from.is(src) && f.to.is(dst) {
			out = out.Union(f.ports)
		}
	}
	return out
}

// outside is the addresses that the tenant declares for a class.
func (d *declaration) outside(dir rules.Direction, c *engine.Class) []netset.AddressPorts {
	var out []netset.AddressPorts
	for _, f := range d.flows {
		near, far := f.to, f.from
		if dir == rules.Egress {
			near, far = f.from, f.to
		}
		if len(far.addresses) > 0 && near.is(c) {
			out = append(out, netset.AddressPorts{Addresses: far.addresses, Ports: f.ports})
		}
	}
	return out
}

// names reports whether the tenant's declarations have to do with a namespace, as the
// far end in a direction.
func (d *declaration) names(dir rules.Direction, namespace, owner string) bool {
	if owner == d.tenant {
		return true
	}
	for _, f := range d.all() {
		far := f.from
		if dir == rules.Egress {
			far = f.to
		}
		if far.tenant != "" && far.tenant != d.tenant {
			if far.namespace == namespace || far.namespace == "" && owner == far.tenant {
				return true
			}
		}
		if slices.ContainsFunc(far.selectors, func(p v1alpha1.PeerSelector) bool { return p.Namespace == namespace }) {
			return true
		}
	}
	return false
}

// partners are those that a tenant's declarations have to do with, as the far end in a
// direction: tenants, and namespaces of no tenant.
type partners struct{ tenants, namespaces map[string]bool }

func (d *declaration) partners(dir rules.Direction) partners {
	if d.known[dir].tenants != nil {
		return d.known[dir]
	}
	out := partners{map[string]bool{}, map[string]bool{}}
	for _, f := range d.all() {
		far := f.from
		if dir == rules.Egress {
			far = f.to
		}
		if far.tenant != "" {
			out.tenants[far.tenant] = true
		}
		for _, p := range far.selectors {
			out.namespaces[p.Namespace] = true
		}
	}
	d.known[dir] = out
	return out
}
