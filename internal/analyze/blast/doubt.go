package blast

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// doubt is something unknown about what one identity may do.
type doubt struct {
	holder  analyze.Place
	problem snapshot.Problem
}

// danglingBindings lists the identities that a folder's bindings give a role which is
// not in the folder. In a live cluster such a role does not exist and gives nothing; a
// kind that could not be read is a problem of the snapshot already.
func danglingBindings(s *snapshot.Snapshot) []doubt {
	if s.Origin == snapshot.OriginLive || len(s.Missing("Role", "ClusterRole")) > 0 {
		return nil
	}
	roles := map[snapshot.ObjectKey]bool{}
	for _, r := range s.Roles {
		roles[snapshot.ObjectKey{Kind: "Role", Namespace: r.Namespace, Name: r.Name}] = true
	}
	for _, r := range s.ClusterRoles {
		roles[snapshot.ObjectKey{Kind: "ClusterRole", Name: r.Name}] = true
	}
	var out []doubt
	note := func(object snapshot.Object, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		key := snapshot.ObjectKey{Kind: ref.Kind, Name: ref.Name}
		if ref.Kind == "Role" {
			key.Namespace = object.GetNamespace()
		}
		if roles[key] {
			return
		}
		at := snapshot.KeyOf(object)
		for _, sub := range subjects {
			who := holder(sub.Kind, sub.Namespace, sub.Name)
			out = append(out, doubt{who, snapshot.Problem{
				Source: s.Source(at), Kind: ref.Kind,
				Message: fmt.Sprintf("%s %s gives %s the %s %s, which is not among these manifests: what it allows is unknown; add the role", at.Kind, object.GetName(), who, ref.Kind, ref.Name),
			}})
		}
	}
	for _, b := range s.RoleBindings {
		note(b, b.RoleRef, b.Subjects)
	}
	for _, b := range s.ClusterRoleBindings {
		note(b, b.RoleRef, b.Subjects)
	}
	return out
}

// unread lists why a number may be too low: what could not be read, and what is unknown
// about the identities that fall.
func (g *Graph) unread(fallen []int32) []snapshot.Problem {
	var out []snapshot.Problem
	for _, p := range g.snapshot.Problems {
		if !p.Stray {
			out = append(out, p)
		}
	}
	if len(g.doubts) == 0 {
		return out
	}
	for _, place := range fallen {
		for _, p := range g.doubts[place] {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}
