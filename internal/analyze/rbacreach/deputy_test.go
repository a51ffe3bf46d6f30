package rbacreach

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/analyze"
)

// asksFor is a rule that writes what a deputy acts on.
func (d *deputy) asksFor(group, resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"patch"}}
}

// robotTakes reports whether the robot of a lab takes a deputy's step.
func robotTakes(t *testing.T, d *deputy, namespace string, rules ...rbacv1.PolicyRule) bool {
	t.Helper()
	s := lab(namespace, rules...)
	if len(d.Accounts) > 0 {
		name := strings.ReplaceAll(d.Accounts[0], "*", "")
		s = s.With(clusterBinding("controller", rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}, serviceAccount("system", name)))
	}
	bindings, roles := allBindings(s)
	w := newWorld(s, bindings, roles)
	return slices.ContainsFunc(w.out[w.number[account("ops", "robot")]], func(a arc) bool {
		return a.why.step == d.step && (d.Gives == "" || w.places[a.to].Kind == analyze.PlaceNamespace)
	})
}

// TestDeputies: each is described whole, and a write of each resource, cluster-wide or in
// the controller's namespace, is a step; a read, another group and, for cluster-scoped
// resources, a RoleBinding are none.
func TestDeputies(t *testing.T) {
	ids := map[string]bool{}
	for i := range deputies {
		d := &deputies[i]
		if ids[d.ID] || d.ID == "" || d.Controller == "" || d.Effect == "" || d.Fix == "" || d.Reference == "" || len(d.Groups) == 0 || d.Gives != "" && d.Gives != "pods" {
			t.Errorf("%s is doubled or half described", d.ID)
		}
		ids[d.ID] = true
		if d.Gives == "" && len(d.Accounts) == 0 && d.Unless == "" {
			t.Errorf("%s leads nowhere", d.ID)
		}
		if len(d.Accounts) == 0 && d.Gives == "" {
			continue // never seen in a snapshot, and so unknown at best
		}
		for _, resource := range d.Resources {
			for _, g := range d.Groups {
				if !robotTakes(t, d, "", d.asksFor(g, resource)) {
					t.Errorf("%s: patch %s.%s is no step", d.ID, resource, g)
				}
			}
		}
		write := d.asksFor(d.Groups[0], d.Resources[0])
		if got := robotTakes(t, d, "system", write); got == d.Cluster {
			t.Errorf("%s in the controller's namespace: %t", d.ID, got)
		}
		if got := robotTakes(t, d, "lab", write); got == (d.Cluster || d.Home) {
			t.Errorf("%s in another namespace: %t", d.ID, got)
		}
		read := write
		read.Verbs = []string{"get", "list", "watch", "delete"}
		if robotTakes(t, d, "", read, d.asksFor("example.com", d.Resources[0])) {
			t.Errorf("%s: a read, or a foreign group, is a step", d.ID)
		}
	}
}

// TestQuietGroups are none that a deputy has.
func TestQuietGroups(t *testing.T) {
	for g := range quiet {
		if described(g) {
			t.Errorf("%s is in both lists", g)
		}
	}
	if !quiet["apps"] || !quiet[""] || quiet["example.com"] {
		t.Errorf("got %v", quiet)
	}
}
