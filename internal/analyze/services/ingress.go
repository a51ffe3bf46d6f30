package services

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/services/hostname"
	"watertight.dev/watertight/internal/snapshot"
)

// ingress judges one Ingress: its host names, what its paths and annotations tell its
// controller, and its backends.
func (j *judge) ingress(g *networkingv1.Ingress) {
	j.annotations(g, j.classes.controller(g))
	if g.Spec.DefaultBackend != nil && j.class != nil {
		j.note(hostnameMissing, g, "spec.defaultBackend", "takes every host name")
	}
	if g.Spec.DefaultBackend != nil && g.Spec.DefaultBackend.Resource != nil {
		j.note(backendUnknown, g, "spec.defaultBackend.resource", "names a "+clip(g.Spec.DefaultBackend.Resource.Kind))
	}
	hosts := map[string]bool{}
	for i, r := range g.Spec.Rules {
		hosts[r.Host] = true
		j.host(g, fmt.Sprintf("spec.rules[%d].host", i), r.Host)
		if r.HTTP != nil {
			j.paths(g, i, r.HTTP.Paths)
		}
	}
	for i, t := range g.Spec.TLS {
		if len(t.Hosts) == 0 && j.class != nil {
			j.note(hostnameMissing, g, fmt.Sprintf("spec.tls[%d].hosts", i), "is empty: the certificate serves every host name")
		}
		for k, h := range t.Hosts {
			if !hosts[h] {
				j.host(g, fmt.Sprintf("spec.tls[%d].hosts[%d]", i, k), h)
			}
		}
		if namespace, _, foreign := strings.Cut(t.SecretName, "/"); foreign && namespace != g.Namespace {
			j.note(foreignSecret, g, fmt.Sprintf("spec.tls[%d].secretName", i), "names "+clip(t.SecretName))
		}
	}
}

func (j *judge) paths(g *networkingv1.Ingress, rule int, paths []networkingv1.HTTPIngressPath) {
	for k, p := range paths {
		at := fmt.Sprintf("spec.rules[%d].http.paths[%d]", rule, k)
		if p.Backend.Resource != nil {
			j.note(backendUnknown, g, at+".backend.resource", "names a "+clip(p.Backend.Resource.Kind))
		}
		if breaksOut(p.Path) {
			j.note(annotationInjection, g, at+".path", fmt.Sprintf("is %q", clip(p.Path)))
		}
	}
}

// breaksOut reports whether a text ends the line or the directive that it is pasted into.
func breaksOut(text string) bool { return strings.ContainsAny(text, "\n\r;") }

// host judges one host name that an object claims.
func (j *judge) host(o snapshot.Object, field, host string) {
	if c := j.hostCharge(host); c.rule.ID != "" {
		j.note(c.rule, o, field, c.fact)
	}
}

// hostCharge is the rule that a claim to a host name breaks, if any. Without a class,
// what may be claimed is unknown, which is said elsewhere.
func (j *judge) hostCharge(host string) charge {
	switch {
	case host != "" && !hostname.Valid(hostname.Fold(host)):
		return charge{hostnameInvalid, fmt.Sprintf("claims %q, which is no host name", clip(host))}
	case j.class == nil:
	case host == "":
		return charge{hostnameMissing, "takes every host name"}
	case !hostname.Allowed(j.hostnames, host):
		return charge{hostnameForbidden, fmt.Sprintf("claims %s, which class %s does not give to tenant %s (it gives: %s)",
			clip(host), j.class.Name, j.tenant.Name, strings.Join(j.hostnames, ", "))}
	}
	return charge{}
}

// ingressClasses are the IngressClasses of the picture.
type ingressClasses struct {
	controllers map[string]string
	// byDefault are the classes of an Ingress that names none.
	byDefault []string
}

// usual are the names that controllers' own documentation and charts give their classes.
var usual = map[string]string{
	"nginx": nginx, "alb": awsALB, "haproxy": haproxy, "traefik": traefik,
}

// controller is what serves an Ingress, "" where that is not known. A class that is not in
// the picture counts by the name that is usual for it.
func (c *ingressClasses) controller(g *networkingv1.Ingress) string {
	name := g.Annotations["kubernetes.io/ingress.class"]
	if g.Spec.IngressClassName != nil {
		name = *g.Spec.IngressClassName
	}
	if name == "" && len(c.byDefault) == 1 {
		name = c.byDefault[0]
	}
	if controller, ok := c.controllers[name]; ok {
		return controller
	}
	return usual[name]
}

// parameter is a class whose parameters lie in a tenant's namespace.
type parameter struct {
	object           snapshot.Object
	field, namespace string
}

const classGroup = "networking.k8s.io"

// field is a string of an untyped object, "" where there is none.
func field(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

// readClasses reads IngressClasses, and the parameters of theirs and of GatewayClasses.
func readClasses(p *picture) (ingressClasses, map[string][]parameter) {
	classes := ingressClasses{controllers: map[string]string{}}
	parameters := map[string][]parameter{}
	add := func(o snapshot.Object, field, namespace string) {
		if tenant := p.snapshot.TenantOf(namespace); tenant != "" {
			parameters[tenant] = append(parameters[tenant], parameter{o, field + ".namespace", namespace})
		}
	}
	for _, o := range p.snapshot.Others {
		if kind := o.GroupVersionKind(); kind.Group != classGroup || kind.Kind != "IngressClass" {
			continue
		}
		controller, namespace := field(o, "spec", "controller"), field(o, "spec", "parameters", "namespace")
		classes.controllers[o.GetName()] = controller
		if o.GetAnnotations()["ingressclass.kubernetes.io/is-default-class"] == "true" {
			classes.byDefault = append(classes.byDefault, o.GetName())
		}
		add(o, "spec.parameters", namespace)
	}
	for _, o := range p.gateways.Classes {
		add(o, "spec.parametersRef", field(o, "spec", "parametersRef", "namespace"))
	}
	slices.Sort(classes.byDefault)
	return classes, parameters
}
