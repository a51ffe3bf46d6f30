// Package istio works out what Istio's policies mean for a pod: which mutual TLS mode is
// in force on its ports, and who is authorised there, as the Istio security pages say. It
// looks at transport level only: what depends on an HTTP request is conditional, and what
// it does not understand is unknown. It judges no tenant.
package istio

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/snapshot"
)

// Options are settings of the mesh that stand in no object the snapshot has.
type Options struct {
	// RootNamespace is MeshConfig's; TrustDomain too.
	RootNamespace, TrustDomain string
}

// Defaults are what Istio installs with (MeshConfig: rootNamespace, trustDomain).
func Defaults() Options { return Options{RootNamespace: "istio-system", TrustDomain: "cluster.local"} }

const (
	security   = "security.istio.io"
	networking = "networking.istio.io"
)

// Mesh is what a snapshot says of its mesh.
type Mesh struct {
	Options
	snapshot *snapshot.Snapshot
	// peers and policies by namespace: PeerAuthentications from the oldest on,
	// AuthorizationPolicies in order of name.
	peers    map[string][]*peerAuthentication
	policies map[string][]*Policy
	services map[string][]*corev1.Service
}

// In reads the mesh of a snapshot.
func In(s *snapshot.Snapshot, o Options) *Mesh {
	m := &Mesh{
		Options: o, snapshot: s, peers: map[string][]*peerAuthentication{},
		policies: map[string][]*Policy{}, services: map[string][]*corev1.Service{},
	}
	for _, u := range s.Others {
		if u.GroupVersionKind().Group != security {
			continue
		}
		ns := cmp.Or(u.GetNamespace(), "default")
		switch u.GetKind() {
		case "PeerAuthentication":
			m.peers[ns] = append(m.peers[ns], readPeer(u))
		case "AuthorizationPolicy":
			m.policies[ns] = append(m.policies[ns], readPolicy(u, ns))
		}
	}
	for _, list := range m.peers {
		slices.SortStableFunc(list, older)
	}
	for _, list := range m.policies {
		slices.SortStableFunc(list, func(a, b *Policy) int { return cmp.Compare(a.Object.GetName(), b.Object.GetName()) })
	}
	for _, svc := range s.Services {
		m.services[svc.Namespace] = append(m.services[svc.Namespace], svc)
	}
	return m
}

// older orders by age, then by name: where ages are equal Istio takes any order that
// stays the same.
func older(a, b *peerAuthentication) int {
	return cmp.Or(
		a.object.GetCreationTimestamp().Compare(b.object.GetCreationTimestamp().Time),
		cmp.Compare(a.object.GetName(), b.object.GetName()),
	)
}

// Membership is how a pod takes part in the mesh.
type Membership string

// The memberships.
const (
	Outside Membership = "outside the mesh"
	Sidecar Membership = "with a sidecar"
	Ambient Membership = "in ambient mode"
)

const (
	dataplaneMode = "istio.io/dataplane-mode"
	injectPod     = "sidecar.istio.io/inject"
	injectSpace   = "istio-injection"
	revision      = "istio.io/rev"
	proxy         = "istio-proxy"
)

// Of tells how a pod takes part. On a live cluster a pod has a sidecar if it has the
// container; for a manifest the labels tell what injection will do (Istio: Installing
// the Sidecar; Add workloads to an ambient mesh). Pods on the node's network are in
// neither way.
func (m *Mesh) Of(p *corev1.Pod) Membership {
	has := func(c corev1.Container) bool { return c.Name == proxy }
	switch {
	case slices.ContainsFunc(p.Spec.Containers, has) || slices.ContainsFunc(p.Spec.InitContainers, has):
		return Sidecar
	case p.Spec.HostNetwork:
		return Outside
	}
	labels := m.snapshot.NamespaceLabels(p.Namespace)
	if m.snapshot.Origin != snapshot.OriginLive && injected(labels, p) {
		return Sidecar
	}
	switch mode := cmp.Or(p.Labels[dataplaneMode], labels[dataplaneMode]); mode {
	case "ambient":
		return Ambient
	}
	return Outside
}

// injected follows the table of Istio's injection: a label that says no wins, one that
// says yes is needed.
func injected(namespace map[string]string, p *corev1.Pod) bool {
	own := cmp.Or(p.Labels[injectPod], p.Annotations[injectPod])
	if namespace[injectSpace] == "disabled" || own == "false" {
		return false
	}
	_, byRevision := namespace[revision]
	_, ownRevision := p.Labels[revision]
	return namespace[injectSpace] == "enabled" || byRevision || own == "true" || ownRevision
}

// Peer is the other end of a connection: a workload's identity and where it comes from.
type Peer struct {
	Namespace, Account string
	// Addresses it has; none means that they are not known.
	Addresses []string
	// Meshed is true where it can prove its identity by mutual TLS.
	Meshed bool
}

// PeerOf is a pod as the other end.
func (m *Mesh) PeerOf(p *corev1.Pod) Peer {
	peer := Peer{Namespace: p.Namespace, Account: cmp.Or(p.Spec.ServiceAccountName, "default"), Meshed: m.Of(p) != Outside}
	if p.Status.PodIP != "" {
		peer.Addresses = append(peer.Addresses, p.Status.PodIP)
	}
	for _, ip := range p.Status.PodIPs {
		if ip.IP != "" && ip.IP != p.Status.PodIP {
			peer.Addresses = append(peer.Addresses, ip.IP)
		}
	}
	return peer
}

// Waypoint is the waypoint that traffic to an ambient pod takes ("namespace/name"), or
// "": by the label of the pod, of a Service that selects it, or of its namespace.
func (m *Mesh) Waypoint(p *corev1.Pod) string {
	if m.Of(p) != Ambient {
		return ""
	}
	name := func(labels map[string]string) string {
		w := labels["istio.io/use-waypoint"]
		if w == "" || w == "none" {
			return w
		}
		return cmp.Or(labels["istio.io/use-waypoint-namespace"], p.Namespace) + "/" + w
	}
	labels := []map[string]string{p.Labels}
	for _, s := range m.serving(p) {
		labels = append(labels, s.Labels)
	}
	for _, l := range append(labels, m.snapshot.NamespaceLabels(p.Namespace)) {
		if w := name(l); w != "" {
			return strings.TrimPrefix(w, "none")
		}
	}
	return ""
}

// serving lists the Services that select a pod.
func (m *Mesh) serving(p *corev1.Pod) []*corev1.Service {
	var out []*corev1.Service
	for _, s := range m.services[p.Namespace] {
		if len(s.Spec.Selector) > 0 && subset(s.Spec.Selector, p.Labels) {
			out = append(out, s)
		}
	}
	return out
}

func subset(wanted, have map[string]string) bool {
	for k, v := range wanted {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// name is how people know a policy.
func name(u *unstructured.Unstructured) string { return snapshot.KeyOf(u).String() }
