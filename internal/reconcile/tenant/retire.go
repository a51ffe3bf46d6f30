package tenant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

// How long to wait before looking again at what sends no event to us.
const (
	pollDelay     = time.Second
	guardDelay    = time.Second
	conflictDelay = 30 * time.Second
)

// stopGrace is how many seconds a retired pod has to end, whatever it asks for.
const stopGrace = 30

// workloads are what makes pods, and the pods, in the order in which they are stopped:
// makers before what they make.
func workloads() []client.Object {
	return []client.Object{
		&batchv1.CronJob{}, &appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{},
		&batchv1.Job{}, &appsv1.ReplicaSet{}, &corev1.ReplicationController{}, &corev1.Pod{},
	}
}

// retireNamespaces takes leave of namespaces that the spec no longer names, the way a
// deleted tenant's are.
func (r *Reconciler) retireNamespaces(ctx context.Context, st *state) error {
	keep := hostNames(st.tenant)
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		if _, retained := st.namespace[name].Labels[v1alpha1.LabelRetained]; retained || slices.Contains(keep, name) {
			continue
		}
		err := r.retire(ctx, st, name)
		if s := (*stop)(nil); errors.As(err, &s) {
			r.Recorder.Eventf(st.tenant, nil, corev1.EventTypeNormal, s.reason, "Retire", "%s", s.message)
			st.stale = true // come back
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// retire empties one namespace and, where the policy says so, deletes it.
func (r *Reconciler) retire(ctx context.Context, st *state, name string) error {
	if err := r.confirmData(ctx, st, name); err != nil {
		return err
	}
	if err := r.seal(ctx, st, name); err != nil {
		return err
	}
	if err := r.revoke(ctx, st, name); err != nil {
		return err
	}
	if err := r.stopIn(ctx, name); err != nil {
		return err
	}
	ns := st.namespace[name]
	if st.tenant.Spec.DeletionPolicy != v1alpha1.DeletionDelete {
		return r.markRetained(ctx, st, name)
	}
	if !ns.DeletionTimestamp.IsZero() {
		return nil
	}
	return r.Writer.Delete(ctx, ns)
}

// markRetained lets administrators delete a namespace that is kept only for its data. The
// seal may have been written a moment ago, so what the state shows is not compared.
func (r *Reconciler) markRetained(ctx context.Context, st *state, name string) error {
	live := st.namespace[name]
	if _, done := live.Labels[v1alpha1.LabelRetained]; done || !live.DeletionTimestamp.IsZero() {
		return nil
	}
	ns := managedPart(live)
	delete(ns.Labels, v1alpha1.LabelUnsealed)
	ns.Labels[v1alpha1.LabelRetained] = "true"
	return r.Writer.Merge(ctx, ns)
}

// confirmData wants a word before persistent data is deleted.
func (r *Reconciler) confirmData(ctx context.Context, st *state, name string) error {
	if st.tenant.Spec.DeletionPolicy != v1alpha1.DeletionDelete ||
		st.tenant.Annotations[v1alpha1.AnnotationConfirmDelete] == st.tenant.Name {
		return nil
	}
	n, err := r.count(ctx, listOf("v1", "PersistentVolumeClaim"), name)
	if err != nil || n == 0 {
		return err
	}
	return &stop{reason: "ConfirmationNeeded", again: conflictDelay, message: fmt.Sprintf(
		"namespace %s holds %d persistent volume claims; confirm that their data may be deleted: kubectl annotate tenant %s %s=%s",
		name, n, st.tenant.Name, v1alpha1.AnnotationConfirmDelete, st.tenant.Name)}
}

// revoke removes every grant of ours in a namespace.
func (r *Reconciler) revoke(ctx context.Context, st *state, namespace string) error {
	for key, live := range st.live {
		if _, ok := live.(*rbacv1.RoleBinding); ok && key.Namespace == namespace {
			if err := r.Writer.Delete(ctx, live); err != nil {
				return err
			}
			r.Writer.Ledger.Forget(key)
		}
	}
	return nil
}

// stopIn deletes the workloads of a namespace and waits until no pod is left.
func (r *Reconciler) stopIn(ctx context.Context, namespace string) error {
	left := 0
	for _, o := range workloads() {
		gvk, err := r.Writer.GroupVersionKindFor(o)
		if err != nil {
			return err
		}
		n, err := r.count(ctx, listOf(gvk.GroupVersion().String(), gvk.Kind), namespace)
		if err != nil {
			return fmt.Errorf("count %s in %s: %w", gvk.Kind, namespace, err)
		}
		if left += n; n == 0 {
			continue
		}
		err = r.Writer.DeleteAllOf(ctx, o, client.InNamespace(namespace),
			client.PropagationPolicy(metav1.DeletePropagationBackground), client.GracePeriodSeconds(stopGrace))
		if err != nil {
			return fmt.Errorf("stop %s in %s: %w", gvk.Kind, namespace, err)
		}
	}
	if left > 0 {
		return &stop{reason: "StoppingWorkloads", again: pollDelay,
			message: fmt.Sprintf("%d workloads and pods are left in namespace %s", left, namespace)}
	}
	return nil
}

// question is a kind that an adoption asks for.
type question struct {
	what string
	list *metav1.PartialObjectMetadataList
}

// adoptionQuestions are the kinds that guards judge when they are written. Secrets are
// not among them: the operator may not list them.
func adoptionQuestions() []question {
	return []question{
		{"pods", listOf("v1", "Pod")},
		{"role bindings", listOf(rbacv1.SchemeGroupVersion.String(), "RoleBinding")},
		{"network policies", listOf(networkingv1.SchemeGroupVersion.String(), "NetworkPolicy")},
		{"services", listOf("v1", "Service")},
		{"endpoint slices", listOf(discoveryv1.SchemeGroupVersion.String(), "EndpointSlice")},
		{"ingresses", listOf(networkingv1.SchemeGroupVersion.String(), "Ingress")},
	}
}

func listOf(apiVersion, kind string) *metav1.PartialObjectMetadataList {
	l := &metav1.PartialObjectMetadataList{}
	l.APIVersion, l.Kind = apiVersion, kind+"List"
	return l
}

// count counts the objects of a kind in a namespace, past the cache.
func (r *Reconciler) count(ctx context.Context, list *metav1.PartialObjectMetadataList, namespace string) (int, error) {
	if err := r.Live.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return 0, err
	}
	return len(list.Items), nil
}
