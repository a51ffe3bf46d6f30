package e2e

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/localcluster"
	"watertight.dev/watertight/internal/localcluster/localtest"
)

// TestStaticPolicy: on a local cluster not even RBAC rights on every admission policy let
// anybody but administrators and the operator touch the guards.
func TestStaticPolicy(t *testing.T) {
	config := localtest.Start(t, func(o *localcluster.Options) { o.GuardKeeper = v1alpha1.OperatorUser }).Config()
	admin, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	guards, err := compile.Guards(compile.Capabilities{}, v1alpha1.OperatorUser)
	if err != nil {
		t.Fatal(err)
	}
	seal, other := guards[len(guards)-1], &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}}
	if err := admin.Create(t.Context(), seal); err != nil {
		t.Fatalf("an administrator: %v", err)
	}
	bind(t, admin, "cluster-admin", "mallory")
	bind(t, admin, "cluster-admin", v1alpha1.OperatorUser)
	if err := as(t, config, "mallory").Delete(t.Context(), seal); !apierrors.IsForbidden(err) {
		t.Errorf("mallory deleted a guard: %v", err)
	}
	other.Spec = admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}}}},
		Validations: []admissionv1.Validation{{Expression: "true"}},
	}
	if err := as(t, config, "mallory").Create(t.Context(), other); err != nil {
		t.Errorf("mallory may write policies of her own: %v", err)
	}
	if err := as(t, config, v1alpha1.OperatorUser).Delete(t.Context(), seal); err != nil {
		t.Errorf("the operator: %v", err)
	}
}

func as(t *testing.T, config *rest.Config, user string) client.Client {
	t.Helper()
	config = rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bind(t *testing.T, admin client.Client, role, user string) {
	t.Helper()
	err := admin.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	if err != nil {
		t.Fatal(err)
	}
}
