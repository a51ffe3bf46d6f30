package services

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"watertight.dev/watertight/internal/analyze/services/address"
	"watertight.dev/watertight/internal/snapshot"
)

// places knows whose an address is.
type places struct {
	at map[netip.Addr]*spot
	// nodes are the addresses of nodes, sorted.
	nodes []netip.Addr
}

// spot is what is at one address.
type spot struct {
	// pods with the address as their own; those on the host's network are at a node.
	pods      []*corev1.Pod
	node      string
	apiServer bool
	// services have it as their cluster address, balancers as that of their load balancer.
	services  []*corev1.Service
	balancers []*corev1.Service
}

func newPlaces(s *snapshot.Snapshot) *places {
	p := &places{at: map[netip.Addr]*spot{}}
	for _, n := range s.Nodes {
		for _, a := range n.Status.Addresses {
			p.node(a.Address, n.Name)
		}
	}
	for _, pod := range s.Pods {
		p.pod(pod)
	}
	for _, svc := range s.Services {
		p.service(svc)
	}
	for _, e := range s.Endpoints {
		if e.Namespace == metaDefault && e.Name == kubernetes {
			for _, subset := range e.Subsets {
				for _, a := range subset.Addresses {
					p.apiServer(a.IP)
				}
			}
		}
	}
	for _, e := range s.EndpointSlices {
		if e.Namespace == metaDefault && e.Labels[discoveryv1.LabelServiceName] == kubernetes {
			for _, endpoint := range e.Endpoints {
				for _, ip := range endpoint.Addresses {
					p.apiServer(ip)
				}
			}
		}
	}
	slices.SortFunc(p.nodes, netip.Addr.Compare)
	return p
}

// The API server keeps the Service "kubernetes" and its endpoints itself.
const (
	metaDefault = corev1.NamespaceDefault
	kubernetes  = "kubernetes"
)

// put returns the spot of an address that the cluster wrote; it is well-formed or none.
func (p *places) put(ip string) *spot {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return &spot{}
	}
	a = a.Unmap()
	if p.at[a] == nil {
		p.at[a] = &spot{}
	}
	return p.at[a]
}

func (p *places) apiServer(ip string) { p.put(ip).apiServer = true }

func (p *places) node(ip, name string) {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return // a host name
	}
	if s := p.put(ip); s.node == "" {
		s.node = name
		p.nodes = append(p.nodes, a.Unmap())
	}
}

func (p *places) pod(pod *corev1.Pod) {
	for _, ip := range append([]corev1.HostIP{{IP: pod.Status.HostIP}}, pod.Status.HostIPs...) {
		p.node(ip.IP, orAny(pod.Spec.NodeName))
	}
	if finished(pod) { // its address may be another's by now
		return
	}
	for _, ip := range append([]corev1.PodIP{{IP: pod.Status.PodIP}}, pod.Status.PodIPs...) {
		if ip.IP == "" {
			continue
		}
		if pod.Spec.HostNetwork {
			p.node(ip.IP, orAny(pod.Spec.NodeName))
			continue
		}
		s := p.put(ip.IP)
		s.pods = addNew(s.pods, pod)
	}
}

// addNew adds what was not the last to be added: an object's addresses come together.
func addNew[T comparable](list []T, item T) []T {
	if n := len(list); n > 0 && list[n-1] == item {
		return list
	}
	return append(list, item)
}

// someNode is the name of a node of which only an address is known.
const someNode = "of the cluster"

func orAny(node string) string { return cmp.Or(node, someNode) }

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func (p *places) service(svc *corev1.Service) {
	for _, ip := range append([]string{svc.Spec.ClusterIP}, svc.Spec.ClusterIPs...) {
		if ip == "" || ip == corev1.ClusterIPNone {
			continue
		}
		s := p.put(ip)
		s.services = addNew(s.services, svc)
		if svc.Namespace == metaDefault && svc.Name == kubernetes {
			s.apiServer = true
		}
	}
	for _, in := range svc.Status.LoadBalancer.Ingress {
		if in.IP != "" {
			s := p.put(in.IP)
			s.balancers = addNew(s.balancers, svc)
		}
	}
}

// of is what is at an address; an empty spot where nothing is known of it.
func (p *places) of(ip netip.Addr) *spot {
	if s := p.at[ip]; s != nil {
		return s
	}
	return &spot{}
}

// nodeIn returns the address of a node inside a block and outside its exceptions.
func (p *places) nodeIn(block netip.Prefix, except []netip.Prefix) (netip.Addr, bool) {
	first, _ := slices.BinarySearchFunc(p.nodes, block.Masked().Addr(), netip.Addr.Compare)
	for _, ip := range p.nodes[first:] {
		if !block.Contains(ip) {
			break
		}
		if !slices.ContainsFunc(except, func(e netip.Prefix) bool { return e.Contains(ip) }) {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

// meaning says in words what an address is to a namespace, "" where it is nobody's that
// is known. It never names another tenant's objects beyond their namespace.
func (p *places) meaning(text string) string {
	for _, ip := range address.Read(text) {
		if _, name, _ := address.Special(ip); name != "" {
			return name
		}
		switch s := p.of(ip); {
		case s.apiServer:
			return "the API server"
		case s.node != "":
			return "node " + s.node
		case len(s.services) > 0:
			return "the cluster address of a Service in namespace " + s.services[0].Namespace
		case len(s.pods) > 0:
			return "a pod of namespace " + s.pods[0].Namespace
		}
	}
	return ""
}

// pods finds a pod by namespace and name.
func (p *picture) pods() map[snapshot.ObjectKey]*corev1.Pod {
	if p.podByName == nil {
		p.podByName = make(map[snapshot.ObjectKey]*corev1.Pod, len(p.snapshot.Pods))
		for _, pod := range p.snapshot.Pods {
			p.podByName[snapshot.ObjectKey{Namespace: pod.Namespace, Name: pod.Name}] = pod
		}
	}
	return p.podByName
}
