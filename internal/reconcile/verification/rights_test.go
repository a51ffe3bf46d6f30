package verification

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// operatorRole is the ClusterRole that install gives the operator.
func operatorRole(t *testing.T) *rbacv1.ClusterRole {
	t.Helper()
	for _, o := range compile.System(v1alpha1.OperatorUser) {
		if role, ok := o.(*rbacv1.ClusterRole); ok && role.Name == compile.OperatorName {
			return role
		}
	}
	t.Fatal("install makes no ClusterRole for the operator")
	return nil
}

// may reports whether a role gives a verb on every object of a resource ("*" is all).
func may(role *rbacv1.ClusterRole, verb, group, resource string) bool {
	return slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
		has := func(list []string, want string) bool {
			return slices.Contains(list, want) || slices.Contains(list, "*")
		}
		return has(r.Verbs, verb) && has(r.APIGroups, group) && has(r.Resources, resource) && len(r.ResourceNames) == 0
	})
}

// resourceOf is the plural name of a kind.
func resourceOf(k schema.GroupKind) string {
	if k.Kind == "*" {
		return k.Kind
	}
	plural, _ := meta.UnsafeGuessKindToResource(k.WithVersion("v1"))
	return plural.Resource
}

// TestOperatorMayReadThePicture: a kind that the operator may not list leaves verdicts
// unknown on every cluster that serves it.
func TestOperatorMayReadThePicture(t *testing.T) {
	role := operatorRole(t)
	for _, k := range snapshot.Kinds() {
		if !may(role, "list", k.Group, k.Resource) {
			t.Errorf("%s.%s is read, and the operator may not list it", k.Resource, k.Group)
		}
	}
	for _, k := range load.ForeignKinds() {
		if !may(role, "list", k.Group, resourceOf(k)) {
			t.Errorf("%s.%s is read, and the operator may not list it", resourceOf(k), k.Group)
		}
	}
}

// TestOperatorReadsNoMore: no Secret, no ConfigMap, nothing by a wildcard but lists, and
// nothing written to the kinds that are only looked at.
func TestOperatorReadsNoMore(t *testing.T) {
	role := operatorRole(t)
	for _, resource := range []string{"secrets", "configmaps"} {
		for _, verb := range []string{"get", "list", "watch"} {
			if may(role, verb, "", resource) {
				t.Errorf("the operator may %s %s", verb, resource)
			}
		}
	}
	foreign := map[string]bool{}
	for _, k := range load.ForeignKinds() {
		foreign[k.Group] = foreign[k.Group] || k.Kind == "*"
	}
	for _, r := range role.Rules {
		if slices.Contains(r.APIGroups, "*") || slices.Contains(r.Verbs, "*") {
			t.Errorf("the operator has every group or verb: %v", r)
		}
		if !slices.Contains(r.Resources, "*") {
			continue
		}
		if strings.Join(r.Verbs, " ") != "list" {
			t.Errorf("the operator may %v every resource of %v", r.Verbs, r.APIGroups)
		}
		for _, group := range r.APIGroups {
			if !foreign[group] {
				t.Errorf("the operator may list all of %s, which is not read as a whole", group)
			}
		}
	}
}
