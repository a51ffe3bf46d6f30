package services

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// charge is a rule that something breaks, and the fact that shows it.
type charge struct {
	rule Rule
	fact string
}

// annotations judges an object's annotations; controller serves it, where that is known.
// Only an Ingress has one.
func (j *judge) annotations(o snapshot.Object, controller string) {
	_, served := o.(*networkingv1.Ingress)
	for _, key := range slices.Sorted(maps.Keys(o.GetAnnotations())) {
		a, ok := annotationOf(key)
		if !ok || a.controller != "" && (!served || controller != "" && a.controller != controller) {
			continue
		}
		at := "metadata.annotations[" + key + "]"
		for _, c := range j.annotation(o, a, o.GetAnnotations()[key]) {
			if a.controller != "" && controller == "" {
				j.note(annotationUnknown, o, at, "is read by "+a.controller+", which may serve it")
				break
			}
			c.rule.Reference = a.reference
			j.note(c.rule, o, at, c.fact)
		}
	}
}

// annotation is what a value does where its controller reads it.
func (j *judge) annotation(o snapshot.Object, a annotation, value string) []charge {
	if a.controller != "" && a.meaning != pasted && breaksOut(value) {
		return []charge{{annotationInjection, fmt.Sprintf("is %q", clip(value))}}
	}
	switch a.meaning {
	case pasted:
		return []charge{{annotationSnippet, "is pasted as it is"}}
	case urls:
		if what := j.forbidden(value, o.GetNamespace()); what != "" {
			return []charge{{annotationURL, fmt.Sprintf("is %s (%s)", clip(value), what)}}
		}
	case hosts:
		return j.hostList(value)
	case object:
		if namespace, _, named := strings.Cut(value, "/"); named && j.snapshot.TenantOf(namespace) != j.tenant.Name {
			return []charge{{annotationForeign, "names " + clip(value)}}
		}
	case prefixed:
		return j.prefixed(value)
	case addresses:
		if s, ok := o.(*corev1.Service); ok && s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			return []charge{{loadBalancerIP, "asks for " + j.named(value)}}
		}
	case group:
		for _, tenant := range j.groups[[2]string{a.key, value}] {
			if tenant != j.tenant.Name {
				return []charge{{sharedBalancer, "is " + clip(value) + ", as in tenant " + tenant}}
			}
		}
	case global:
		if strings.EqualFold(value, "true") {
			return []charge{{otherClusters, "is true"}}
		}
	case opaque:
		return []charge{{annotationUnknown, "changes the rules of the load balancer"}}
	case text: // judged above
	}
	return nil
}

// hostList judges a list of host names.
func (j *judge) hostList(value string) []charge {
	var out []charge
	for h := range strings.SplitSeq(value, ",") {
		if c := j.hostCharge(strings.TrimSpace(h)); c.rule.ID != "" {
			out = append(out, c)
		}
	}
	return out
}

// prefixed judges a list of names that begin with a namespace. Where the namespace ends
// is not told, so that every namespace that a name begins with is a possible one.
func (j *judge) prefixed(value string) []charge {
	for name := range strings.SplitSeq(clip(value), ",") {
		name = strings.TrimSpace(name)
		if !strings.HasSuffix(name, "@kubernetescrd") {
			continue
		}
		own := false
		for i := range len(name) {
			if name[i] != '-' || !j.snapshot.Exists(name[:i]) {
				continue
			}
			if own = j.snapshot.TenantOf(name[:i]) == j.tenant.Name; !own {
				break
			}
		}
		if !own {
			return []charge{{annotationForeign, "names " + name}}
		}
	}
	return nil
}

// readGroups gathers the first two tenants of each group of a load balancer.
func readGroups(p *picture) map[[2]string][]string {
	out := map[[2]string][]string{}
	add := func(o snapshot.Object) {
		for key, value := range o.GetAnnotations() {
			a, ok := annotationOf(key)
			if !ok || a.meaning != group {
				continue
			}
			at, tenant := [2]string{a.key, value}, p.owner(o)
			if tenant != "" && len(out[at]) < 2 && !slices.Contains(out[at], tenant) {
				out[at] = append(out[at], tenant)
			}
		}
	}
	for _, s := range p.snapshot.Services {
		add(s)
	}
	for _, g := range p.snapshot.Ingresses {
		add(g)
	}
	return out
}
