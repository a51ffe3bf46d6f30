package tenant

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
)

// reasonQuota is why a tenant waits for the quota controller.
const reasonQuota = "QuotaNotEnforced"

// unseal lets pods into the namespaces whose bounds admission enforces. A seal once
// lifted stays lifted; a namespace that is added later has its own.
func (r *Reconciler) unseal(ctx context.Context, st *state) error {
	waiting := ""
	for _, o := range st.desired {
		ns, ok := o.(*corev1.Namespace)
		if !ok {
			continue
		}
		if live := st.namespace[ns.Name]; live != nil && live.Labels[v1alpha1.LabelUnsealed] != "" {
			continue
		}
		if q := st.quota(ns.Name); q == nil || !enforced(q) {
			waiting = ns.Name
			continue
		}
		ns = ns.DeepCopy()
		ns.Labels[v1alpha1.LabelUnsealed] = "true"
		if err := r.apply(ctx, st, ns); err != nil {
			return err
		}
	}
	st.unsealed = waiting == "" && !st.stale
	if waiting != "" {
		return &stop{reason: reasonQuota, again: pollDelay,
			message: fmt.Sprintf("the quota controller has not counted namespace %q yet", waiting)}
	}
	return nil
}

// enforced says whether admission enforces the quota: status.hard shows what spec.hard
// asks for.
func enforced(q *corev1.ResourceQuota) bool {
	return len(q.Spec.Hard) > 0 && equality.Semantic.DeepEqual(q.Spec.Hard, q.Status.Hard)
}

// sealAll puts the seal back on everything the tenant has: no new pod from here on.
func (r *Reconciler) sealAll(ctx context.Context, st *state) error {
	for _, name := range slices.Sorted(maps.Keys(st.namespace)) {
		if err := r.seal(ctx, st, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) seal(ctx context.Context, st *state, name string) error {
	live := st.namespace[name]
	if _, unsealed := live.Labels[v1alpha1.LabelUnsealed]; !unsealed || !live.DeletionTimestamp.IsZero() {
		return nil
	}
	ns := live.DeepCopy()
	ns.ManagedFields = nil
	delete(ns.Labels, v1alpha1.LabelUnsealed)
	return r.apply(ctx, st, managedPart(ns))
}

// managedPart is what we own of a namespace: applying it drops what we no longer say.
func managedPart(ns *corev1.Namespace) *corev1.Namespace {
	out := &corev1.Namespace{TypeMeta: ns.TypeMeta}
	out.APIVersion, out.Kind = "v1", "Namespace"
	out.Name = ns.Name
	out.Labels, out.Annotations = map[string]string{}, map[string]string{}
	for k, v := range ns.Labels {
		if compile.ManagesLabel(k) {
			out.Labels[k] = v
		}
	}
	for k, v := range ns.Annotations {
		if compile.ManagesLabel(k) {
			out.Annotations[k] = v
		}
	}
	return out
}
