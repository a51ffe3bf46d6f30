package netreach

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
)

// ghosts are the pods that a verdict must not overlook though they do not exist yet: in
// every namespace one without labels, and those that flows, classes and the policies in
// tenants' namespaces select. A tenant may create any pod in its namespaces.
func (j *judge) ghosts() []engine.Hypothetical {
	s := j.snapshot
	var out []engine.Hypothetical
	for _, ns := range s.NamespaceNames() {
		if s.TenantOf(ns) != "" || len(s.PodsIn(ns)) == 0 {
			out = append(out, engine.Hypothetical{Namespace: ns})
		}
	}
	for _, p := range s.NetworkPolicies {
		if s.TenantOf(p.Namespace) == "" {
			continue
		}
		if l, ok := satisfy(&p.Spec.PodSelector); ok {
			out = append(out, engine.Hypothetical{Namespace: p.Namespace, Labels: l})
		}
	}
	for _, t := range s.Tenants {
		for _, f := range j.declarations[t.Name].all() {
			out = append(out, f.from.ghosts()...)
			out = append(out, f.to.ghosts()...)
		}
	}
	return slices.DeleteFunc(out, func(h engine.Hypothetical) bool { // a tenant's namespace that is not there has no pods
		owned := s.TenantOf(h.Namespace) != "" || s.Tenant(h.Tenant) != nil
		return owned && !s.Exists(h.Namespace)
	})
}

func (e end) ghosts() []engine.Hypothetical {
	var out []engine.Hypothetical
	if e.namespace != "" {
		out = append(out, engine.Hypothetical{Namespace: e.namespace, Tenant: e.tenant}, engine.Hypothetical{Namespace: e.namespace, Tenant: e.tenant, Labels: e.pods})
	}
	for _, p := range e.selectors {
		out = append(out, engine.Hypothetical{Namespace: p.Namespace}, engine.Hypothetical{Namespace: p.Namespace, Labels: p.Pods})
	}
	return out
}

// satisfy makes labels that a selector matches.
func satisfy(s *metav1.LabelSelector) (map[string]string, bool) {
	out := maps.Clone(s.MatchLabels)
	if out == nil {
		out = map[string]string{}
	}
	for _, e := range s.MatchExpressions {
		if _, set := out[e.Key]; set {
			continue
		}
		switch {
		case e.Operator == metav1.LabelSelectorOpIn && len(e.Values) > 0:
			out[e.Key] = e.Values[0]
		case e.Operator == metav1.LabelSelectorOpExists:
			out[e.Key] = "any"
		}
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil, false
	}
	return out, selector.Matches(labels.Set(out))
}

// keys are the labels that declarations ask for.
func keys(s *snapshot.Snapshot) []string {
	seen := map[string]bool{}
	add := func(pods map[string]string) {
		for k := range pods {
			seen[k] = true
		}
	}
	for _, t := range s.Tenants {
		for _, f := range t.Spec.Network.Flows {
			add(f.From.Pods)
			add(f.To.Pods)
		}
	}
	for _, c := range s.TenantClasses {
		for _, p := range slices.Concat(c.Spec.Network.DNS, c.Spec.Network.IngressFrom, defaultDNS) {
			add(p.Pods)
		}
	}
	add(defaultDNS[0].Pods)
	return slices.Sorted(maps.Keys(seen))
}
