package gateway

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// knownFilters are the filters of rules that do nothing but change the request, answer
// it, or send it to a backend that the filter names. What an ExtensionRef does is its
// controller's affair.
var knownFilters = map[string]bool{
	"RequestHeaderModifier": true, "ResponseHeaderModifier": true, "RequestMirror": true,
	"RequestRedirect": true, "URLRewrite": true, "CORS": true, "ExternalAuth": true,
}

func readRoute(o *unstructured.Unstructured) *Route {
	d := &decoder{}
	spec := d.object(o.Object, "", "spec")
	namespace := o.GetNamespace()
	r := &Route{Object: o, Kind: o.GetKind(), Hostnames: d.texts(spec, "spec", "hostnames")}
	d.objects(spec, "spec", "parentRefs", func(p map[string]any, at string) {
		r.Parents = append(r.Parents, d.ref(p, at, Ref{Group: Group, Kind: "Gateway", Namespace: namespace}))
	})
	d.objects(spec, "spec", "rules", func(rule map[string]any, at string) { r.rule(d, rule, at, namespace) })
	if len(r.Paths) == 0 {
		r.Paths = []Path{{Text: "/", Field: "spec.rules"}}
	}
	r.Faults = d.faults
	return r
}

func (r *Route) rule(d *decoder, rule map[string]any, at, namespace string) {
	r.filters(d, rule, at, namespace)
	d.objects(rule, at, "backendRefs", func(b map[string]any, at string) {
		r.Backends = append(r.Backends, d.ref(b, at, Ref{Kind: "Service", Namespace: namespace}))
		r.filters(d, b, at, namespace)
	})
	if r.Kind != "HTTPRoute" {
		return
	}
	matched := false
	d.objects(rule, at, "matches", func(m map[string]any, at string) {
		matched = true
		path := d.object(m, at, "path")
		p := Path{Text: "/", Field: at + ".path"}
		if v := d.text(path, at+".path", "value"); v != "" {
			p.Text = v
		}
		switch d.text(path, at+".path", "type") {
		case "", "PathPrefix":
		case "Exact":
			p.Exact = true
		default: // RegularExpression, or what is not known
			p.Text, p.Vague = "/", true
		}
		r.Paths = append(r.Paths, p)
	})
	if !matched {
		r.Paths = append(r.Paths, Path{Text: "/", Field: at})
	}
}

func (r *Route) filters(d *decoder, m map[string]any, at, namespace string) {
	d.objects(m, at, "filters", func(f map[string]any, at string) {
		kind := d.text(f, at, "type")
		if !knownFilters[kind] {
			r.Unknown = append(r.Unknown, at+" ("+kind+")")
			return
		}
		for _, name := range []string{"requestMirror", "externalAuth"} {
			filter := d.object(f, at, name)
			if b := d.object(filter, at+"."+name, "backendRef"); b != nil {
				r.Backends = append(r.Backends, d.ref(b, strings.Join([]string{at, name, "backendRef"}, "."), Ref{Kind: "Service", Namespace: namespace}))
			}
		}
	})
}
