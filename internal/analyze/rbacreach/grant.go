package rbacreach

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// binding gives subjects the rules of a role.
type binding struct {
	key      snapshot.ObjectKey
	subjects []rbacv1.Subject
	role     snapshot.ObjectKey
	// namespace that the binding holds in; empty for the whole cluster.
	namespace string
	*compiled
	// bare is set where cluster-scoped objects are out of reach though namespace is empty:
	// the same RoleBinding in every namespace.
	bare bool
	// via is what lets an identity bind itself; nil for a binding that there is.
	via *cause
	// dangling is set where the role is not there though a folder could rely on it.
	dangling bool
}

// grant is one rule that a binding gives.
type grant struct {
	*binding
	rule rbacv1.PolicyRule
	// index of the rule in its role.
	index int
}

// roles finds the rules of a role.
type roles struct {
	rules    map[snapshot.ObjectKey][]rbacv1.PolicyRule
	compiled map[snapshot.ObjectKey]*compiled
}

// allBindings lists every binding.
func allBindings(s *snapshot.Snapshot) ([]*binding, *roles) {
	r := readRoles(s)
	var out []*binding
	for _, b := range s.RoleBindings {
		out = append(out, &binding{
			key:      snapshot.ObjectKey{Group: rbacv1.GroupName, Kind: "RoleBinding", Namespace: b.Namespace, Name: b.Name},
			subjects: b.Subjects, namespace: b.Namespace, role: roleKey(b.RoleRef, b.Namespace),
		})
	}
	for _, b := range s.ClusterRoleBindings {
		out = append(out, &binding{
			key:      snapshot.ObjectKey{Group: rbacv1.GroupName, Kind: "ClusterRoleBinding", Name: b.Name},
			subjects: b.Subjects, role: roleKey(b.RoleRef, ""),
		})
	}
	for _, b := range out {
		r.fill(s, b)
	}
	return out, r
}

// bySubject finds bindings by the keys of their subjects.
func bySubject(bindings []*binding) map[string][]*binding {
	out := map[string][]*binding{}
	for _, b := range bindings {
		for _, sub := range b.subjects {
			for _, key := range subjectKeys(sub) {
				if list := out[key]; len(list) == 0 || list[len(list)-1] != b {
					out[key] = append(list, b)
				}
			}
		}
	}
	return out
}

func roleKey(ref rbacv1.RoleRef, namespace string) snapshot.ObjectKey {
	if ref.Kind == "ClusterRole" {
		namespace = ""
	}
	return snapshot.ObjectKey{Group: rbacv1.GroupName, Kind: ref.Kind, Namespace: namespace, Name: ref.Name}
}

// fill finds the rules of a binding's role. On a live cluster a role that does not exist
// grants nothing.
func (r *roles) fill(s *snapshot.Snapshot, b *binding) {
	c, ok := r.find(b.role)
	b.compiled = c
	b.dangling = !ok && s.Origin == snapshot.OriginFolder
}

// find gives a role's rules, matched against the tables on first use; those of a role
// that does not exist are empty.
func (r *roles) find(key snapshot.ObjectKey) (*compiled, bool) {
	if c, ok := r.compiled[key]; ok {
		return c, c != nothing
	}
	rules, ok := r.rules[key]
	if !ok && key.Kind == "ClusterRole" {
		rules, ok = builtin[key.Name]
	}
	c := nothing
	if ok {
		c = compileRules(rules)
	}
	r.compiled[key] = c
	return c, ok
}

func readRoles(s *snapshot.Snapshot) *roles {
	r := &roles{rules: map[snapshot.ObjectKey][]rbacv1.PolicyRule{}, compiled: map[snapshot.ObjectKey]*compiled{}}
	for _, role := range s.Roles {
		r.rules[roleKey(rbacv1.RoleRef{Kind: "Role", Name: role.Name}, role.Namespace)] = role.Rules
	}
	for name, rules := range aggregated(s) {
		r.rules[clusterRoleKey(name)] = rules
	}
	return r
}

// builtin stands for the roles that every API server makes, where a folder relies on
// them without holding them: what of them matters to a verdict.
var builtin = map[string][]rbacv1.PolicyRule{
	"cluster-admin": {
		{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}},
	},
	"admin": {
		{APIGroups: []string{"", "apps", "batch", "networking.k8s.io"}, Resources: []string{"pods", "secrets", "configmaps", "services", "serviceaccounts", "deployments", "jobs", "networkpolicies"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"pods/exec", "pods/portforward", "serviceaccounts/token"}, Verbs: []string{"create"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"get", "list", "create", "update", "patch", "delete"}},
	},
	"edit": {
		{APIGroups: []string{"", "apps", "batch", "networking.k8s.io"}, Resources: []string{"pods", "secrets", "configmaps", "services", "serviceaccounts", "deployments", "jobs", "networkpolicies"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"pods/exec", "pods/portforward", "serviceaccounts/token"}, Verbs: []string{"create"}},
	},
	"view": {
		{APIGroups: []string{"", "apps", "batch", "networking.k8s.io"}, Resources: []string{"pods", "pods/log", "configmaps", "services", "deployments", "jobs", "networkpolicies"}, Verbs: []string{"get", "list", "watch"}},
	},
	"system:basic-user": nil, "system:discovery": nil, "system:public-info-viewer": nil,
	"system:service-account-issuer-discovery": nil,
}
