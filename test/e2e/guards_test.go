package e2e

import (
	"errors"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/reconcile/guard"
)

// TestGuardsAreKept removes, weakens and adds to guards as only break-glass can, and sees
// them restored; a guard of an older version goes once the new ones hold.
func TestGuardsAreKept(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	if err := c.Create(t.Context(), shop(t, "gk")); err != nil {
		t.Fatal(err)
	}
	eventually(t, ready(c, t, "gk"))

	old := &admissionv1.ValidatingAdmissionPolicyBinding{}
	old.Name = "watertight-of-an-older-version"
	old.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
	old.Spec = admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "gone", ValidationActions: []admissionv1.ValidationAction{admissionv1.Audit}}
	if err := c.Create(t.Context(), old, client.FieldOwner(v1alpha1.ManagedBy)); err != nil {
		t.Fatal(err)
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
	binding.Name = "watertight-seal"
	if err := c.Delete(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	key := client.ObjectKey{Name: "watertight-pods"}
	if err := c.Get(t.Context(), key, policy); err != nil {
		t.Fatal(err)
	}
	policy.Spec.MatchConditions = append(policy.Spec.MatchConditions, admissionv1.MatchCondition{Name: "never", Expression: "false"})
	if err := c.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := c.Get(t.Context(), client.ObjectKey{Name: "watertight-seal"}, binding); err != nil {
			return err
		}
		if err := c.Get(t.Context(), key, policy); err != nil {
			return err
		}
		for _, m := range policy.Spec.MatchConditions {
			if m.Name == "never" {
				return errors.New("the match condition that somebody added is still there")
			}
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(old), old); !apierrors.IsNotFound(err) {
			return errors.New("the older version's guard is still there")
		}
		return nil
	})
}

// TestEveryGuardIsTried: a guard that the canary never tries could be missing unseen.
func TestEveryGuardIsTried(t *testing.T) {
	guards, err := compile.Guards(compile.Capabilities{}, v1alpha1.OperatorUser)
	if err != nil {
		t.Fatal(err)
	}
	tried := guard.Tried()
	for _, g := range guards {
		if !tried[g.GetName()] {
			t.Errorf("no try for guard %s", g.GetName())
		}
	}
}
