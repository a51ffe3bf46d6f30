package services

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/services/address"
	"watertight.dev/watertight/internal/analyze/services/gateway"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Outside is where everybody is who may call what the cluster shows to the outside.
var Outside = analyze.Place{Kind: analyze.PlaceNetwork, Name: "outside the cluster"}

// exposed is the step from outside to what a class allows or forbids alike: it is a
// road, whether or not it is a mistake.
var exposed = Rule{"ExposedOutside", "", "", "make it ClusterIP, or take the Ingress or route away", serviceDoc}

// Roads yields the steps that Services, endpoints, Ingresses and routes open: from the
// power to create pods in a tenant's namespace, or from outside the cluster, to the pods
// behind them. Each is weak: who sends packets holds nothing yet. Steps of a Service lead
// over a place of its own, so that their number grows with the objects.
func Roads(s *snapshot.Snapshot, yield func(analyze.Edge) bool) {
	r := &roads{picture: newPicture(s), yield: yield, seen: map[step]bool{}, behind: map[*corev1.Service]bool{}}
	for _, t := range s.Tenants {
		for _, ns := range s.NamespacesOf(t.Name) {
			if r.namespace(t.Name, r.space(ns)); r.stopped {
				return
			}
		}
	}
}

type roads struct {
	*picture
	yield   func(analyze.Edge) bool
	stopped bool
	seen    map[step]bool
	// behind marks the Services whose pods were led to.
	behind map[*corev1.Service]bool
}

type step struct {
	from, to analyze.Place
	id       string
}

func (r *roads) add(rule Rule, from, to analyze.Place, evidence guarantee.Evidence) {
	key := step{from, to, rule.ID}
	if r.stopped || r.seen[key] {
		return
	}
	r.seen[key] = true
	r.stopped = !r.yield(analyze.Edge{
		From: from, To: to, ID: rule.ID, Guarantee: guarantee.NET2, Effect: "sends packets to " + to.String(),
		Reference: rule.Reference, Fix: rule.Fix, Evidence: evidence, Weak: true,
	})
}

func (r *roads) namespace(tenant string, n *space) {
	from := analyze.Place{Kind: analyze.PlaceNamespace, Namespace: n.name}
	for _, e := range r.points(n) {
		r.endpoint(tenant, from, e)
	}
	for _, s := range n.services {
		r.service(tenant, from, n, s)
	}
	for _, g := range n.ingresses {
		r.ingress(n, g)
	}
	for _, route := range n.routes {
		r.route(tenant, from, route)
	}
	for _, p := range r.snapshot.PodsIn(n.name) {
		for at := range hostPorts(p) {
			r.add(hostPort, Outside, workload(p), analyze.About(r.snapshot, p, at, "opens a port of the node"))
		}
	}
}

// points are the addresses of a namespace's endpoints.
func (r *roads) points(n *space) []endpoint {
	var out []endpoint
	for _, e := range n.endpoints {
		for i, subset := range e.Subsets {
			for _, a := range subset.Addresses {
				out = append(out, endpoint{object: e, field: fmt.Sprintf("subsets[%d].addresses", i), text: a.IP})
			}
		}
	}
	for _, e := range n.slices {
		for i, p := range e.Endpoints {
			for _, ip := range p.Addresses {
				out = append(out, endpoint{object: e, field: fmt.Sprintf("endpoints[%d].addresses", i), text: ip})
			}
		}
	}
	return out
}

// endpoint is the step to what an address of an endpoint leads to, if it is not the
// tenant's.
func (r *roads) endpoint(tenant string, from analyze.Place, e endpoint) {
	for _, ip := range address.Read(e.text) {
		at := r.places.of(ip)
		evidence := analyze.About(r.snapshot, e.object, e.field, "points at "+clip(e.text))
		if at.apiServer {
			continue // whoever has a pod may call it anyway
		}
		for _, pod := range at.pods {
			if r.snapshot.TenantOf(pod.Namespace) != tenant {
				r.add(foreignEndpoint, from, workload(pod), evidence)
			}
		}
		if at.node != "" {
			node := analyze.Place{Kind: analyze.PlaceNode, Name: at.node}
			if at.node == someNode {
				node.Name = "" // any
			}
			r.add(nodeEndpoint, from, node, evidence)
		}
	}
}

func (r *roads) service(tenant string, from analyze.Place, n *space, s *corev1.Service) {
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		t := r.lead(s.Spec.ExternalName)
		if t.service != "" && r.snapshot.TenantOf(t.namespace) != tenant {
			r.reach(externalName, from, t.namespace, t.service, analyze.About(r.snapshot, s, "spec.externalName", "is "+clip(s.Spec.ExternalName)))
		}
		return
	}
	field := ""
	switch {
	case s.Spec.Type == corev1.ServiceTypeNodePort, s.Spec.Type == corev1.ServiceTypeLoadBalancer:
		field = "spec.type"
	case len(s.Spec.ExternalIPs) > 0:
		field = "spec.externalIPs[0]"
	default:
		return
	}
	r.reach(exposed, Outside, n.name, s.Name, analyze.About(r.snapshot, s, field, "is reached from outside"))
}

// reach is the steps to the pods of a Service, over a place for the Service.
func (r *roads) reach(rule Rule, from analyze.Place, namespace, name string, evidence guarantee.Evidence) {
	n := r.spaces[namespace]
	if n == nil || n.byName[name] == nil {
		return
	}
	svc := n.byName[name]
	to := analyze.Place{Kind: analyze.PlaceNetwork, Namespace: namespace, Name: "Service " + name}
	r.add(rule, from, to, evidence)
	if r.behind[svc] {
		return
	}
	r.behind[svc] = true
	for _, pod := range r.podsOf(n).behind(svc) {
		r.add(exposed, to, workload(pod), analyze.About(r.snapshot, svc, "spec.selector", "selects the pod"))
	}
}

func (r *roads) ingress(n *space, g *networkingv1.Ingress) {
	add := func(field string, b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			r.reach(exposed, Outside, n.name, b.Service.Name, analyze.About(r.snapshot, g, field, "is reached from outside"))
		}
	}
	add("spec.defaultBackend", g.Spec.DefaultBackend)
	for i, rule := range g.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for k := range rule.HTTP.Paths {
			add(fmt.Sprintf("spec.rules[%d].http.paths[%d].backend", i, k), &rule.HTTP.Paths[k].Backend)
		}
	}
}

// route is the steps from outside to the tenant's Services, and from the tenant to those
// of others, where a grant lets it.
func (r *roads) route(tenant string, from analyze.Place, route *gateway.Route) {
	if !r.hangs(route) {
		return
	}
	for _, b := range route.Backends {
		if b.Group != "" || b.Kind != "Service" {
			continue
		}
		evidence := about(r.snapshot, route.Object, b.Field, "names Service "+clip(b.Namespace)+"/"+clip(b.Name))
		if b.Namespace == route.Object.GetNamespace() {
			r.reach(exposed, Outside, b.Namespace, b.Name, evidence)
			continue
		}
		grant, _ := r.gateways.Allows(gateway.Group, route.Kind, route.Object.GetNamespace(), b)
		switch {
		case grant == nil:
		case r.snapshot.TenantOf(b.Namespace) == tenant:
			r.reach(exposed, Outside, b.Namespace, b.Name, evidence)
		default:
			r.reach(foreignBackend, from, b.Namespace, b.Name, evidence)
		}
	}
}

// hangs reports whether a route hangs on a listener, or may on one that is not to be seen.
func (r *roads) hangs(route *gateway.Route) bool {
	return slices.ContainsFunc(route.Parents, func(parent gateway.Ref) bool {
		_, answer := r.gateways.Attach(route, parent, r.labels)
		return answer != gateway.No
	})
}

// workload is the place of a pod, or of the workload that it was made up from.
func workload(p *corev1.Pod) analyze.Place {
	return analyze.Place{Kind: analyze.PlaceWorkload, Namespace: p.Namespace, Name: snapshot.KeyOf(p).Name}
}
