// Package apply is the only writer of managed objects. It writes with server-side apply
// under one field manager, only what differs, and removes only what it made. It decides
// nothing about what the objects should be.
package apply

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"watertight.dev/watertight/api/v1alpha1"
)

// Key names an object within a cluster.
type Key struct {
	schema.GroupKind
	Namespace, Name string
}

// String prints "Kind namespace/name".
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.Namespace + "/" + k.Name
}

// Writer writes managed objects.
type Writer struct {
	client.Client
	// Ledger remembers what was written; nil remembers nothing.
	Ledger *Ledger
}

// KeyOf names an object; its kind is looked up where it does not say it itself.
func (w Writer) KeyOf(o client.Object) (Key, error) {
	gvk, err := apiutil.GVKForObject(o, w.Scheme())
	if err != nil {
		return Key{}, fmt.Errorf("find kind of %T: %w", o, err)
	}
	return Key{GroupKind: gvk.GroupKind(), Namespace: o.GetNamespace(), Name: o.GetName()}, nil
}

// Apply brings an object to what is desired and says what that took. live is what the
// cache has now, or nil. Where somebody added to a list of the object that is
// merged, the addition is removed.
func (w Writer) Apply(ctx context.Context, desired, live client.Object) (Outcome, error) {
	key, err := w.KeyOf(desired)
	if err != nil {
		return Unchanged, err
	}
	outcome := w.Ledger.judge(key, desired, live)
	if !outcome.Wrote() {
		return outcome, nil
	}
	result, err := w.patch(ctx, desired)
	if err != nil {
		return Unchanged, fmt.Errorf("apply %s: %w", key, err)
	}
	if !Same(desired, result) {
		result = replaced(desired, result)
		if err := w.Update(ctx, result, client.FieldOwner(v1alpha1.ManagedBy)); err != nil {
			return Unchanged, fmt.Errorf("replace %s: %w", key, err)
		}
	}
	w.Ledger.wrote(key, desired, result.GetResourceVersion())
	return outcome, nil
}

// Merge sends one server-side apply and leaves what others added where it is: for kinds
// that the API server completes by itself, such as CRDs.
func (w Writer) Merge(ctx context.Context, desired client.Object) error {
	if _, err := w.patch(ctx, desired); err != nil {
		key, _ := w.KeyOf(desired)
		return fmt.Errorf("apply %s: %w", key, err)
	}
	return nil
}

// patch sends one server-side apply and returns the object as stored.
func (w Writer) patch(ctx context.Context, desired client.Object) (client.Object, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: content}
	gvk, err := apiutil.GVKForObject(desired, w.Scheme())
	if err != nil {
		return nil, err
	}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	err = w.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.ManagedBy), client.ForceOwnership)
	if err != nil {
		return nil, err
	}
	fresh, err := w.Scheme().New(gvk)
	if err != nil {
		return nil, err
	}
	result, ok := fresh.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", fresh)
	}
	return result, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, result)
}

// Create makes an object that must not exist yet; AlreadyExists is the caller's to judge.
func (w Writer) Create(ctx context.Context, desired client.Object) error {
	o, ok := desired.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object", desired)
	}
	return w.Client.Create(ctx, o, client.FieldOwner(v1alpha1.ManagedBy))
}

// Delete removes exactly the object that was seen, and nothing that is not ours. An
// object that is gone already is no error.
func (w Writer) Delete(ctx context.Context, live client.Object) error {
	if !Ours(live) {
		return nil
	}
	uid := live.GetUID()
	err := w.Client.Delete(ctx, live, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		key, _ := w.KeyOf(live)
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// Ours says whether the field manager of Watertight wrote the object: a label alone can
// be put there by an administrator.
func Ours(o client.Object) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == v1alpha1.ManagedBy
	})
}
