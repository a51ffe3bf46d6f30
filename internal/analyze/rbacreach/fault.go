package rbacreach

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// fault is what is wrong with a grant.
type fault struct {
	id     guarantee.ID
	reason string
	// what the grant allows, in words.
	what      string
	reference string
}

// scope says whom a grant touches.
type scope int

const (
	scopeOwn scope = iota
	scopeNeighbour
	scopeStranger
	scopeCluster
)

func (g grant) scope(s *snapshot.Snapshot, tenant string) scope {
	switch {
	case g.namespace == "":
		return scopeCluster
	case s.TenantOf(g.namespace) == tenant:
		return scopeOwn
	case s.TenantOf(g.namespace) != "":
		return scopeNeighbour
	}
	return scopeStranger
}

// faults judges a grant of a tenant's identity.
func (g grant) faults(s *snapshot.Snapshot, tenant string) []fault {
	out := append(g.urlFaults(), g.constraintFaults()...)
	where := g.scope(s, tenant)
	if g.onlyOwnTenant(tenant) {
		return out
	}
	for _, h := range g.dangers[g.index] {
		if d := h.danger; d.Where.holds(where) {
			out = append(out, fault{d.Guarantee, d.ID, fmt.Sprintf("%s %s in %s, and so %s", strings.Join(h.verbs, ", "), strings.Join(h.resources, ", "), g.where(), d.Effect), d.Reference})
		}
	}
	if where == scopeOwn {
		return out
	}
	if what := g.reads(where); what != "" {
		out = append(out, fault{guarantee.API1, "ReadsOthers", what, "ATT&CK T1552.007"})
	}
	if what := g.writes(); what != "" {
		out = append(out, fault{guarantee.API2, "WritesOthers", what, "ATT&CK T1098.006"})
	}
	return out
}

func (g grant) where() string {
	if g.namespace == "" {
		return "the whole cluster"
	}
	return "namespace " + g.namespace
}

func (p place) holds(where scope) bool {
	switch p {
	case anywhere:
		return true
	case outside:
		return where != scopeOwn
	case beyondTenants:
		return where == scopeStranger || where == scopeCluster
	default:
		return where == scopeCluster
	}
}

// match returns the danger's verbs and resources that a rule grants. With resourceNames a
// verb counts if it can be asked for by name on one of the resources.
func (d danger) match(rule rbacv1.PolicyRule) (verbs, resources []string) {
	if !overlap(rule.APIGroups, d.Groups) {
		return nil, nil
	}
	for _, r := range d.Resources {
		if grants(rule.Resources, r) {
			resources = append(resources, r)
		}
	}
	for _, v := range d.Verbs {
		named := slices.ContainsFunc(resources, func(r string) bool { return nameable(&rule, v, r) })
		if named && (slices.Contains(rule.Verbs, v) || slices.Contains(rule.Verbs, rbacv1.VerbAll)) {
			verbs = append(verbs, v)
		}
	}
	return verbs, resources
}

func overlap(have, wanted []string) bool {
	return slices.Contains(have, rbacv1.APIGroupAll) || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(have, w) })
}

// grants reports whether a rule's resources include one ("pods/exec"): by name, by "*",
// or by "*/exec". "pods/*" is no wildcard of RBAC.
func grants(resources []string, wanted string) bool {
	_, sub, hasSub := strings.Cut(wanted, "/")
	return slices.ContainsFunc(resources, func(r string) bool {
		return r == wanted || r == rbacv1.ResourceAll || hasSub && r == "*/"+sub
	})
}

// onlyOwnTenant reports whether a rule is about the tenant's own Tenant object, read.
func (g grant) onlyOwnTenant(tenant string) bool {
	return slices.Equal(g.rule.Resources, []string{"tenants"}) && slices.Equal(g.rule.APIGroups, []string{tenantsGroup}) &&
		slices.Equal(g.rule.ResourceNames, []string{tenant}) && !slices.ContainsFunc(g.rule.Verbs, func(v string) bool { return !slices.Contains(readVerbs, v) })
}

// platform are cluster-wide kinds that belong to no tenant and that anybody may read.
var platform = []string{
	"storageclasses", "priorityclasses", "runtimeclasses", "ingressclasses", "gatewayclasses", "volumesnapshotclasses",
	"deviceclasses", "tenantclasses", "customresourcedefinitions", "apiservices", "nodes", "componentstatuses",
	"clusterroles", "clustertrustbundles", "flowschemas", "prioritylevelconfigurations",
}

// platformGroup reports whether kinds of an API group may be those of platform: another
// group may call kinds of its own "nodes".
func platformGroup(group string) bool {
	return group == "" || strings.HasSuffix(group, ".k8s.io") || group == tenantsGroup
}

// actions are subresources that do something rather than hold an object; dangers judge
// them. An eviction is a write: it deletes the pod.
// https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction
var actions = []string{"proxy", "exec", "attach", "portforward", "token", "binding", "approval", "ephemeralcontainers"}

// reads says what a grant outside the tenant's namespaces reads of other tenants.
func (g grant) reads(where scope) string {
	if where == scopeStranger { // not another tenant's; Secrets there are a danger of their own
		return ""
	}
	strange := slices.ContainsFunc(g.rule.APIGroups, func(group string) bool { return group != rbacv1.APIGroupAll && !platformGroup(group) })
	return g.allows(readVerbs, func(resource string) bool {
		return (strange || !slices.Contains(platform, resource)) && !isReview(g.rule, resource)
	})
}

// writes says what a grant outside the tenant's namespaces writes.
func (g grant) writes() string {
	return g.allows(writeVerbs, func(resource string) bool { return !isReview(g.rule, resource) })
}

func (g grant) allows(wanted []string, counts func(string) bool) string {
	var verbs, resources []string
	for _, v := range wanted {
		if slices.Contains(g.rule.Verbs, v) || slices.Contains(g.rule.Verbs, rbacv1.VerbAll) {
			if v != "create" || len(g.rule.ResourceNames) == 0 {
				verbs = append(verbs, v)
			}
		}
	}
	for _, r := range g.rule.Resources {
		_, sub, _ := strings.Cut(r, "/")
		if counts(r) && !slices.Contains(actions, sub) {
			resources = append(resources, r)
		}
	}
	if len(verbs) == 0 || len(resources) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s in %s", strings.Join(verbs, ", "), strings.Join(resources, ", "), g.where())
}

// isReview reports whether a resource only asks the API server a question.
func isReview(rule rbacv1.PolicyRule, resource string) bool {
	return strings.HasSuffix(resource, "reviews") && !slices.ContainsFunc(rule.APIGroups, func(g string) bool {
		return g != "authorization.k8s.io" && g != authn
	})
}

// open are the paths that Kubernetes itself lets everybody read.
var open = []string{"/healthz", "/livez", "/readyz", "/version", "/api", "/apis", "/openapi", "/.well-known/", "/openid/"}

func (g grant) urlFaults() []fault {
	var out []fault
	for _, url := range g.rule.NonResourceURLs {
		known := slices.ContainsFunc(open, func(p string) bool { return url == p || strings.HasPrefix(url, strings.TrimSuffix(p, "/")+"/") })
		writes := slices.ContainsFunc(g.rule.Verbs, func(v string) bool { return v != "get" && v != "head" && v != "options" })
		if !known || writes {
			out = append(out, fault{guarantee.API1, "NonResourceURL", fmt.Sprintf("%s %s of the API server", strings.Join(g.rule.Verbs, ", "), url), "kubernetes.io RBAC: non-resource URLs"})
		}
	}
	return out
}

// harmless are the SecurityContextConstraints that leave a pod at least as bound as Pod
// Security's restricted level does; OpenShift gives some of them to everybody.
// https://docs.openshift.com/container-platform/4.19/authentication/managing-security-context-constraints.html
var harmless = []string{"restricted", "restricted-v2", "restricted-v3", "nonroot-v2"}

// constraintFaults judges the right to use SecurityContextConstraints, which on OpenShift
// decide, in place of Pod Security, what a pod may do to its node.
func (g grant) constraintFaults() []fault {
	rule := &g.rule
	named := len(rule.ResourceNames) > 0 && !slices.ContainsFunc(rule.ResourceNames, func(n string) bool { return !slices.Contains(harmless, n) })
	if named || !slices.Contains(rule.APIGroups, "security.openshift.io") || !grants(rule.Resources, "securitycontextconstraints") ||
		!slices.Contains(rule.Verbs, "use") && !slices.Contains(rule.Verbs, rbacv1.VerbAll) {
		return nil
	}
	return []fault{{guarantee.API3, "ConstraintsUse", "use securitycontextconstraints in " + g.where() + ", and so creates pods that take their node", "OpenShift: managing security context constraints"}}
}
