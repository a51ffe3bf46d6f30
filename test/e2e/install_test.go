package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/install"
	"watertight.dev/watertight/internal/localcluster/localtest"
	"watertight.dev/watertight/internal/reconcile/capability"
	"watertight.dev/watertight/internal/reconcile/guard"
)

// TestInstallAndUninstall: installing twice changes nothing, uninstalling is refused while
// there are tenants and leaves nothing behind, nor anything that others made.
func TestInstallAndUninstall(t *testing.T) {
	config := localtest.Start(t).Config()
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	o := install.Options{Config: config, Scheme: scheme(), Operator: v1alpha1.OperatorUser, Classes: true,
		Capabilities: capability.Read, Progress: func(string) {}}
	for range 2 {
		if err := install.Install(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	stop := operator(t, config, nil)
	if err := c.Create(t.Context(), shop(t, "last")); err != nil {
		t.Fatal(err)
	}
	eventually(t, ready(c, t, "last"))
	if err := install.Uninstall(t.Context(), o); err == nil || !strings.Contains(err.Error(), "last") {
		t.Fatalf("uninstalled under a tenant: %v", err)
	}
	kept := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "last"}}
	retain := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"deletionPolicy":"Retain"}}`))
	if err := c.Patch(t.Context(), kept, retain); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	eventually(t, gone(t.Context(), c, kept))
	stop()
	if err := install.Uninstall(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, list := range guard.Managed() {
		if err := c.List(t.Context(), list, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}); err != nil {
			t.Fatal(err)
		}
		if n := meta.LenList(list); n > 0 {
			t.Errorf("%d left in %T", n, list)
		}
	}
	for _, name := range []string{v1alpha1.SystemNamespace, compile.CanaryNamespace, compile.CanarySealedNamespace} {
		eventually(t, gone(t.Context(), c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	eventually(t, func() error { // the kinds are gone, with the Guard of the retained namespace
		err := c.List(t.Context(), &v1alpha1.GuardList{})
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("guards are still served (%v)", err)
	})
	if err := c.Get(t.Context(), client.ObjectKey{Name: "last-database"}, &corev1.Namespace{}); err != nil {
		t.Errorf("the retained namespace: %v", err)
	}
}
