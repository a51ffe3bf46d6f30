package rbacreach

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// selfBinding is a role that an identity may bind itself to, and where.
type selfBinding struct {
	role      snapshot.ObjectKey
	namespace string
	bare      bool
}

// bindRoles adds to an identity's rights those of the roles that it may bind itself to,
// until there are no more: a role may allow to bind the next. It returns the bindings
// that the identity could make.
func (w *world) bindRoles(all *holdings) []*binding {
	if len(all[bindRoles]) == 0 && len(all[bindClusterRoles]) == 0 && len(all[escalateRoles]) == 0 {
		return nil
	}
	var bound []*binding
	seen := map[selfBinding]bool{}
	for more := true; more; {
		more = false
		for i := range steps {
			if st := &steps[i]; st.binds() {
				for _, b := range w.bindable(st, all, seen) {
					bound, more = append(bound, b), true
					all.add(b, true)
				}
			}
		}
	}
	return bound
}

// bindable lists what a step lets an identity bind itself to, and has not before.
func (w *world) bindable(st *step, all *holdings, seen map[selfBinding]bool) []*binding {
	var out []*binding
	needs := scopesOf(st, all)
	for _, h := range all[st.By[0]] {
		for _, ns := range overlapping(h.grant.namespace, needs) {
			for _, to := range w.targets(st, h, ns) {
				c, ok := w.roles.find(to.role)
				if to.role == superRole {
					c, ok = everything, true
				}
				if !ok || seen[to] {
					continue
				}
				seen[to] = true
				out = append(out, &binding{key: h.grant.key, role: to.role, namespace: to.namespace, bare: to.bare, compiled: c, via: because(st, h)})
			}
		}
	}
	return out
}

// superRole is the role that every API server has and that allows everything.
var superRole = clusterRoleKey("cluster-admin")

// everything is what it allows.
var everything = compileRules(builtin[superRole.Name])

// binds reports whether a step is one to more rights of the same identity.
func (st *step) binds() bool {
	switch st.To {
	case leadRoles, leadClusterRoles, leadClusterRolesEverywhere, leadAnyRole:
		return true
	}
	return false
}

// rolesNamed are the ClusterRoles that a right to bind is for: of all, one has all rights.
func rolesNamed(h held) []string {
	if len(h.hit.names) == 0 {
		return []string{superRole.Name}
	}
	return h.hit.names
}

// targets names the roles. A right to bind Roles without names is one for those there are.
func (w *world) targets(st *step, h held, ns string) []selfBinding {
	var out []selfBinding
	switch st.To {
	case leadClusterRolesEverywhere:
		if ns != "" || h.grant.bare {
			return nil
		}
		for _, name := range rolesNamed(h) {
			out = append(out, selfBinding{role: clusterRoleKey(name)})
		}
	case leadClusterRoles:
		for _, name := range rolesNamed(h) {
			out = append(out, selfBinding{role: clusterRoleKey(name), namespace: ns, bare: ns == ""})
		}
	case leadAnyRole:
		out = append(out, selfBinding{role: superRole, namespace: ns, bare: ns == ""})
	default:
		for _, in := range w.roleNamespaces(ns) {
			for _, name := range w.rolesIn[in] {
				if len(h.hit.names) == 0 || slices.Contains(h.hit.names, name) {
					out = append(out, selfBinding{role: roleKey(rbacv1.RoleRef{Kind: "Role", Name: name}, in), namespace: in})
				}
			}
		}
	}
	return out
}

func (w *world) roleNamespaces(ns string) []string {
	if ns != "" {
		return []string{ns}
	}
	return w.s.NamespaceNames()
}

func clusterRoleKey(name string) snapshot.ObjectKey {
	return roleKey(rbacv1.RoleRef{Kind: "ClusterRole", Name: name}, "")
}
