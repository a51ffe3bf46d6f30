package compile_test

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
)

// declared is what Tenants and classes say may talk, one question at a time, in the words
// of the API (api/v1alpha1). It shares no code with compile, nor with the analyzer.
type declared struct {
	world   *world
	tenants map[string]*v1alpha1.Tenant
	owner   map[string]string
	// cluster are the cluster's own addresses, which no block opens.
	cluster []netip.Prefix
}

func newDeclared(w *world, s *snapshot.Snapshot) *declared {
	o := &declared{world: w, owner: w.owners(), tenants: map[string]*v1alpha1.Tenant{}}
	for _, t := range w.tenants {
		o.tenants[t.Name] = t
	}
	for _, n := range s.Nodes {
		for _, c := range n.Spec.PodCIDRs {
			o.cluster = append(o.cluster, netip.MustParsePrefix(c))
		}
		for _, a := range n.Status.Addresses {
			ip := netip.MustParseAddr(a.Address)
			o.cluster = append(o.cluster, netip.PrefixFrom(ip, ip.BitLen()))
		}
	}
	return o
}

// between is what may pass from one pod to another: what each tenant that owns an end
// declares. "Where the other end is a foreign tenant, the flow opens nothing until that
// tenant declares its half too."
func (o *declared) between(src, dst *corev1.Pod) netset.Ports {
	out := netset.AllPorts()
	for _, p := range []*corev1.Pod{src, dst} {
		if t := o.tenants[o.owner[p.Namespace]]; t != nil {
			out = out.Intersect(o.by(t, src, dst))
		}
	}
	return out
}

// by is what one tenant declares from src to dst; every tenant may ask DNS.
func (o *declared) by(t *v1alpha1.Tenant, src, dst *corev1.Pod) netset.Ports {
	var out netset.Ports
	for _, f := range t.Spec.Network.Flows {
		if o.is(t, f.From, src) && o.is(t, f.To, dst) {
			out = out.Union(union(f.Ports))
		}
	}
	network := o.world.class(t).Spec.Network
	dns := network.DNS
	if len(dns) == 0 { // "Empty: kube-dns in kube-system."
		dns = []v1alpha1.PeerSelector{{Namespace: "kube-system", Pods: map[string]string{"k8s-app": "kube-dns"}}}
	}
	if o.owner[src.Namespace] == t.Name && selected(dns, dst) {
		for _, port := range append([]int32{}, network.DNSPorts...) {
			out = out.Union(netset.PortsOf(corev1.ProtocolUDP, port, port)).Union(netset.PortsOf(corev1.ProtocolTCP, port, port))
		}
		if len(network.DNSPorts) == 0 {
			out = out.Union(netset.PortsOf(corev1.ProtocolUDP, 53, 53)).Union(netset.PortsOf(corev1.ProtocolTCP, 53, 53))
		}
	}
	return out
}

// is reports whether a flow's end stands for a pod.
func (o *declared) is(t *v1alpha1.Tenant, e v1alpha1.FlowEnd, p *corev1.Pod) bool {
	switch {
	case e.CIDR != "": // "a block outside the cluster"
		return false
	case e.Ingress:
		return selected(o.world.class(t).Spec.Network.IngressFrom, p)
	}
	owner := t.Name
	if e.Tenant != "" {
		owner = e.Tenant
	}
	return o.owner[p.Namespace] == owner && (e.Namespace == "" || p.Namespace == owner+"-"+e.Namespace) && carries(p, e.Pods)
}

func selected(list []v1alpha1.PeerSelector, p *corev1.Pod) bool {
	return slices.ContainsFunc(list, func(s v1alpha1.PeerSelector) bool { return s.Namespace == p.Namespace && carries(p, s.Pods) })
}

func carries(p *corev1.Pod, labels map[string]string) bool {
	for k, v := range labels {
		if p.Labels[k] != v {
			return false
		}
	}
	return true
}

// outside is what a pod may exchange with an address outside of the cluster.
func (o *declared) outside(d rules.Direction, p *corev1.Pod, a netip.Addr) netset.Ports {
	var out netset.Ports
	t := o.tenants[o.owner[p.Namespace]]
	if slices.ContainsFunc(o.cluster, func(c netip.Prefix) bool { return c.Contains(a) }) {
		return out
	}
	for _, f := range t.Spec.Network.Flows {
		near, far := f.To, f.From
		if d == rules.Egress {
			near, far = f.From, f.To
		}
		if far.CIDR == "" || !o.is(t, near, p) || !netip.MustParsePrefix(far.CIDR).Contains(a) {
			continue
		}
		if !slices.ContainsFunc(far.Except, func(x string) bool { return netip.MustParsePrefix(x).Contains(a) }) {
			out = out.Union(union(f.Ports))
		}
	}
	return out
}
