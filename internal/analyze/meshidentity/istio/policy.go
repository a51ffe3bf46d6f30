package istio

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Action of an AuthorizationPolicy.
type Action string

// The actions.
const (
	Allow  Action = "ALLOW"
	Deny   Action = "DENY"
	Audit  Action = "AUDIT"
	Custom Action = "CUSTOM"
)

// Policy is an AuthorizationPolicy.
type Policy struct {
	Object    *unstructured.Unstructured
	Namespace string
	Action    Action
	// Provider decides where the action is CUSTOM.
	Provider string
	selector map[string]string
	targets  []target
	rules    []rule
	// dry marks a policy that is evaluated and not enforced.
	dry bool
	// Faults name what is not understood.
	Faults []string
}

// target is what targetRefs name, in the policy's namespace.
type target struct{ group, kind, name string }

// rule matches where a source, an operation and all conditions do. An empty list
// matches everything.
type rule struct {
	from []fields
	to   []fields
	when []condition
}

// fields are lists by name: those of a source or an operation, which all must match.
type fields map[string][]string

type condition struct {
	key               string
	values, notValues []string
}

// The fields of a source and of an operation (Istio: Authorization Policy).
var (
	sourceFields = []string{
		"principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals", "namespaces", "notNamespaces",
		"ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks", "serviceAccounts", "notServiceAccounts",
	}
	operationFields = []string{"hosts", "notHosts", "ports", "notPorts", "methods", "notMethods", "paths", "notPaths"}
)

func readPolicy(u *unstructured.Unstructured, namespace string) *Policy {
	r := &reader{}
	spec := r.object("", u.Object, "spec")
	r.known("spec", spec, "selector", "targetRef", "targetRefs", "action", "rules", "provider")
	p := &Policy{
		Object: u, Namespace: namespace, Action: Allow, selector: r.labels(spec),
		dry: u.GetAnnotations()["istio.io/dry-run"] == "true",
	}
	if action := r.text("spec", spec, "action"); action != "" {
		p.Action = Action(action)
	}
	if !slices.Contains([]Action{Allow, Deny, Audit, Custom}, p.Action) {
		r.fault("spec.action %q is not understood", string(p.Action))
	}
	p.Provider = r.text("spec.provider", r.object("spec", spec, "provider"), "name")
	refs := r.objects("spec", spec, "targetRefs")
	if one := r.object("spec", spec, "targetRef"); one != nil {
		refs = append(refs, one)
	}
	for _, ref := range refs {
		p.targets = append(p.targets, target{r.text("spec.targetRefs", ref, "group"), r.text("spec.targetRefs", ref, "kind"), r.text("spec.targetRefs", ref, "name")})
	}
	for i, body := range r.objects("spec", spec, "rules") {
		p.rules = append(p.rules, r.rule(fmt.Sprintf("spec.rules[%d]", i), body))
	}
	p.Faults = r.faults
	return p
}

func (r *reader) rule(at string, body map[string]any) rule {
	r.known(at, body, "from", "to", "when")
	var out rule
	for i, from := range r.objects(at, body, "from") {
		here := fmt.Sprintf("%s.from[%d]", at, i)
		r.known(here, from, "source")
		out.from = append(out.from, r.fields(here+".source", r.object(here, from, "source"), sourceFields))
	}
	for i, to := range r.objects(at, body, "to") {
		here := fmt.Sprintf("%s.to[%d]", at, i)
		r.known(here, to, "operation")
		out.to = append(out.to, r.fields(here+".operation", r.object(here, to, "operation"), operationFields))
	}
	for i, when := range r.objects(at, body, "when") {
		here := fmt.Sprintf("%s.when[%d]", at, i)
		r.known(here, when, "key", "values", "notValues")
		out.when = append(out.when, condition{r.text(here, when, "key"), r.strings(here, when, "values"), r.strings(here, when, "notValues")})
	}
	return out
}

func (r *reader) fields(at string, body map[string]any, understood []string) fields {
	r.known(at, body, understood...)
	out := fields{}
	for _, f := range understood {
		if list := r.strings(at, body, f); len(list) > 0 {
			out[f] = list
		}
	}
	return out
}

// applies reports whether a policy is for a pod: of its namespace or the root's, by
// selector, or by a target that is the pod's own gateway. Policies of other targets are
// enforced by waypoints.
func (m *Mesh) applies(p *Policy, namespace string, labels map[string]string) bool {
	if p.Namespace != namespace && p.Namespace != m.RootNamespace || p.dry {
		return false
	}
	if len(p.targets) == 0 {
		return subset(p.selector, labels)
	}
	gateway := labels["gateway.networking.k8s.io/gateway-name"]
	return p.Namespace == namespace && gateway != "" && slices.ContainsFunc(p.targets, func(t target) bool {
		return t.kind == "Gateway" && t.name == gateway && (t.group == "" || t.group == "gateway.networking.k8s.io")
	})
}

// matchText follows Istio's value matching: exact, "prefix*", "*suffix", and "*" for
// anything that is there.
func matchText(pattern, value string) bool {
	switch {
	case pattern == "*":
		return value != ""
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(value, pattern[1:])
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(value, pattern[:len(pattern)-1])
	}
	return pattern == value
}

// matchGlob lets a star stand for anything, anywhere: so Istio matches namespaces.
func matchGlob(pattern, value string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == value
	}
	last := len(parts) - 1
	if !strings.HasPrefix(value, parts[0]) {
		return false
	}
	value = value[len(parts[0]):]
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(value, part)
		if !found {
			return false
		}
		value = after
	}
	return strings.HasSuffix(value, parts[last])
}
