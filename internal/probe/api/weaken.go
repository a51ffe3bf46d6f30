package api

import (
	"strings"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/probe"
)

const mendGuards = "check that the guard policies are installed and in force (watertight install), and that no role of the tenant's names this resource"

// weaker are the merge patches that would widen an object; others get an annotation,
// because no write at all is the owner's to make.
var weaker = map[string]probe.Manifest{
	"v1/resourcequotas":                          {"spec": probe.Manifest{"hard": probe.Manifest{"pods": "100000"}}},
	"v1/limitranges":                             {"spec": probe.Manifest{"limits": []any{}}},
	"networking.k8s.io/v1/networkpolicies":       {"spec": probe.Manifest{"podSelector": probe.Manifest{"matchLabels": probe.Manifest{probe.Name: "1"}}}},
	"v1/serviceaccounts":                         {"automountServiceAccountToken": true},
	rbacV1 + "/roles":                            {"rules": []any{}},
	admissionV1 + "/validatingadmissionpolicies": {"spec": probe.Manifest{"failurePolicy": "Ignore"}},
}

// weakenings tries to change, delete and delete in bulk each guard object, and the
// Tenant itself.
func weakenings(t probe.Target) ([]probe.Try, string) {
	ns, ok := own(t)
	if !ok {
		return nil, noNamespace
	}
	if len(t.Guards) == 0 {
		return nil, "no guard object of the operator was found in the tenant's namespaces, so there is nothing to weaken"
	}
	var tries []probe.Try
	add := func(what string, r probe.Request) {
		tries = append(tries, probe.Try{
			What: what, Attack: r, By: []probe.Refusal{probe.RBAC, probe.Guard}, Mend: mendGuards, Control: probe.CreateConfigMap(ns),
		})
	}
	bulk := map[[2]string]bool{}
	for _, g := range t.Guards {
		r := probe.Request{Resource: g.Resource, Namespace: g.Namespace, Name: g.Name}
		r.Verb = "delete"
		add("delete "+named(g), r)
		r.Verb, r.Body = "patch", patchOf(g.Resource)
		add("change "+named(g), r)
		if key := [2]string{g.Resource, g.Namespace}; !bulk[key] {
			bulk[key] = true
			add("delete all "+g.Resource+inNamespace(g.Namespace), probe.Request{Verb: "deletecollection", Resource: g.Resource, Namespace: g.Namespace})
		}
	}
	tenant := probe.Request{Resource: v1alpha1.GroupVersion.String() + "/tenants", Name: t.Tenant}
	tenant.Verb = "delete"
	add("delete its Tenant", tenant)
	tenant.Verb, tenant.Body = "patch", probe.Manifest{"spec": probe.Manifest{"capacity": probe.Manifest{"pods": "100000"}}}
	add("raise the budget in its Tenant", tenant)
	return tries, ""
}

func patchOf(resource string) probe.Manifest {
	if p, ok := weaker[resource]; ok {
		return p
	}
	return probe.Manifest{"metadata": probe.Manifest{"annotations": probe.Manifest{v1alpha1.AnnotationGuarantees: probe.Name}}}
}

func named(g probe.GuardObject) string {
	return strings.TrimSpace(g.Resource + " " + g.Name + inNamespace(g.Namespace))
}

func inNamespace(ns string) string {
	if ns == "" {
		return ""
	}
	return " in " + ns
}
