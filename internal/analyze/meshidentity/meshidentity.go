// Package meshidentity asks whether a tenant's workloads prove who they are (IDN-1),
// whether only identities that the tenant declares are authorised at them (IDN-2), and
// whether the tenant keeps to its own waypoints, gateways and host names (IDN-3), from
// the mesh's policies. It does not look at HTTP requests, nor at what a proxy really does.
package meshidentity

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/meshidentity/istio"
	"watertight.dev/watertight/internal/analyze/meshidentity/linkerd"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{guarantee.IDN1, guarantee.IDN2, guarantee.IDN3}

// podKinds are the kinds without which the pods are not all known.
var podKinds = []string{
	"Tenant", "TenantClass", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job",
	"CronJob", "ReplicationController",
}

// The meshes of a class; api/v1alpha1 names MeshNone only.
const (
	meshIstio   v1alpha1.Mesh = "Istio"
	meshLinkerd v1alpha1.Mesh = "Linkerd"
)

// Analyzer judges IDN-1, IDN-2 and IDN-3.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "meshidentity", Guarantees: slices.Clone(answered), Run: Run}
}

// Modes are the mutual TLS modes of a pod's ports in an Istio mesh of default settings;
// istio.AnyPort stands for every port that has no mode of its own. For many pods, read
// the mesh once with istio.In.
func Modes(s *snapshot.Snapshot, pod *corev1.Pod) istio.Modes {
	return istio.In(s, istio.Defaults()).TLS(pod).Modes
}

// Authorised tells whether Istio's policies let one pod connect to a port of another, in
// a mesh of default settings. For many pairs, read the mesh once with istio.In.
func Authorised(s *snapshot.Snapshot, src, dst *corev1.Pod, port int32) istio.Verdict {
	m := istio.In(s, istio.Defaults())
	return m.Authorised(m.PeerOf(src), dst, port, true)
}

// judge is what the judgements of one tenant share.
type judge struct {
	*world
	tenant     *v1alpha1.Tenant
	class      *v1alpha1.TenantClass
	namespaces []string
	ledger     *analyze.Ledger
}

// world is what those of all tenants share.
type world struct {
	snapshot   *snapshot.Snapshot
	mesh       *istio.Mesh
	identities []*identity
	// others and services by namespace, and pods by address.
	others    map[string][]*unstructured.Unstructured
	services  map[string][]*corev1.Service
	addresses map[string][]*corev1.Pod
}

// groups are those whose objects are judged where they are.
var groups = []string{"networking.istio.io", "gateway.networking.k8s.io", "policy.linkerd.io"}

func worldOf(s *snapshot.Snapshot) *world {
	w := &world{
		snapshot: s, mesh: istio.In(s, istio.Defaults()), others: map[string][]*unstructured.Unstructured{},
		services: map[string][]*corev1.Service{}, addresses: map[string][]*corev1.Pod{},
	}
	if !slices.ContainsFunc(s.TenantClasses, func(c *v1alpha1.TenantClass) bool {
		return c.Spec.Identity.Mesh != "" && c.Spec.Identity.Mesh != v1alpha1.MeshNone
	}) {
		return w
	}
	w.identities = identitiesOf(s)
	for _, o := range s.Others {
		if slices.Contains(groups, o.GroupVersionKind().Group) {
			ns := cmp.Or(o.GetNamespace(), "default") // as a folder's manifest is applied
			w.others[ns] = append(w.others[ns], o)
		}
	}
	for _, svc := range s.Services {
		w.services[svc.Namespace] = append(w.services[svc.Namespace], svc)
	}
	for _, p := range s.Pods {
		for _, ip := range append([]corev1.PodIP{{IP: p.Status.PodIP}}, p.Status.PodIPs...) {
			if ip.IP != "" {
				w.addresses[ip.IP] = append(w.addresses[ip.IP], p)
			}
		}
	}
	return w
}

// ownOthers are the objects of those groups in the tenant's namespaces.
func (j *judge) ownOthers() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, ns := range j.namespaces {
		out = append(out, j.others[ns]...)
	}
	return out
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	w := worldOf(s)
	linkerds := linkerd.In(s)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := &judge{world: w, tenant: t, class: s.ClassOf(t), namespaces: s.NamespacesOf(t.Name), ledger: analyze.NewLedger(s, t.Name)}
		switch {
		case j.class == nil:
			j.each(func(id guarantee.ID) {
				j.ledger.Doubt(id, "ClassNotFound", fmt.Sprintf("TenantClass %s of tenant %s does not exist: create it or correct spec.className", t.Spec.ClassName, t.Name),
					analyze.AboutTenant(s, t.Name, "spec.className", t.Spec.ClassName))
			})
		case j.class.Spec.Identity.Mesh == "" || j.class.Spec.Identity.Mesh == v1alpha1.MeshNone:
			j.each(func(id guarantee.ID) {
				j.ledger.NotPromised(id, "class "+j.class.Name+" has no mesh (identity.mesh: None)")
			})
		case j.class.Spec.Identity.Mesh == meshIstio:
			j.istio()
		case j.class.Spec.Identity.Mesh == meshLinkerd:
			j.linkerd(linkerds)
		default:
			j.each(func(id guarantee.ID) {
				j.ledger.Doubt(id, "MeshNotKnown", fmt.Sprintf("class %s has mesh %s, whose policies are not evaluated", j.class.Name, j.class.Spec.Identity.Mesh))
			})
		}
		findings = append(findings, j.ledger.Close(answered)...)
	}
	return findings
}

func (j *judge) each(do func(guarantee.ID)) {
	for _, id := range answered {
		do(id)
	}
}

// pods are the tenant's pods that are not over.
func (j *judge) pods() []*corev1.Pod {
	var out []*corev1.Pod
	for _, ns := range j.namespaces {
		for _, p := range j.snapshot.PodsIn(ns) {
			if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				out = append(out, p)
			}
		}
	}
	return out
}

// istio judges a tenant whose class has Istio.
func (j *judge) istio() {
	pods := j.pods()
	if !j.unread("PeerAuthentication") { // what is not there may only not have been read
		j.strict(pods)
		if !j.unread("AuthorizationPolicy") {
			j.authorised(pods)
		}
	}
	j.crossing()
	j.filters()
	j.ledger.NeedsNamespaces(answered)
	j.ledger.Needs([]guarantee.ID{guarantee.IDN1}, append(slices.Clone(podKinds), "Namespace", "PeerAuthentication", "EnvoyFilter", "security.istio.io", "networking.istio.io")...)
	j.ledger.Needs([]guarantee.ID{guarantee.IDN2}, append(slices.Clone(podKinds), "Namespace", "Service", "ServiceAccount", "PeerAuthentication", "AuthorizationPolicy", "EnvoyFilter", "security.istio.io", "networking.istio.io")...)
	j.ledger.Needs([]guarantee.ID{guarantee.IDN3}, append(slices.Clone(podKinds), "Namespace", "Service", "VirtualService", "Gateway", "ServiceEntry", "DestinationRule", "WorkloadEntry", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "networking.istio.io", "gateway.networking.k8s.io")...)
	settings := fmt.Sprintf("the mesh's settings are taken to be root namespace %s, trust domain %s", j.mesh.RootNamespace, j.mesh.TrustDomain)
	about := analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.namespaces", settings)
	j.ledger.Hold(guarantee.IDN1, "StrictEverywhere", fmt.Sprintf("each of its %d pods is in the mesh, and takes mutual TLS only on every port", len(pods)), about)
	j.ledger.Hold(guarantee.IDN2, "DeclaredOnly", fmt.Sprintf("at each of its %d pods only identities are authorised that it declares", len(pods)), about)
	j.ledger.Hold(guarantee.IDN3, "OwnOnly", "its waypoints, gateways, hosts and entries are its own, or what its class names for ingress", about)
}

// unread reports whether a kind may not be listed, or an object of it not read.
func (j *judge) unread(kind string) bool {
	return slices.ContainsFunc(j.snapshot.Missing(kind), func(p snapshot.Problem) bool { return p.Kind == kind })
}

// outside judges a pod that no proxy stands in front of, and reports whether it is one.
// Where its namespace's labels are not known, nor is that.
func (j *judge) outside(id guarantee.ID, g *group, means string) bool {
	if j.mesh.Of(g.first) != istio.Outside {
		return false
	}
	if j.snapshot.Namespace(g.first.Namespace) == nil && !g.first.Spec.HostNetwork {
		j.ledger.Doubt(id, "NamespaceNotSeen", fmt.Sprintf("namespace %s is not in the picture: whether %s gets a proxy of the mesh is unknown", g.first.Namespace, g),
			analyze.AboutNamespace(j.snapshot, g.first.Namespace, "is not in the snapshot"))
		return true
	}
	j.ledger.Break(id, "NotInMesh", fmt.Sprintf("%s has no proxy of the mesh: %s; label namespace %s istio-injection=enabled or istio.io/dataplane-mode=ambient, and restart it", g, means, g.first.Namespace),
		analyze.About(j.snapshot, g.first, "spec.containers", "has no istio-proxy, and is not in ambient mode"))
	return true
}

// filters notes EnvoyFilters, which can take any policy out of a proxy again.
func (j *judge) filters() {
	for _, o := range slices.Concat(j.others[j.mesh.RootNamespace], j.ownOthers()) {
		if kind := o.GroupVersionKind(); kind.Group != "networking.istio.io" || kind.Kind != "EnvoyFilter" {
			continue
		}
		for _, id := range []guarantee.ID{guarantee.IDN1, guarantee.IDN2} {
			j.ledger.Doubt(id, "EnvoyFilter", fmt.Sprintf("%s changes the proxies' configuration, which is not evaluated: remove it, or use Istio's own policies", snapshot.KeyOf(o)),
				analyze.About(j.snapshot, o, "spec.configPatches", "patches proxies"))
		}
	}
}

// group is pods of which the same is true: the first stands for all.
type group struct {
	first *corev1.Pod
	more  int
}

// grouped puts pods together whose key is the same, in their order.
func grouped(pods []*corev1.Pod, key func(*corev1.Pod) string) []*group {
	byKey := map[string]*group{}
	var out []*group
	for _, p := range pods {
		k := key(p)
		if g := byKey[k]; g != nil {
			g.more++
			continue
		}
		byKey[k] = &group{first: p}
		out = append(out, byKey[k])
	}
	return out
}

// String names the pods of a group.
func (g *group) String() string {
	name := snapshot.KeyOf(g.first).String()
	if g.more > 0 {
		name += fmt.Sprintf(" (and %d more like it)", g.more)
	}
	return name
}
