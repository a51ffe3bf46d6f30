package rbacreach

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// oracle answers by asking, again and again, one question at a time: may this identity
// do this one thing? It is written from the documentation of RBAC and knows no tables.
type oracle struct {
	s     *snapshot.Snapshot
	found map[string]bool
	// handed are the bindings that identities can make for themselves.
	handed []rbacv1.ClusterRoleBinding
	given  []rbacv1.RoleBinding
	// what has been looked up before
	rulesOf map[boundRole][]rbacv1.PolicyRule
	heldBy  map[string][]boundRole
	all     map[string]bool
}

// boundRole is a role and the namespace that a binding gives it in.
type boundRole struct {
	ref rbacv1.RoleRef
	ns  string
}

// fresh is a name that nothing has: who may do something to it may do so to anything.
const fresh = "zz-fresh"

const total = "control plane"

// groupsOf are the groups that come with a subject written as "SA ns/name", "User x" or
// "Group x".
func groupsOf(id string) []string {
	if rest, ok := strings.CutPrefix(id, "SA "); ok {
		ns, _, _ := strings.Cut(rest, "/")
		return []string{"Group system:serviceaccounts:" + ns, "Group system:serviceaccounts", "Group system:authenticated"}
	}
	if strings.HasPrefix(id, "Group system:serviceaccounts:") {
		return []string{"Group system:serviceaccounts", "Group system:authenticated"}
	}
	if id == "User system:anonymous" {
		return []string{"Group system:unauthenticated"}
	}
	if id == "Group system:unauthenticated" || id == "Group system:authenticated" {
		return nil
	}
	return []string{"Group system:authenticated"}
}

func spelled(sub rbacv1.Subject) string {
	if sub.Kind == "ServiceAccount" {
		return "SA " + sub.Namespace + "/" + sub.Name
	}
	if parts := strings.Split(sub.Name, ":"); sub.Kind == "User" && strings.HasPrefix(sub.Name, "system:serviceaccount:") && len(parts) == 4 {
		return "SA " + parts[2] + "/" + parts[3]
	}
	return sub.Kind + " " + sub.Name
}

// may asks for a verb on "group|resource" of a namespace, or of the cluster where that is
// empty, by name; to create something the name is empty.
func (o *oracle) may(id, verb, what, ns, name string) bool {
	return slices.ContainsFunc(o.holds(id), func(b boundRole) bool {
		apiGroup, resource, _ := strings.Cut(what, "|")
		return (b.ns == "" || b.ns == ns) && o.allows(b, verb, apiGroup, resource, name)
	})
}

// holds lists the roles that an identity is bound to, or can bind itself to.
func (o *oracle) holds(id string) []boundRole {
	if held, ok := o.heldBy[id]; ok {
		return held
	}
	is := func(subjects []rbacv1.Subject) bool {
		return slices.ContainsFunc(subjects, func(sub rbacv1.Subject) bool {
			return spelled(sub) == id || slices.Contains(groupsOf(id), spelled(sub))
		})
	}
	var out []boundRole
	for _, b := range o.s.ClusterRoleBindings {
		if is(b.Subjects) {
			out = append(out, boundRole{b.RoleRef, ""})
		}
	}
	for _, b := range o.handed {
		if is(b.Subjects) {
			out = append(out, boundRole{b.RoleRef, ""})
		}
	}
	for _, b := range o.s.RoleBindings {
		if is(b.Subjects) {
			out = append(out, boundRole{b.RoleRef, b.Namespace})
		}
	}
	for _, b := range o.given {
		if is(b.Subjects) {
			out = append(out, boundRole{b.RoleRef, b.Namespace})
		}
	}
	o.heldBy[id] = out
	return out
}

func (o *oracle) allows(b boundRole, verb, apiGroup, resource, name string) bool {
	rules, ok := o.rulesOf[b]
	if !ok {
		rules = o.rules(b.ref, b.ns)
		o.rulesOf[b] = rules
	}
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		in := func(list []string, wanted string) bool {
			return slices.Contains(list, wanted) || slices.Contains(list, "*")
		}
		covers := in(r.Resources, resource)
		if _, sub, ok := strings.Cut(resource, "/"); ok {
			covers = covers || slices.Contains(r.Resources, "*/"+sub)
		}
		return in(r.Verbs, verb) && in(r.APIGroups, apiGroup) && covers && (len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, name))
	})
}

// rules of a role; aggregated ones are gathered with the names already passed left out.
func (o *oracle) rules(ref rbacv1.RoleRef, ns string) []rbacv1.PolicyRule {
	if ref.Kind == "Role" {
		for _, r := range o.s.Roles {
			if r.Name == ref.Name && r.Namespace == ns {
				return r.Rules
			}
		}
		return nil
	}
	if ref.Name == "cluster-admin" {
		return []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}
	}
	seen := map[string]bool{}
	var gather func(name string) []rbacv1.PolicyRule
	gather = func(name string) []rbacv1.PolicyRule {
		seen[name] = true
		var out []rbacv1.PolicyRule
		for _, r := range o.s.ClusterRoles {
			if r.Name != name {
				continue
			}
			out = append(out, r.Rules...)
			if r.AggregationRule == nil || len(r.Rules) > 0 {
				continue
			}
			for _, other := range o.s.ClusterRoles {
				for _, sel := range r.AggregationRule.ClusterRoleSelectors {
					matches := true
					for k, v := range sel.MatchLabels {
						matches = matches && other.Labels[k] == v
					}
					if matches && !seen[other.Name] {
						out = append(out, gather(other.Name)...)
					}
				}
			}
		}
		return out
	}
	return gather(ref.Name)
}

// any asks for one of several verbs.
func (o *oracle) any(id, verbs, what, ns, name string) bool {
	return slices.ContainsFunc(strings.Fields(verbs), func(v string) bool {
		if v == "create" && !strings.Contains(what, "/") {
			return o.may(id, v, what, ns, "")
		}
		return o.may(id, v, what, ns, name)
	})
}

// spelledPlace writes a place as the oracle does; what is only a way to the control
// plane is that.
func spelledPlace(p analyze.Place) string {
	switch {
	case p.Kind == analyze.PlaceCluster, p.Kind == analyze.PlaceNamespace && p.Namespace == "", p.Kind == analyze.PlaceSecrets && p.Namespace == "":
		return total
	case p.Kind == analyze.PlaceIdentity && p.Namespace != "":
		return "SA " + p.Namespace + "/" + p.Name
	case p.Kind == analyze.PlaceIdentity:
		return p.Name
	}
	return strings.TrimSpace(string(p.Kind) + " " + strings.Trim(p.Namespace+"/"+p.Name, "/"))
}
