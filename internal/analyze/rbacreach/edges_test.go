package rbacreach

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

func edgesOf(s *snapshot.Snapshot) []analyze.Edge {
	var out []analyze.Edge
	Edges(s, func(e analyze.Edge) bool {
		out = append(out, e)
		return true
	})
	return out
}

// TestEdges are complete, in order, each once, and the same on every run.
func TestEdges(t *testing.T) {
	s := estate(3).With(clusterBinding("root", rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
		rbacv1.Subject{Kind: "Group", Name: "system:masters"}, rbacv1.Subject{Kind: "User", Name: "system:node:n1"}, serviceAccount("platform", "root")))
	edges := edgesOf(s)
	for i, e := range edges {
		if e.ID == "" || e.Guarantee == "" || e.Effect == "" || e.Reference == "" || e.Fix == "" || e.Evidence.Object.Kind == "" || e.Evidence.Detail == "" {
			t.Errorf("half filled: %+v", e)
		}
		if _, known := guarantee.Get(e.Guarantee); !known {
			t.Errorf("%s breaks %s, which there is not", e.ID, e.Guarantee)
		}
		if i > 0 && edges[i-1] == e {
			t.Errorf("twice: %+v", e)
		}
		if i > 0 && edges[i-1].From.Compare(e.From) > 0 {
			t.Errorf("out of order: %s after %s", e.From, edges[i-1].From)
		}
	}
	if again := edgesOf(s); !slices.Equal(edges, again) {
		t.Error("another order on the second run")
	}
	for _, want := range []string{
		"Identity Group t00000-admins PodsCreate Namespace t00000-n1", "Namespace t00000-n1 RunAs Identity t00000-n1/worker",
		"Namespace t00000-n1 MountSecrets Secrets t00000-n1", "Identity t00000-n0/ci SecretsRead Secrets platform",
		"Secrets platform TokenSecret Identity platform/deployer", "Identity platform/deployer AdmissionWrite the control plane",
		"Workload t00000-n1/pod-0 MountedToken Identity t00000-n1/worker", "Identity t00000-n1/worker TokenSecretCreate -",
		"Identity Group system:masters SuperUser the control plane", "Identity User system:node:n1 NodeIdentity Node n1",
		"Identity platform/root PodsCreate any Namespace", "any Namespace KubeSystem the control plane", "any Secrets KubeSystem the control plane",
	} {
		absent := strings.HasSuffix(want, " -")
		found := slices.ContainsFunc(edges, func(e analyze.Edge) bool {
			line := e.From.String() + " " + e.ID + " " + e.To.String()
			return line == want || absent && strings.HasPrefix(line, strings.TrimSuffix(want, "-"))
		})
		if found == absent {
			t.Errorf("%s: found %t", want, found)
		}
	}
}

// TestEdgesStop when nobody wants more.
func TestEdgesStop(t *testing.T) {
	n := 0
	Edges(estate(1), func(analyze.Edge) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("yielded %d", n)
	}
}

// TestEdgeEvidence names the rule and the binding.
func TestEdgeEvidence(t *testing.T) {
	s := lab("lab", rule("core", "configmaps", "get"), rule("core", "secrets", "get"))
	i := slices.IndexFunc(edgesOf(s), func(e analyze.Edge) bool { return e.ID == "SecretsRead" })
	if i < 0 {
		t.Fatal("no such edge")
	}
	e := edgesOf(s)[i]
	if e.Evidence.Field != "rules[1]" || e.Evidence.Object.String() != "ClusterRole robot" || !strings.Contains(e.Fix, "RoleBinding lab/robot") {
		t.Errorf("got %+v", e)
	}
}

// TestChainIsTold names every place, and has evidence for each step.
func TestChainIsTold(t *testing.T) {
	for _, f := range Run(estate(1)) {
		if f.Guarantee != guarantee.API3 {
			continue
		}
		for _, want := range []string{"ServiceAccount t00000-n0/ci → the Secrets of namespace platform", "→ ServiceAccount platform/deployer", "→ the control plane", "RoleBinding platform/t00000"} {
			if !strings.Contains(f.Message, want) {
				t.Errorf("%q lacks %q", f.Message, want)
			}
		}
		var objects []string
		for _, e := range f.Evidence {
			objects = append(objects, e.Object.String()+" "+e.Field)
		}
		for _, want := range []string{"Role platform/reader rules[0]", "Secret platform/deployer-token type", "ClusterRoleBinding deployer roleRef", "ClusterRole webhooks rules[0]"} {
			if !slices.Contains(objects, want) {
				t.Errorf("evidence %v lacks %q", objects, want)
			}
		}
		return
	}
	t.Error("no finding on API-3")
}

// TestGroupRightsAreTheGroups: a member with rights of its own does not repeat them.
func TestGroupRightsAreTheGroups(t *testing.T) {
	s := lab("lab", rule("core", "pods/exec", "get")).With(
		roleBinding("lab", "readers", rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}, rbacv1.Subject{Kind: "Group", Name: "system:serviceaccounts:ops"}))
	for _, e := range edgesOf(s) {
		if e.ID == "SecretsRead" && e.From == account("ops", "robot") {
			t.Errorf("got %+v", e)
		}
	}
	if !reachable(s, account("ops", "robot"))[analyze.Place{Kind: analyze.PlaceSecrets, Namespace: "lab"}] {
		t.Error("a member has not the rights of its group")
	}
}
