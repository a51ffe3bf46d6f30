package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
)

// How often something is looked at again, and how long a deleted policy may still refuse.
const (
	pollEvery = 100 * time.Millisecond
	forgetful = 15 * time.Second
)

// Uninstall removes Watertight. It refuses while there are tenants, whose isolation would
// go with it; retained namespaces stay, without guards.
func Uninstall(ctx context.Context, o Options) error {
	w, err := o.writer()
	if err != nil {
		return err
	}
	var tenants v1alpha1.TenantList
	if err := w.List(ctx, &tenants); err != nil && !meta.IsNoMatchError(err) {
		return fmt.Errorf("list tenants: %w", err)
	}
	if len(tenants.Items) > 0 {
		var names []string
		for i := range tenants.Items {
			names = append(names, tenants.Items[i].Name)
		}
		return fmt.Errorf("there are tenants whose isolation would end: %s; delete them first (kubectl delete tenant NAME)", strings.Join(names, ", "))
	}
	guards, err := compile.Guards(compile.Capabilities{MutatingAdmissionPolicy: true}, o.Operator)
	if err != nil {
		return err
	}
	crds, err := readCRDs()
	if err != nil {
		return err
	}
	// Guards go first: they keep everybody from deleting what they guard.
	objects := slices.Concat(bindingsFirst(guards), namespacesOnly(compile.Canary()), reversed(compile.System(o.Operator)))
	for _, crd := range crds {
		objects = append(objects, crd)
	}
	for i, object := range objects {
		if i == len(guards) { // the guards are gone, so that Guards can be let go
			if err := releaseGuards(ctx, w.Client); err != nil {
				return err
			}
		}
		if err := remove(ctx, w.Client, object); err != nil {
			return err
		}
	}
	o.Progress("guards, canary, operator's identity and custom resource definitions removed")
	return nil
}

// remove deletes an object.
func remove(ctx context.Context, c client.Client, object client.Object) error {
	err := whileRefused(ctx, func() error {
		return c.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))
	})
	if client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
		return fmt.Errorf("delete %T %s (is an operator still running?): %w", object, object.GetName(), err)
	}
	return nil
}

// whileRefused writes again for a while where a guard refuses: the API server forgets a
// policy some moments after it is deleted. It returns the last answer.
func whileRefused(ctx context.Context, write func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, forgetful, true, func(context.Context) (bool, error) {
		last = write()
		return !apierrors.IsForbidden(last) || !strings.Contains(last.Error(), "'watertight-"), nil
	})
	if last == nil {
		return err
	}
	return last
}

// bindingsFirst puts bindings before their policies: a policy without a binding refuses
// nothing, a binding without its policy refuses everything.
func bindingsFirst(guards []compile.Object) []compile.Object {
	out := slices.Clone(guards)
	slices.SortStableFunc(out, func(a, b compile.Object) int {
		return strings.Compare(order(a), order(b))
	})
	return out
}

func order(o compile.Object) string {
	if strings.HasSuffix(o.GetObjectKind().GroupVersionKind().Kind, "Binding") {
		return "0"
	}
	return "1"
}

func namespacesOnly(objects []compile.Object) []compile.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o compile.Object) bool {
		_, ok := o.(*corev1.Namespace)
		return !ok
	})
}

func reversed(objects []compile.Object) []compile.Object {
	out := slices.Clone(objects)
	slices.Reverse(out)
	return out
}

// releaseGuards takes the finalizers off the Guards in retained namespaces, since nobody is
// left who would.
func releaseGuards(ctx context.Context, c client.Client) error {
	var list v1alpha1.GuardList
	if err := c.List(ctx, &list); err != nil {
		if meta.IsNoMatchError(err) {
			return nil
		}
		return fmt.Errorf("list guards: %w", err)
	}
	for i := range list.Items {
		guard := &list.Items[i]
		before := guard.DeepCopy()
		guard.Finalizers = nil
		err := whileRefused(ctx, func() error { return c.Patch(ctx, guard, client.MergeFrom(before)) })
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("release guard %s/%s: %w", guard.Namespace, guard.Name, err)
		}
	}
	return nil
}
