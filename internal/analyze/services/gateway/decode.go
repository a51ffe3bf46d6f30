package gateway

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// decoder reads fields of an untyped object, and notes the paths of those that are not
// what they should be.
type decoder struct{ faults []string }

func (d *decoder) fault(at, want string) {
	const most = 8
	if len(d.faults) < most {
		d.faults = append(d.faults, at+" is no "+want)
	}
}

func (d *decoder) object(m map[string]any, at, name string) map[string]any {
	return typed[map[string]any](d, m, at, name, "object")
}

func (d *decoder) text(m map[string]any, at, name string) string {
	return typed[string](d, m, at, name, "string")
}

func (d *decoder) number(m map[string]any, at, name string) int64 {
	if f, ok := m[name].(float64); ok { // a number that JSON wrote with a fraction of zero
		return int64(f)
	}
	return typed[int64](d, m, at, name, "number")
}

func (d *decoder) list(m map[string]any, at, name string) []any {
	return typed[[]any](d, m, at, name, "list")
}

// typed is a field of one type, or nothing where it is missing.
func typed[T any](d *decoder, m map[string]any, at, name, want string) T {
	var none T
	value, ok := m[name]
	if !ok || value == nil {
		return none
	}
	out, ok := value.(T)
	if !ok {
		d.fault(at+"."+name, want)
	}
	return out
}

// objects calls visit for each object of a list, with its path.
func (d *decoder) objects(m map[string]any, at, name string, visit func(o map[string]any, at string)) {
	for i, item := range d.list(m, at, name) {
		here := fmt.Sprintf("%s.%s[%d]", at, name, i)
		if o, ok := item.(map[string]any); ok {
			visit(o, here)
		} else {
			d.fault(here, "object")
		}
	}
}

func (d *decoder) texts(m map[string]any, at, name string) []string {
	var out []string
	for i, item := range d.list(m, at, name) {
		if s, ok := item.(string); ok {
			out = append(out, s)
		} else {
			d.fault(fmt.Sprintf("%s.%s[%d]", at, name, i), "string")
		}
	}
	return out
}

// ref reads a reference; group, kind and namespace have defaults.
func (d *decoder) ref(m map[string]any, at string, by Ref) Ref {
	out := Ref{Group: by.Group, Kind: by.Kind, Namespace: by.Namespace, Name: d.text(m, at, "name"), Field: at}
	if _, set := m["group"]; set {
		out.Group = d.text(m, at, "group")
	}
	if s := d.text(m, at, "kind"); s != "" {
		out.Kind = s
	}
	if s := d.text(m, at, "namespace"); s != "" {
		out.Namespace = s
	}
	out.Port = d.number(m, at, "port")
	out.Section = d.text(m, at, "sectionName")
	return out
}

// admission reads allowedRoutes.namespaces and allowedListeners.namespaces.
func (d *decoder) admission(m map[string]any, at, byDefault string) Admission {
	namespaces := d.object(m, at, "namespaces")
	at += ".namespaces"
	out := Admission{From: d.text(namespaces, at, "from"), Field: at}
	if out.From == "" {
		out.From = byDefault
	}
	selector := d.object(namespaces, at, "selector")
	if out.From != FromSelector {
		return out
	}
	out.Selector = labels.Nothing() // a missing selector selects none
	if selector == nil {
		return out
	}
	var typed metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(selector, &typed); err != nil {
		d.fault(at+".selector", "label selector")
		return out
	}
	parsed, err := metav1.LabelSelectorAsSelector(&typed)
	if err != nil {
		d.fault(at+".selector", "label selector")
		return out
	}
	out.Selector = parsed
	return out
}

func (d *decoder) listeners(spec map[string]any, namespace string) []Listener {
	var out []Listener
	d.objects(spec, "spec", "listeners", func(o map[string]any, at string) {
		l := Listener{
			Field: at, Name: d.text(o, at, "name"), Hostname: d.text(o, at, "hostname"),
			Protocol: d.text(o, at, "protocol"), Port: d.number(o, at, "port"),
		}
		allowed := d.object(o, at, "allowedRoutes")
		l.Routes = d.admission(allowed, at+".allowedRoutes", FromSame)
		d.objects(allowed, at+".allowedRoutes", "kinds", func(k map[string]any, at string) {
			l.Kinds = append(l.Kinds, d.text(k, at, "kind"))
		})
		tls := d.object(o, at, "tls")
		d.objects(tls, at+".tls", "certificateRefs", func(c map[string]any, at string) {
			l.Certificates = append(l.Certificates, d.ref(c, at, Ref{Kind: "Secret", Namespace: namespace}))
		})
		out = append(out, l)
	})
	return out
}

func readGateway(o *unstructured.Unstructured) *Gateway {
	d := &decoder{}
	spec := d.object(o.Object, "", "spec")
	g := &Gateway{Object: o, Class: d.text(spec, "spec", "gatewayClassName"), Listeners: d.listeners(spec, o.GetNamespace())}
	g.Sets = d.admission(d.object(spec, "spec", "allowedListeners"), "spec.allowedListeners", FromNone)
	d.objects(spec, "spec", "addresses", func(a map[string]any, at string) {
		g.Addresses = append(g.Addresses, Address{Value: d.text(a, at, "value"), Field: at + ".value"})
	})
	backend := d.object(d.object(spec, "spec", "tls"), "spec.tls", "backend")
	if c := d.object(backend, "spec.tls.backend", "clientCertificateRef"); c != nil {
		g.ClientCertificate = []Ref{d.ref(c, "spec.tls.backend.clientCertificateRef", Ref{Kind: "Secret", Namespace: o.GetNamespace()})}
	}
	g.Faults = d.faults
	return g
}

func readSet(o *unstructured.Unstructured) *ListenerSet {
	d := &decoder{}
	spec := d.object(o.Object, "", "spec")
	s := &ListenerSet{Object: o, Listeners: d.listeners(spec, o.GetNamespace())}
	s.Parent = d.ref(d.object(spec, "spec", "parentRef"), "spec.parentRef", Ref{Group: Group, Kind: "Gateway", Namespace: o.GetNamespace()})
	s.Faults = d.faults
	return s
}

func readGrant(o *unstructured.Unstructured) *Grant {
	d := &decoder{}
	spec := d.object(o.Object, "", "spec")
	g := &Grant{Object: o}
	d.objects(spec, "spec", "from", func(f map[string]any, at string) {
		g.From = append(g.From, Ref{Group: d.text(f, at, "group"), Kind: d.text(f, at, "kind"), Namespace: d.text(f, at, "namespace"), Field: at})
	})
	d.objects(spec, "spec", "to", func(t map[string]any, at string) {
		g.To = append(g.To, Ref{Group: d.text(t, at, "group"), Kind: d.text(t, at, "kind"), Namespace: o.GetNamespace(), Name: d.text(t, at, "name"), Field: at})
	})
	g.Faults = d.faults
	return g
}
