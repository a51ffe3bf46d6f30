// Package services looks for ways round the network policies: Services that reach past
// the cluster's edge or take others' addresses, endpoints at foreign pods, nodes and
// metadata, host names that belong to others, annotations and grants that make a
// controller a deputy. It does not follow a packet through a load balancer, and does not
// judge who may write these objects (that is RBAC's question) or whether a policy lets
// their traffic through (that is netreach's). Traffic distribution, session affinity and
// internalTrafficPolicy choose among a Service's own endpoints and open nothing, so they
// are not looked at; publishNotReadyAddresses neither, because a pod counts as an
// endpoint here whether it is ready or not.
package services

import (
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/services/gateway"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

var (
	answered = []guarantee.ID{guarantee.NET2}
	// needed are the kinds without which the absence of a road proves nothing.
	needed = []string{
		"Tenant", "TenantClass", "Service", "Pod", "Endpoints", "EndpointSlice", "Ingress", "IngressClass", "GatewayClass",
		"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "Gateway", "ListenerSet", "XListenerSet", "ReferenceGrant", gateway.Group, gateway.Experimental,
	}
)

// Analyzer judges NET-2.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "services", Guarantees: slices.Clone(answered), Run: Run, Edges: Roads}
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	p := newPicture(s)
	conflicts := p.conflicts()
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := newJudge(p, t)
		for _, ns := range s.NamespacesOf(t.Name) {
			j.namespace(p.space(ns))
		}
		for _, c := range conflicts[t.Name] {
			j.conflict(c)
		}
		for _, c := range p.parameters[t.Name] {
			j.note(classParameters, c.object, c.field, "names namespace "+c.namespace)
		}
		findings = append(findings, j.close()...)
	}
	return findings
}

// judge is what the judgements of one tenant share.
type judge struct {
	*picture
	tenant *v1alpha1.Tenant
	class  *v1alpha1.TenantClass
	// hostnames are the class's, with the tenant's name filled in.
	hostnames []string
	ledger    *analyze.Ledger
	seen      int
	noted     map[noteKey]int
}

type noteKey struct {
	object snapshot.ObjectKey
	rule   string
}

func newJudge(p *picture, t *v1alpha1.Tenant) *judge {
	j := &judge{picture: p, tenant: t, class: p.snapshot.ClassOf(t), ledger: analyze.NewLedger(p.snapshot, t.Name), noted: map[noteKey]int{}}
	j.hostnames = hostnamesOf(j.class, t.Name)
	if j.class == nil {
		j.ledger.Doubt(guarantee.NET2, "ClassNotFound", fmt.Sprintf("TenantClass %s of tenant %s does not exist: which Service types and host names it may use is unknown; create it or correct spec.className", t.Spec.ClassName, t.Name),
			analyze.AboutTenant(p.snapshot, t.Name, "spec.className", t.Spec.ClassName))
	}
	return j
}

func hostnamesOf(class *v1alpha1.TenantClass, tenant string) []string {
	if class == nil {
		return nil
	}
	out := make([]string, 0, len(class.Spec.Network.Hostnames))
	for _, h := range class.Spec.Network.Hostnames {
		out = append(out, strings.ReplaceAll(h, "{tenant}", tenant))
	}
	return out
}

// namespace judges what is in one of the tenant's namespaces.
func (j *judge) namespace(n *space) {
	for _, s := range n.services {
		j.service(n, s)
	}
	for _, p := range j.snapshot.PodsIn(n.name) {
		j.hostPorts(p)
		j.podNetworks(p)
	}
	j.endpoints(n)
	j.endpointSlices(n)
	for _, g := range n.ingresses {
		j.ingress(g)
	}
	for _, g := range n.gateways {
		j.gateway(g)
	}
	for _, s := range n.sets {
		j.listenerSet(s)
	}
	for _, r := range n.routes {
		j.route(r)
	}
	for _, g := range n.grants {
		j.grant(g)
	}
	for _, o := range n.strange {
		j.note(gatewayKindUnknown, o, "apiVersion", "is "+clip(o.GetAPIVersion())+" "+clip(o.GetKind()))
	}
	for _, o := range n.others {
		j.note(roadKindUnknown, o, "apiVersion", "is "+clip(o.GetAPIVersion())+" "+clip(o.GetKind()))
	}
	j.seen += n.size()
}

func (j *judge) close() []guarantee.Finding {
	j.rest()
	j.ledger.NeedsNamespaces(answered)
	j.ledger.Needs(answered, needed...)
	namespaces := j.snapshot.NamespacesOf(j.tenant.Name)
	j.ledger.Hold(guarantee.NET2, "NoWayRound", fmt.Sprintf("none of its %d Services, endpoints, Ingresses and routes reaches past the cluster's edge, takes a foreign address or claims a foreign host name", j.seen),
		analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.namespaces", fmt.Sprintf("%d objects were judged in %s", j.seen, strings.Join(namespaces, ", "))))
	return j.ledger.Close(answered)
}
