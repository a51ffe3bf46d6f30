package tenant

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
)

// ensureFinalizer keeps the Tenant until what it stands for is gone.
func (r *Reconciler) ensureFinalizer(ctx context.Context, st *state) error {
	if controllerutil.ContainsFinalizer(st.tenant, v1alpha1.Finalizer) {
		return nil
	}
	before := st.tenant.DeepCopy()
	controllerutil.AddFinalizer(st.tenant, v1alpha1.Finalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Writer.Patch(ctx, st.tenant, patch, client.FieldOwner(v1alpha1.ManagedBy)); err != nil {
		return fmt.Errorf("add finalizer: %w", err)
	}
	return nil
}

// readClass reads the class and the other tenants.
func (r *Reconciler) readClass(ctx context.Context, st *state) error {
	class := &v1alpha1.TenantClass{}
	err := r.Writer.Get(ctx, types.NamespacedName{Name: st.tenant.Spec.ClassName}, class)
	switch {
	case err == nil:
		st.class = class
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("get class: %w", err)
	}
	var tenants v1alpha1.TenantList
	if err := r.Writer.List(ctx, &tenants, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	for i := range tenants.Items {
		if tenants.Items[i].Name != st.tenant.Name {
			st.peers = append(st.peers, &tenants.Items[i])
		}
	}
	st.capabilities, err = r.Capabilities(ctx)
	if err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	return nil
}

// compile compiles the tenant. One that its class refuses keeps what it had.
func (r *Reconciler) compile(_ context.Context, st *state) error {
	result, err := compile.Tenant(st.input())
	if rejected := (*compile.Rejected)(nil); errors.As(err, &rejected) {
		return &stop{reason: rejected.Reason, message: rejected.Error()}
	}
	if err != nil {
		return err
	}
	st.accepted = true
	st.desired = result.Objects
	return nil
}

func (st *state) input() compile.Input {
	return compile.Input{Tenant: st.tenant, Class: st.class, Peers: st.peers, Capabilities: st.capabilities}
}

// awaitGuards holds everything back until the guards were seen to refuse.
func (r *Reconciler) awaitGuards(_ context.Context, st *state) error {
	ok, why := r.GuardsInForce()
	if !ok {
		return &stop{reason: "GuardsNotInForce", message: why, again: guardDelay}
	}
	return nil
}
