package services

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/services/gateway"
	"watertight.dev/watertight/internal/snapshot"
)

// picture is a snapshot sorted by namespace, so that the work grows with the number of
// objects and not with objects times tenants.
type picture struct {
	snapshot *snapshot.Snapshot
	spaces   map[string]*space
	places   *places
	gateways *gateway.Set
	classes  ingressClasses
	// parameters are class parameters in a tenant's namespace, by tenant.
	parameters map[string][]parameter
	// groups are the tenants that share a load balancer's group, by annotation and name.
	groups map[[2]string][]string
	// listed are the namespaces by each label that they have.
	listed map[[2]string][]string
	flows  flows
	// labelsOf are the labels of namespaces that were asked for.
	labelsOf map[string]map[string]string
	// podByName is filled by the first question.
	podByName map[snapshot.ObjectKey]*corev1.Pod
}

// space is one namespace.
type space struct {
	name      string
	services  []*corev1.Service
	byName    map[string]*corev1.Service
	endpoints []*corev1.Endpoints //nolint:staticcheck // deprecated, and still a road round policies
	// mirrors are the names of the Endpoints.
	mirrors   map[string]bool
	slices    []*discoveryv1.EndpointSlice
	ingresses []*networkingv1.Ingress
	policies  []*networkingv1.NetworkPolicy
	gateways  []*gateway.Gateway
	sets      []*gateway.ListenerSet
	routes    []*gateway.Route
	grants    []*gateway.Grant
	strange   []*unstructured.Unstructured
	// others are objects of other controllers that route traffic.
	others []*unstructured.Unstructured
	// pods, onHost and sourced are made by the first question.
	pods, onHost *podIndex
	sourced      []sourced
}

func (n *space) size() int {
	return len(n.services) + len(n.endpoints) + len(n.slices) + len(n.ingresses) + len(n.gateways) + len(n.sets) + len(n.routes) + len(n.grants) + len(n.strange) + len(n.others)
}

func newPicture(s *snapshot.Snapshot) *picture {
	p := &picture{snapshot: s, spaces: map[string]*space{}, gateways: gateway.Read(s.Others), flows: declared(s)}
	for _, o := range s.Services {
		n := p.space(o.Namespace)
		n.services = append(n.services, o)
		n.byName[o.Name] = o
	}
	for _, o := range s.Endpoints {
		n := p.space(o.Namespace)
		n.endpoints = append(n.endpoints, o)
		n.mirrors[o.Name] = true
	}
	for _, o := range s.EndpointSlices {
		n := p.space(o.Namespace)
		n.slices = append(n.slices, o)
	}
	for _, o := range s.Ingresses {
		n := p.space(o.Namespace)
		n.ingresses = append(n.ingresses, o)
	}
	for _, o := range s.NetworkPolicies {
		n := p.space(o.Namespace)
		n.policies = append(n.policies, o)
	}
	for _, o := range s.Others {
		if routes(o.GroupVersionKind().GroupKind()) {
			n := p.space(o.GetNamespace())
			n.others = append(n.others, o)
		}
	}
	p.shelveGateways()
	p.places = newPlaces(s)
	p.classes, p.parameters = readClasses(p)
	p.groups = readGroups(p)
	return p
}

func (p *picture) shelveGateways() {
	for _, o := range p.gateways.Gateways {
		n := p.space(o.Object.GetNamespace())
		n.gateways = append(n.gateways, o)
	}
	for _, o := range p.gateways.Sets {
		n := p.space(o.Object.GetNamespace())
		n.sets = append(n.sets, o)
	}
	for _, o := range p.gateways.Routes {
		n := p.space(o.Object.GetNamespace())
		n.routes = append(n.routes, o)
	}
	for _, o := range p.gateways.Grants {
		n := p.space(o.Object.GetNamespace())
		n.grants = append(n.grants, o)
	}
	for _, o := range p.gateways.Strange {
		n := p.space(o.GetNamespace())
		n.strange = append(n.strange, o)
	}
}

func (p *picture) space(name string) *space {
	n := p.spaces[name]
	if n == nil {
		n = &space{name: name, byName: map[string]*corev1.Service{}, mirrors: map[string]bool{}}
		p.spaces[name] = n
	}
	return n
}

// labels tells the labels of a namespace; known is false where it is not declared.
func (p *picture) labels(namespace string) (labels map[string]string, known bool) {
	if p.labelsOf == nil {
		p.labelsOf = map[string]map[string]string{}
	}
	labels, ok := p.labelsOf[namespace]
	if !ok {
		labels = p.snapshot.NamespaceLabels(namespace)
		p.labelsOf[namespace] = labels
	}
	return labels, p.snapshot.Namespace(namespace) != nil
}

// owner is the tenant of an object's namespace, or "".
func (p *picture) owner(o snapshot.Object) string { return p.snapshot.TenantOf(o.GetNamespace()) }

// flows are the declarations of tenants about each other.
type flows map[flowKey]bool

type flowKey struct {
	exports  bool
	from, to string // a tenant, or a namespace of one
}

// declared gathers what tenants declare to each other: a way counts where both do.
func declared(s *snapshot.Snapshot) flows {
	out := flows{}
	for _, t := range s.Tenants {
		for _, f := range t.Spec.Network.Flows {
			if (f.From.Tenant == "") == (f.To.Tenant == "") {
				continue
			}
			out[flowKey{f.To.Tenant != "", end(f.From, t.Name), end(f.To, t.Name)}] = true
		}
	}
	return out
}

// end names one end of a flow; pods and ports are the policies' affair.
func end(e v1alpha1.FlowEnd, tenant string) string {
	if e.Tenant != "" {
		tenant = e.Tenant
	}
	if e.Namespace == "" {
		return tenant
	}
	return "/" + v1alpha1.NamespaceName(tenant, e.Namespace)
}

// both reports whether both tenants declare the way between two of their namespaces.
func (f flows) both(s *snapshot.Snapshot, from, to string) bool {
	if len(f) == 0 {
		return false
	}
	says := func(exports bool) bool {
		for _, a := range []string{s.TenantOf(from), "/" + from} {
			if slices.ContainsFunc([]string{s.TenantOf(to), "/" + to}, func(b string) bool { return f[flowKey{exports, a, b}] }) {
				return true
			}
		}
		return false
	}
	return says(true) && says(false)
}
