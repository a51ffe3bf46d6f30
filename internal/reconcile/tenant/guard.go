package tenant

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/apply"
)

// guarded are the kinds whose policies need the namespace's Guard: without it the API
// server refuses every write of them, even one that takes a finalizer off.
func guarded() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Pod"), corev1.SchemeGroupVersion.WithKind("Service"),
		corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"),
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), networkingv1.SchemeGroupVersion.WithKind("Ingress"),
		{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"},
		{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GRPCRoute"},
	}
}

// releaseGuards lets Guards go that are being deleted: at once where the namespace stays
// (a new one is made), and last of all where the namespace goes too.
func (r *Reconciler) releaseGuards(ctx context.Context, st *state) error {
	for key, live := range st.live {
		guard, ok := live.(*v1alpha1.Guard)
		if !ok || guard.DeletionTimestamp.IsZero() || !controllerutil.ContainsFinalizer(guard, v1alpha1.GuardFinalizer) {
			continue
		}
		if ns := st.namespace[key.Namespace]; ns != nil && !ns.DeletionTimestamp.IsZero() {
			left, err := r.leftIn(ctx, key.Namespace)
			if err != nil {
				return err
			}
			if left > 0 {
				st.stale = true // come back
				continue
			}
		}
		if err := r.releaseGuard(ctx, key, guard.DeepCopy()); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) releaseGuard(ctx context.Context, key apply.Key, guard *v1alpha1.Guard) error {
	before := guard.DeepCopy()
	controllerutil.RemoveFinalizer(guard, v1alpha1.GuardFinalizer)
	err := r.Writer.Patch(ctx, guard, client.MergeFrom(before), client.FieldOwner(v1alpha1.ManagedBy))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("release %s: %w", key, err)
	}
	r.Writer.Ledger.Forget(key)
	return nil
}

// leftIn counts what is left in a namespace of what its Guard is for.
func (r *Reconciler) leftIn(ctx context.Context, namespace string) (int, error) {
	left := 0
	for _, kind := range guarded() {
		n, err := r.count(ctx, listOf(kind.GroupVersion().String(), kind.Kind), namespace)
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue // the kind is not served, or no longer
		}
		if err != nil {
			return 0, fmt.Errorf("count %s in %s: %w", kind.Kind, namespace, err)
		}
		left += n
	}
	return left, nil
}
