package services

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// ingresses judges the host names that Ingresses claim.
func (j *judge) ingresses() {
	for _, g := range j.snapshot.Ingresses {
		if !j.mine(g) || j.class == nil {
			continue
		}
		if g.Spec.DefaultBackend != nil && len(g.Spec.Rules) == 0 {
			j.broken(g, "HostnameMissing", "spec.defaultBackend", "takes every host name", "set spec.rules[].host")
		}
		for i, r := range g.Spec.Rules {
			j.host(g, fmt.Sprintf("spec.rules[%d].host", i), r.Host)
		}
		for i, t := range g.Spec.TLS {
			for k, h := range t.Hosts {
				if !slices.ContainsFunc(g.Spec.Rules, func(r networkingv1.IngressRule) bool { return r.Host == h }) {
					j.host(g, fmt.Sprintf("spec.tls[%d].hosts[%d]", i, k), h)
				}
			}
		}
	}
}

// routes judges the host names of Gateway API routes.
func (j *judge) routes() {
	for _, o := range j.snapshot.Others {
		kind := o.GroupVersionKind()
		if kind.Group != "gateway.networking.k8s.io" || !strings.HasSuffix(kind.Kind, "Route") || !j.mine(o) || j.class == nil {
			continue
		}
		hosts, _, err := unstructured.NestedStringSlice(o.Object, "spec", "hostnames")
		if err != nil || len(hosts) == 0 {
			j.ledger.Doubt(guarantee.NET2, "HostnameInherited", fmt.Sprintf("%s names no host and takes those of its gateway's listener, which is not judged: set spec.hostnames", snapshot.KeyOf(o)),
				analyze.About(j.snapshot, o, "spec.hostnames", "is empty"))
		}
		for i, h := range hosts {
			j.host(o, fmt.Sprintf("spec.hostnames[%d]", i), h)
		}
	}
}

// host judges one host name.
func (j *judge) host(o snapshot.Object, field, host string) {
	patterns := j.class.Spec.Network.Hostnames
	switch {
	case host == "":
		j.broken(o, "HostnameMissing", field, "takes every host name", "set the host")
	case !slices.ContainsFunc(patterns, func(p string) bool { return allowed(strings.ReplaceAll(p, "{tenant}", j.tenant), host) }):
		j.broken(o, "HostnameForbidden", field, fmt.Sprintf("claims %s, which class %s does not give to tenant %s", host, j.class.Name, j.tenant), "choose a host that it does: "+strings.ReplaceAll(strings.Join(patterns, ", "), "{tenant}", j.tenant))
	}
}

// allowed reports whether a pattern gives a host name: "*.acme.example" gives every name
// below acme.example, "*.shop.acme.example" among them, and not acme.example.
func allowed(pattern, host string) bool {
	pattern, host = strings.ToLower(pattern), strings.ToLower(strings.TrimSuffix(host, "."))
	if suffix, wild := strings.CutPrefix(pattern, "*"); wild {
		return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
	}
	return host == pattern
}
