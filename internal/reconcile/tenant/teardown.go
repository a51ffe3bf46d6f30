package tenant

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"watertight.dev/watertight/api/v1alpha1"
)

// confirmDeletion checks every namespace before the first is touched.
func (r *Reconciler) confirmDeletion(ctx context.Context, st *state) error {
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		if err := r.confirmData(ctx, st, name); err != nil {
			return err
		}
	}
	return nil
}

// revokeAccess takes the owners' rights away, so that nobody starts anew what is stopped.
func (r *Reconciler) revokeAccess(ctx context.Context, st *state) error {
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		if err := r.revoke(ctx, st, name); err != nil {
			return err
		}
	}
	return nil
}

// stopWorkloads waits until no pod of the tenant is left: the deletion of a namespace may
// drop its NetworkPolicies before its pods (CVE-2024-7598).
func (r *Reconciler) stopWorkloads(ctx context.Context, st *state) error {
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		if err := r.stopIn(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// deleteNamespaces removes the namespaces, with the guards and policies in them, where
// the policy says so, and waits until they are gone.
func (r *Reconciler) deleteNamespaces(ctx context.Context, st *state) error {
	if st.tenant.Spec.DeletionPolicy != v1alpha1.DeletionDelete {
		return r.retainNamespaces(ctx, st)
	}
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		if ns := st.namespace[name]; ns.DeletionTimestamp.IsZero() {
			if err := r.Writer.Delete(ctx, ns); err != nil {
				return err
			}
		}
	}
	if len(st.namespace) > 0 {
		return &stop{reason: "DeletingNamespaces", again: pollDelay,
			message: "waiting for namespaces to go: " + strings.Join(slices.Sorted(maps.Keys(st.namespace)), ", ") + st.stuck()}
	}
	return nil
}

// retainNamespaces leaves the namespaces, sealed, for their data.
func (r *Reconciler) retainNamespaces(ctx context.Context, st *state) error {
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		if err := r.markRetained(ctx, st, name); err != nil {
			return err
		}
	}
	return nil
}

// stuck tells what keeps namespaces from going, if they say so.
func (st *state) stuck() string {
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		for _, c := range st.namespace[name].Status.Conditions {
			if c.Status == "True" && c.Message != "" {
				return fmt.Sprintf(" (%s: %s)", name, c.Message)
			}
		}
	}
	return ""
}

// deleteClusterObjects removes what the tenant has outside its namespaces.
func (r *Reconciler) deleteClusterObjects(ctx context.Context, st *state) error {
	for key, live := range st.live {
		_, isNamespace := live.(*corev1.Namespace)
		if isNamespace || key.Namespace != "" && key.Namespace != v1alpha1.SystemNamespace {
			continue
		}
		if err := r.Writer.Delete(ctx, live); err != nil {
			return err
		}
		r.Writer.Ledger.Forget(key)
	}
	return nil
}

// removeFinalizer lets the Tenant go.
func (r *Reconciler) removeFinalizer(ctx context.Context, st *state) error {
	if !controllerutil.ContainsFinalizer(st.tenant, v1alpha1.Finalizer) {
		return nil
	}
	before := st.tenant.DeepCopy()
	controllerutil.RemoveFinalizer(st.tenant, v1alpha1.Finalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Writer.Patch(ctx, st.tenant, patch, client.FieldOwner(v1alpha1.ManagedBy)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer: %w", err)
	}
	return nil
}
