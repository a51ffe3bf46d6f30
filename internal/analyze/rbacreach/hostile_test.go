package rbacreach

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// TestHostileInput is judged without a panic, and changes no verdict: names with escapes,
// empty rules and subjects, bindings twice and to nowhere, selectors that are invalid.
func TestHostileInput(t *testing.T) {
	evil := "\x1b[31m<script>" + strings.Repeat("a", 10000)
	bad := &rbacv1.ClusterRole{ObjectMeta: named("", "bad"), AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: evil, Operator: "Sideways"}}}, {MatchLabels: map[string]string{evil: evil}}}}}
	empty := rbacv1.PolicyRule{}
	odd := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"", "/", "*/", "pods/", evil}, Verbs: []string{"", evil}, ResourceNames: []string{"", evil}}
	s := estate(2).With(
		bad, &rbacv1.ClusterRole{ObjectMeta: named("", evil), Rules: []rbacv1.PolicyRule{empty, odd}},
		&rbacv1.Role{ObjectMeta: named("", "nowhere"), Rules: []rbacv1.PolicyRule{empty}},
		clusterBinding("a", rbacv1.RoleRef{Kind: "ClusterRole", Name: "bad"}, rbacv1.Subject{}, rbacv1.Subject{Kind: "Group"}, rbacv1.Subject{Kind: evil, Name: evil},
			rbacv1.Subject{Kind: "User", Name: "system:serviceaccount:"}, rbacv1.Subject{Kind: "User", Name: "system:serviceaccount:x:"}, serviceAccount("", "")),
		clusterBinding("b", rbacv1.RoleRef{Kind: "ClusterRole", Name: evil}, serviceAccount("t00000-n0", "ci"), serviceAccount("t00000-n0", "ci")),
		clusterBinding("c", rbacv1.RoleRef{}), roleBinding("", "d", rbacv1.RoleRef{Kind: "Role"}, serviceAccount("t00000-n0", evil)),
		&corev1.Pod{ObjectMeta: named("t00000-n0", evil)}, tokenSecret("", "", ""), tokenSecret("t00000-n0", evil, evil),
		&v1alpha1.Tenant{ObjectMeta: named("", "odd"), Spec: v1alpha1.TenantSpec{Owners: []v1alpha1.Owner{{}, {Kind: evil}, {Kind: "ServiceAccount"}}}})
	broken := 0
	for _, f := range Run(s) {
		if f.Verdict == guarantee.Broken {
			broken++
		}
	}
	if broken != 1 {
		t.Errorf("%d are broken, want the one of the estate", broken)
	}
	edgesOf(s)
}

// TestTwice: the same binding under two names gives each step twice, for both have to go,
// and a subject that is listed twice does not.
func TestTwice(t *testing.T) {
	twice := serviceAccount("ops", "robot")
	s := lab("lab", rule("core", "secrets", "get")).With(
		roleBinding("lab", "again", rbacv1.RoleRef{Kind: "ClusterRole", Name: "robot"}, twice, twice))
	n := 0
	for _, e := range edgesOf(s) {
		if e.ID == "SecretsRead" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("the step is there %d times", n)
	}
}

// TestAggregatedSteps are taken through aggregated roles, round a circle too.
func TestAggregatedSteps(t *testing.T) {
	leaf := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "leaf", Labels: map[string]string{"in-b": "true"}}, Rules: []rbacv1.PolicyRule{rule("core", "secrets", "list")}}
	s := cluster(aggregate("a", "in-a", "in-b"), aggregate("b", "in-b", "in-a"), leaf,
		roleBinding("lab", "a", rbacv1.RoleRef{Kind: "ClusterRole", Name: "a"}, serviceAccount("ops", "robot")))
	if got := reachable(s, account("ops", "robot")); !got[analyze.Place{Kind: analyze.PlaceSecrets, Namespace: "lab"}] {
		t.Errorf("got %v", got)
	}
}

// TestSecretsUnseen makes weak steps where Secrets are not to be seen, and none where they
// are and hold no token.
func TestSecretsUnseen(t *testing.T) {
	s := cluster(roleBinding("lab", "r", rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}, serviceAccount("lab", "deployer")))
	count := func(s *snapshot.Snapshot) (weak, strong int) {
		for _, e := range edgesOf(s) {
			if e.From.Kind == analyze.PlaceSecrets && e.Weak {
				weak++
			} else if e.From.Kind == analyze.PlaceSecrets && e.From.Namespace == "lab" {
				strong++
			}
		}
		return weak, strong
	}
	if weak, strong := count(s); weak+strong != 0 {
		t.Errorf("a folder without tokens: %d weak, %d strong", weak, strong)
	}
	if weak, strong := count(s.WithProblems(snapshot.Problem{Source: "x", Kind: "Secret", Message: "403"})); weak != 2 || strong != 0 {
		t.Errorf("unreadable Secrets: %d weak, %d strong", weak, strong)
	}
	live := s.With()
	live.Origin = snapshot.OriginLive
	if weak, strong := count(live); weak != 2 || strong != 0 {
		t.Errorf("a live cluster: %d weak, %d strong", weak, strong)
	}
	if weak, strong := count(s.With(tokenSecret("lab", "t", "deployer"))); weak != 0 || strong != 1 {
		t.Errorf("a token that is seen: %d weak, %d strong", weak, strong)
	}
}

// TestAggregatedClique is many roles that all gather one another: each path through them
// must not be walked on its own, and what one of them allows all allow.
func TestAggregatedClique(t *testing.T) {
	objects := []runtime.Object{&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "leaf", Labels: map[string]string{"in": "clique"}},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes/proxy"}, Verbs: []string{"get"}}}}}
	for i := range 60 {
		objects = append(objects, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("r%d", i), Labels: map[string]string{"in": "clique"}},
			AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"in": "clique"}}}}})
	}
	got := aggregated(load.Objects(objects...))
	for i := range 60 {
		if rules := got[fmt.Sprintf("r%d", i)]; len(rules) != 1 {
			t.Fatalf("role r%d has %d rules, want the leaf's: %v", i, len(rules), rules)
		}
	}
}
