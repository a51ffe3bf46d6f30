package reconcile

import (
	"context"
	"errors"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/reconcile/guard"
	"watertight.dev/watertight/internal/reconcile/tenant"
)

// setupTenant watches what a tenant's isolation depends on.
func setupTenant(m manager.Manager, r *tenant.Reconciler, workers int, every, verified <-chan event.GenericEvent) error {
	c := m.GetClient()
	b := ctrl.NewControllerManagedBy(m).Named("tenant").
		For(&v1alpha1.Tenant{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha1.Tenant{}, handler.EnqueueRequestsFromMapFunc(related(c)), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.TenantClass{}, handler.EnqueueRequestsFromMapFunc(ofClass(c)), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&corev1.Event{}, handler.EnqueueRequestsFromMapFunc(byNamespace(c))).
		Watches(&nodev1.RuntimeClass{}, handler.EnqueueRequestsFromMapFunc(all(c)), builder.WithPredicates(notUpdated)).
		Watches(&schedulingv1.PriorityClass{}, handler.EnqueueRequestsFromMapFunc(all(c)), builder.WithPredicates(notUpdated)).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(all(c)), builder.WithPredicates(otherCIDRs)).
		WatchesRawSource(source.Channel(every, handler.EnqueueRequestsFromMapFunc(all(c)))).
		WatchesRawSource(source.Channel(verified, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: max(1, workers)})
	for _, list := range tenant.Managed() {
		b = b.Watches(itemOf(list), handler.EnqueueRequestsFromMapFunc(byLabel))
	}
	return b.Complete(r)
}

// setupGuard watches the guards and their canary; everything leads to one request.
func setupGuard(m manager.Manager, k *guard.Keeper) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "guards"}}}
	})
	ofCanary := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		return o.GetLabels()[v1alpha1.LabelTenant] == compile.CanaryName
	}))
	start := make(chan event.GenericEvent, 1)
	announce(start)
	b := ctrl.NewControllerManagedBy(m).Named("guard").
		WatchesRawSource(source.Channel(start, one)).
		Watches(&corev1.Namespace{}, one, ofCanary)
	lists := guard.Managed()
	mutating := admissionv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy")
	if _, err := m.GetRESTMapper().RESTMapping(mutating.GroupKind(), mutating.Version); err != nil {
		lists = lists[:2] // below 1.36 the API server has no mutating policies
	}
	for _, list := range lists {
		b = b.Watches(itemOf(list), one, builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	}
	for _, list := range tenant.Managed() {
		b = b.Watches(itemOf(list), one, ofCanary)
	}
	return b.Complete(k)
}

// related are the tenants whose isolation depends on another's spec: those that share
// traffic with it and those that could claim the same namespace.
func related(c client.Client) handler.MapFunc {
	return func(ctx context.Context, changed client.Object) []reconcile.Request {
		return requests(ctx, c, func(t *v1alpha1.Tenant) bool {
			if t.Name == changed.GetName() {
				return false
			}
			shares := slices.ContainsFunc(t.Spec.Network.Flows, func(f v1alpha1.Flow) bool {
				return f.From.Tenant == changed.GetName() || f.To.Tenant == changed.GetName()
			})
			return shares || t.Status.Phase == v1alpha1.PhasePending
		})
	}
}

func ofClass(c client.Client) handler.MapFunc {
	return func(ctx context.Context, class client.Object) []reconcile.Request {
		return requests(ctx, c, func(t *v1alpha1.Tenant) bool { return t.Spec.ClassName == class.GetName() })
	}
}

func all(c client.Client) handler.MapFunc {
	return func(ctx context.Context, _ client.Object) []reconcile.Request {
		return requests(ctx, c, func(*v1alpha1.Tenant) bool { return true })
	}
}

func requests(ctx context.Context, c client.Client, want func(*v1alpha1.Tenant) bool) []reconcile.Request {
	var list v1alpha1.TenantList
	if err := c.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil // the cache is not there yet; every tenant is looked at when it is
	}
	var out []reconcile.Request
	for i := range list.Items {
		if want(&list.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
		}
	}
	return out
}

// byLabel leads from a managed object to its tenant.
func byLabel(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[v1alpha1.LabelTenant]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

// byNamespace leads from an event to the tenant of its namespace.
func byNamespace(c client.Client) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		var ns corev1.Namespace
		if err := c.Get(ctx, types.NamespacedName{Name: o.GetNamespace()}, &ns); err != nil {
			return nil
		}
		return byLabel(ctx, &ns)
	}
}

// notUpdated leaves out changes of objects whose being there is all that matters.
var notUpdated = predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}

// otherCIDRs leaves out a node's heartbeats.
var otherCIDRs = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, ok1 := e.ObjectOld.(*corev1.Node)
	after, ok2 := e.ObjectNew.(*corev1.Node)
	return ok1 && ok2 && !slices.Equal(compile.NodeCIDRs(before), compile.NodeCIDRs(after))
}}

// refusals are the events of workload controllers that could not create a pod.
func refusals() cache.ByObject {
	return cache.ByObject{Field: fields.OneTermEqualSelector("reason", "FailedCreate")}
}

// onlyCIDRs keeps of a node its name and addresses.
func onlyCIDRs(o any) (any, error) {
	n, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion},
		Spec:       corev1.NodeSpec{PodCIDRs: n.Spec.PodCIDRs},
		Status:     corev1.NodeStatus{Addresses: n.Status.Addresses},
	}, nil
}

// trim drops what nobody reads from cached objects: the fields in managedFields (their
// managers' names are kept) and the last applied configuration.
func trim(o any) (any, error) {
	object, ok := o.(client.Object)
	if !ok {
		return o, nil
	}
	fieldsOf := object.GetManagedFields()
	for i := range fieldsOf {
		fieldsOf[i] = metav1.ManagedFieldsEntry{Manager: fieldsOf[i].Manager}
	}
	if notes := object.GetAnnotations(); notes[corev1.LastAppliedConfigAnnotation] != "" {
		delete(notes, corev1.LastAppliedConfigAnnotation)
	}
	return o, nil
}

func guardsReady(k *guard.Keeper) healthz.Checker {
	return func(*http.Request) error {
		if ok, why := k.InForce(); !ok {
			return errors.New(why)
		}
		return nil
	}
}
