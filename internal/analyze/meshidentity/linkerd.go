package meshidentity

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/meshidentity/linkerd"
	"watertight.dev/watertight/internal/guarantee"
)

// linkerd judges a tenant whose class has Linkerd.
func (j *judge) linkerd(m *linkerd.Mesh) {
	pods := j.pods()
	unread := slices.ContainsFunc([]string{"Server", "AuthorizationPolicy", "ServerAuthorization", "MeshTLSAuthentication"}, j.unread)
	if !unread { // what is not there may only not have been read
		for _, g := range grouped(pods, func(p *corev1.Pod) string { return j.alikeLinkerd(m, p) }) {
			j.linkerdPod(m, g)
		}
	}
	j.linkerdRoutes()
	j.ledger.NeedsNamespaces(answered)
	policies := []string{"Namespace", "Server", "AuthorizationPolicy", "ServerAuthorization", "MeshTLSAuthentication", "HTTPRoute", "GRPCRoute", "policy.linkerd.io"}
	j.ledger.Needs([]guarantee.ID{guarantee.IDN1}, slices.Concat(podKinds, policies)...)
	j.ledger.Needs([]guarantee.ID{guarantee.IDN2}, slices.Concat(podKinds, policies, []string{"ServiceAccount"})...)
	j.ledger.Needs([]guarantee.ID{guarantee.IDN3}, "Tenant", "TenantClass", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "policy.linkerd.io", "gateway.networking.k8s.io")
	about := analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.namespaces", "the mesh's settings are taken to be control plane namespace linkerd, trust domain cluster.local")
	j.ledger.Hold(guarantee.IDN1, "AuthenticatedEverywhere", fmt.Sprintf("each of its %d pods is in the mesh, and lets nobody in without an identity", len(pods)), about)
	j.ledger.Hold(guarantee.IDN2, "DeclaredOnly", fmt.Sprintf("at each of its %d pods only identities are authorised that it declares", len(pods)), about)
	j.ledger.Hold(guarantee.IDN3, "OwnOnly", "its routes attach to services and gateways of its own, or of what its class names for ingress", about)
}

// alikeLinkerd puts pods together at which the same is authorised and declared.
func (j *judge) alikeLinkerd(m *linkerd.Mesh, p *corev1.Pod) string {
	key := fmt.Sprint(p.Namespace, m.Meshed(p), m.Skips(p), portsOf(p))
	for _, port := range append(portsOf(p), linkerd.Port) {
		a := m.At(p, port)
		key += fmt.Sprint(" ", port, a)
	}
	for _, f := range j.tenant.Spec.Network.Flows {
		key += fmt.Sprint(" ", j.receives(f.To, p))
	}
	return key
}

// linkerdPod judges IDN-1 and IDN-2 for pods that are alike.
func (j *judge) linkerdPod(m *linkerd.Mesh, g *group) {
	p := g.first
	if !m.Meshed(p) {
		j.noProxy(g)
		return
	}
	if m.Skips(p) {
		j.ledger.Break(guarantee.IDN1, "PortNotCaptured", fmt.Sprintf("%s takes connections past its proxy: remove the annotation config.linkerd.io/skip-inbound-ports", g),
			analyze.About(j.snapshot, p, "metadata.annotations[config.linkerd.io/skip-inbound-ports]", "leaves ports to no proxy"))
	}
	ports := portsOf(p)
	for _, port := range slices.Compact(append([]int32{linkerd.Port}, ports...)) {
		a := m.At(p, port)
		judged := slices.Contains(ports, port)
		for _, fault := range a.Faults {
			j.ledger.Doubt(guarantee.IDN1, "PolicyNotUnderstood", fmt.Sprintf("who is let in at %s of %s is unknown: %s", at(port), g, fault), j.decides(p, a))
			if judged {
				j.ledger.Doubt(guarantee.IDN2, "PolicyNotUnderstood", fmt.Sprintf("who is authorised at %s of %s is unknown: %s", at(port), g, fault), j.decides(p, a))
			}
		}
		switch {
		case a.Anonymous:
			j.ledger.Break(guarantee.IDN1, "NotAuthenticated", fmt.Sprintf("%s lets callers in at %s without an identity (%s): require a MeshTLSAuthentication, or set the default policy to deny", g, at(port), a.Reason), j.decides(p, a))
			if judged {
				j.ledger.Break(guarantee.IDN2, "Anonymous", fmt.Sprintf("whoever shows no identity is authorised at %s of %s (%s): require a MeshTLSAuthentication that names the callers", at(port), g, a.Reason), j.decides(p, a))
			}
		case judged:
			j.linkerdKnown(g, port, a)
		}
	}
}

// noProxy judges pods that no proxy stands in front of.
func (j *judge) noProxy(g *group) {
	p := g.first
	for _, id := range []guarantee.ID{guarantee.IDN1, guarantee.IDN2} {
		if j.snapshot.Namespace(p.Namespace) == nil && !p.Spec.HostNetwork {
			j.ledger.Doubt(id, "NamespaceNotSeen", fmt.Sprintf("namespace %s is not in the picture: whether %s gets a proxy of the mesh is unknown", p.Namespace, g),
				analyze.AboutNamespace(j.snapshot, p.Namespace, "is not in the snapshot"))
			continue
		}
		j.ledger.Break(id, "NotInMesh", fmt.Sprintf("%s has no proxy of the mesh: annotate namespace %s linkerd.io/inject=enabled, and restart it", g, p.Namespace),
			analyze.About(j.snapshot, p, "spec.containers", "has no linkerd-proxy"))
	}
}

// linkerdKnown judges the identities that no flow declares; one finding stands for all.
func (j *judge) linkerdKnown(g *group, port int32, a linkerd.Access) {
	var first *identity
	count := 0
	for _, id := range j.identities {
		if a.Admits(id.Namespace, id.Account) && !j.declares(id, g.first, port) {
			if count++; first == nil {
				first = id
			}
		}
	}
	if first == nil {
		return
	}
	who := "ServiceAccount " + first.String()
	if count > 1 {
		who += fmt.Sprintf(" (and %d more)", count-1)
	}
	j.ledger.Break(guarantee.IDN2, "UndeclaredIdentity", fmt.Sprintf("%s is authorised at %s of %s, and no flow declares it (%s): name the declared callers in a MeshTLSAuthentication, or declare the flow", who, at(port), g, a.Reason), j.decides(g.first, a))
}

// decides is evidence about what lets callers in.
func (j *judge) decides(p *corev1.Pod, a linkerd.Access) guarantee.Evidence {
	if a.By != nil {
		return analyze.About(j.snapshot, a.By, "spec", a.Reason)
	}
	return analyze.About(j.snapshot, p, "metadata.annotations", a.Reason)
}

// linkerdRoutes judges IDN-3: routes that attach to what is not the tenant's. Linkerd
// takes them from both groups (Linkerd: HTTPRoute).
func (j *judge) linkerdRoutes() {
	for _, o := range j.ownOthers() {
		switch o.GroupVersionKind().Group {
		case "policy.linkerd.io", "gateway.networking.k8s.io":
			j.route(o)
			j.backends(o)
		}
	}
}
