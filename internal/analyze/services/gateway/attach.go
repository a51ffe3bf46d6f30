package gateway

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/analyze/services/hostname"
)

// Namespaces tells the labels of a namespace, and whether they are all known: a folder
// may fill a namespace that it does not declare.
type Namespaces func(name string) (labels map[string]string, known bool)

// Answer is whether something is attached.
type Answer int

// The answers.
const (
	No Answer = iota
	Yes
	// Unseen is where an object that would decide is not in the picture.
	Unseen
)

// admits reports whether a namespace may attach something to an object of another.
func (a Admission) admits(home, namespace string, of Namespaces) Answer {
	switch a.From {
	case FromAll:
		return Yes
	case FromSame:
		if home == namespace {
			return Yes
		}
	case FromSelector:
		have, known := of(namespace)
		return selects(a.Selector, have, known)
	case FromNone:
	default: // a word that is not known
		return Unseen
	}
	return No
}

// selects matches a selector with labels of which some may be unknown.
func selects(selector labels.Selector, have labels.Set, known bool) Answer {
	requirements, selectable := selector.Requirements()
	if !selectable {
		return No
	}
	answer := Yes
	for _, r := range requirements {
		switch {
		case !known && !have.Has(r.Key()):
			answer = Unseen
		case !r.Matches(have):
			return No
		}
	}
	return answer
}

// Hung is a listener that a route hangs on, with the host names that it takes there.
// Hosts is empty where it takes every name.
type Hung struct {
	Listener *Listener
	// Owner is the Gateway or ListenerSet of the listener.
	Owner *unstructured.Unstructured
	Hosts []Host
}

// Host is a name that a route takes, and the index of the hostname that gave it; -1
// where the listener did.
type Host struct {
	Name  string
	Index int
}

// Attach says where a route hangs by one of its parents. Service parents (meshes) are no
// listeners: they only change what the route's own namespace, or clients of its own
// Services, see (GEP-1426).
func (s *Set) Attach(r *Route, parent Ref, of Namespaces) ([]Hung, Answer) {
	var listeners []Listener
	var owner *unstructured.Unstructured
	switch {
	case parent.Group == Group && parent.Kind == "Gateway":
		g := s.Gateway(parent)
		if g == nil {
			return nil, Unseen
		}
		listeners, owner = g.Listeners, g.Object
	case (parent.Group == Group || parent.Group == Experimental) && (parent.Kind == "ListenerSet" || parent.Kind == "XListenerSet"):
		set := s.sets[[2]string{parent.Namespace, parent.Name}]
		if set == nil {
			return nil, Unseen
		}
		if a := s.Attached(set, of); a != Yes {
			return nil, a
		}
		listeners, owner = set.Listeners, set.Object
	case parent.Group == "" && parent.Kind == "Service":
		return nil, No
	default:
		return nil, Unseen
	}
	return hang(r, parent, owner, listeners, of)
}

func hang(r *Route, parent Ref, owner *unstructured.Unstructured, listeners []Listener, of Namespaces) ([]Hung, Answer) {
	var out []Hung
	answer := No
	for i := range listeners {
		l := &listeners[i]
		if parent.Section != "" && parent.Section != l.Name || parent.Port != 0 && l.Port != 0 && parent.Port != l.Port || !l.takes(r.Kind) {
			continue
		}
		a := l.Routes.admits(owner.GetNamespace(), r.Object.GetNamespace(), of)
		if a == Unseen && answer == No {
			answer = Unseen
		}
		if a != Yes {
			continue
		}
		if hosts, ok := l.hosts(r); ok {
			out, answer = append(out, Hung{Listener: l, Owner: owner, Hosts: hosts}), Yes
		}
	}
	return out, answer
}

// byProtocol are the kinds of routes of a protocol, where a listener does not name them.
var byProtocol = map[string][]string{
	"HTTP": {"HTTPRoute", "GRPCRoute"}, "HTTPS": {"HTTPRoute", "GRPCRoute"},
	"TLS": {"TLSRoute", "TCPRoute"}, "TCP": {"TCPRoute"}, "UDP": {"UDPRoute"},
}

// takes reports whether a listener takes a kind of route; one of a protocol that is not
// known may take any.
func (l *Listener) takes(kind string) bool {
	if len(l.Kinds) > 0 {
		return slices.Contains(l.Kinds, kind)
	}
	kinds, known := byProtocol[l.Protocol]
	return !known || slices.Contains(kinds, kind)
}

// hosts is what a route takes of a listener; ok is false where they have no name in
// common, so that the route does not hang there.
func (l *Listener) hosts(r *Route) (out []Host, ok bool) {
	if !r.Named() {
		return nil, true
	}
	if len(r.Hostnames) == 0 {
		if l.Hostname == "" {
			return nil, true
		}
		return []Host{{hostname.Fold(l.Hostname), -1}}, true
	}
	for i, h := range r.Hostnames {
		if h == "" {
			continue // no name: judged by itself
		}
		if name, meet := hostname.Intersect(l.Hostname, h); meet {
			out = append(out, Host{name, i})
		}
	}
	return out, len(out) > 0
}

// Attached says whether a ListenerSet adds its listeners to its Gateway.
func (s *Set) Attached(set *ListenerSet, of Namespaces) Answer {
	g := s.Gateway(set.Parent)
	if g == nil || set.Parent.Group != Group || set.Parent.Kind != "Gateway" {
		return Unseen
	}
	return g.Sets.admits(g.Object.GetNamespace(), set.Object.GetNamespace(), of)
}

// Admitted returns the first namespace of a list that may attach something and that the
// filter wants, or "".
func (a Admission) Admitted(home string, candidates []string, of Namespaces, wanted func(string) bool) string {
	for _, ns := range candidates {
		if wanted(ns) && a.admits(home, ns, of) == Yes {
			return ns
		}
	}
	return ""
}
