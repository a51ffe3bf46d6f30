// Package gateway reads the objects of the Gateway API out of untyped ones, leniently,
// and says which route hangs on which listener, and which reference a grant allows. It
// judges nothing, and does not read status: what a controller says of itself proves
// nothing.
package gateway

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// Group is the API group, and Experimental the one of kinds on trial (XListenerSet).
const (
	Group        = "gateway.networking.k8s.io"
	Experimental = "gateway.networking.x-k8s.io"
)

// From which namespaces a listener takes routes, or a Gateway takes ListenerSets.
const (
	FromAll      = "All"
	FromSame     = "Same"
	FromSelector = "Selector"
	FromNone     = "None"
)

// Ref names another object. Field is where the reference stands.
type Ref struct {
	Group, Kind, Namespace, Name string
	Section                      string
	Port                         int64
	Field                        string
}

// Admission is which namespaces may attach something.
type Admission struct {
	From     string
	Selector labels.Selector
	Field    string
}

// Address is one that a Gateway asks for.
type Address struct{ Value, Field string }

// Listener is a port of a Gateway.
type Listener struct {
	Name, Hostname, Protocol string
	Port                     int64
	Routes                   Admission
	Kinds                    []string
	Certificates             []Ref
	Field                    string
}

// Gateway is a Gateway. Faults are fields that could not be read.
type Gateway struct {
	Object            *unstructured.Unstructured
	Class             string
	Listeners         []Listener
	Sets              Admission
	Addresses         []Address
	ClientCertificate []Ref
	Faults            []string
}

// ListenerSet adds listeners to a Gateway (GEP-1713).
type ListenerSet struct {
	Object    *unstructured.Unstructured
	Parent    Ref
	Listeners []Listener
	Faults    []string
}

// Path is a path that a rule of a route takes.
type Path struct {
	Text         string
	Exact, Vague bool
	Field        string
}

// Route is an HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or UDPRoute. Unknown are fields
// whose effect is not known.
type Route struct {
	Object    *unstructured.Unstructured
	Kind      string
	Hostnames []string
	Parents   []Ref
	Backends  []Ref
	Paths     []Path
	Unknown   []string
	Faults    []string
}

// Named reports whether the kind of route tells hosts apart.
func (r *Route) Named() bool { return r.Kind != "TCPRoute" && r.Kind != "UDPRoute" }

// Grant is a ReferenceGrant: objects of its namespace that others may refer to.
type Grant struct {
	Object *unstructured.Unstructured
	From   []Ref
	To     []Ref
	Faults []string
}

// Set is all Gateway API objects of a picture.
type Set struct {
	Gateways []*Gateway
	Sets     []*ListenerSet
	Routes   []*Route
	Grants   []*Grant
	Classes  []*unstructured.Unstructured
	// Strange are objects of the groups that are of no kind or version known here.
	Strange []*unstructured.Unstructured

	gateways map[[2]string]*Gateway
	sets     map[[2]string]*ListenerSet
	grants   map[string][]*Grant
}

// versions that are known; others may have fields that mean something else.
var versions = map[string]bool{"v1": true, "v1beta1": true, "v1alpha1": true, "v1alpha2": true, "v1alpha3": true}

// Read takes the Gateway API's objects out of untyped ones.
func Read(others []*unstructured.Unstructured) *Set {
	s := &Set{gateways: map[[2]string]*Gateway{}, sets: map[[2]string]*ListenerSet{}, grants: map[string][]*Grant{}}
	for _, o := range others {
		if kind := o.GroupVersionKind(); kind.Group == Group || kind.Group == Experimental {
			s.add(o, versions[kind.Version])
		}
	}
	return s
}

func (s *Set) add(o *unstructured.Unstructured, known bool) {
	name := [2]string{o.GetNamespace(), o.GetName()}
	if !known {
		s.Strange = append(s.Strange, o)
	}
	switch o.GetKind() {
	case "GatewayClass":
		s.Classes = append(s.Classes, o)
	case "Gateway":
		s.gateways[name] = readGateway(o)
		s.Gateways = append(s.Gateways, s.gateways[name])
	case "ListenerSet", "XListenerSet":
		s.sets[name] = readSet(o)
		s.Sets = append(s.Sets, s.sets[name])
	case "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute":
		s.Routes = append(s.Routes, readRoute(o))
	case "ReferenceGrant":
		g := readGrant(o)
		s.Grants = append(s.Grants, g)
		s.grants[o.GetNamespace()] = append(s.grants[o.GetNamespace()], g)
	case "BackendTLSPolicy": // names Services and certificates of its own namespace only
	default:
		if known {
			s.Strange = append(s.Strange, o)
		}
	}
}

// Gateway returns the Gateway that a reference names, or nil.
func (s *Set) Gateway(r Ref) *Gateway { return s.gateways[[2]string{r.Namespace, r.Name}] }

// Allows returns the grant, and which of its "to", that lets objects of a kind in a
// namespace refer to another namespace's object; nil where there is none.
func (s *Set) Allows(group, kind, namespace string, to Ref) (*Grant, Ref) {
	for _, g := range s.grants[to.Namespace] {
		for _, f := range g.From {
			if f.Group != group || f.Kind != kind || f.Namespace != namespace {
				continue
			}
			for _, t := range g.To {
				if t.Group == to.Group && t.Kind == to.Kind && (t.Name == "" || t.Name == to.Name) {
					return g, t
				}
			}
		}
	}
	return nil, Ref{}
}
