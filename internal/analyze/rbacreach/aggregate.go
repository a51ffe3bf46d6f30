package rbacreach

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/snapshot"
)

// aggregateTo is the label, up to the name of a built-in role, that adds a ClusterRole's
// rules to it.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
const aggregateTo = "rbac.authorization.k8s.io/aggregate-to-"

// gathering are the built-in roles that gather others; each gathers the one after it.
var gathering = []string{"admin", "edit", "view"}

// aggregated gives the rules of every ClusterRole as the aggregation controller would
// leave them. A live role carries them already. In a folder they are those of all roles
// that it gathers, directly or through others, and what it says itself: that would be
// overwritten, unless the folder was saved from a cluster whose other roles it lacks.
func aggregated(s *snapshot.Snapshot) map[string][]rbacv1.PolicyRule {
	out := map[string][]rbacv1.PolicyRule{}
	list := s.ClusterRoles
	for _, role := range list {
		out[role.Name] = role.Rules
	}
	if s.Origin == snapshot.OriginLive {
		return out
	}
	list = append(slices.Clone(list), unseenGatherers(out)...)
	next := map[string][]*rbacv1.ClusterRole{}
	for _, role := range list {
		if role.AggregationRule != nil {
			next[role.Name] = gathered(role, list)
		}
	}
	for _, role := range list {
		if len(next[role.Name]) > 0 {
			out[role.Name] = reached(role, next)
		}
	}
	return out
}

// unseenGatherers are the built-in gathering roles that a folder relies on without holding
// them.
func unseenGatherers(seen map[string][]rbacv1.PolicyRule) []*rbacv1.ClusterRole {
	var out []*rbacv1.ClusterRole
	for i, name := range gathering {
		if _, ok := seen[name]; ok {
			continue
		}
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: builtin[name], AggregationRule: &rbacv1.AggregationRule{
			ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{aggregateTo + name: "true"}}},
		}}
		if i > 0 {
			role.Labels = map[string]string{aggregateTo + gathering[i-1]: "true"}
		}
		out = append(out, role)
	}
	return out
}

// gathered lists the roles that a role's selectors select. An invalid selector selects
// nothing: the API server refuses it.
func gathered(role *rbacv1.ClusterRole, list []*rbacv1.ClusterRole) []*rbacv1.ClusterRole {
	var selectors []labels.Selector
	for i := range role.AggregationRule.ClusterRoleSelectors {
		if sel, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i]); err == nil {
			selectors = append(selectors, sel)
		}
	}
	var out []*rbacv1.ClusterRole
	for _, other := range list {
		if other.Name != role.Name && slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(labels.Set(other.Labels)) }) {
			out = append(out, other)
		}
	}
	return out
}

// reached gathers the rules of a role and of all that it reaches, each role once: roles
// that gather one another come to an end, and to the same rules.
func reached(role *rbacv1.ClusterRole, next map[string][]*rbacv1.ClusterRole) []rbacv1.PolicyRule {
	seen := map[string]bool{role.Name: true}
	queue := []*rbacv1.ClusterRole{role}
	var out []rbacv1.PolicyRule
	for k := 0; k < len(queue); k++ {
		for _, rule := range queue[k].Rules {
			if !slices.ContainsFunc(out, func(r rbacv1.PolicyRule) bool { return sameRule(r, rule) }) {
				out = append(out, rule)
			}
		}
		for _, other := range next[queue[k].Name] {
			if !seen[other.Name] {
				seen[other.Name] = true
				queue = append(queue, other)
			}
		}
	}
	return out
}

func sameRule(a, b rbacv1.PolicyRule) bool {
	return slices.Equal(a.Verbs, b.Verbs) && slices.Equal(a.APIGroups, b.APIGroups) && slices.Equal(a.Resources, b.Resources) &&
		slices.Equal(a.ResourceNames, b.ResourceNames) && slices.Equal(a.NonResourceURLs, b.NonResourceURLs)
}
