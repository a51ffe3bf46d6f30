package tenant

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/apply"
	"watertight.dev/watertight/internal/compile"
)

// moveBudget makes one safe move of the budget between the namespaces: what shrinks is
// written first; what grows is written once admission enforces the rest.
func (r *Reconciler) moveBudget(ctx context.Context, st *state) error {
	demand, err := r.demand(ctx, st)
	if err != nil {
		return err
	}
	names := make([]string, len(st.tenant.Spec.Namespaces))
	usage := map[string]compile.Usage{}
	for i, n := range st.tenant.Spec.Namespaces {
		names[i] = n.Name
		usage[n.Name] = compile.Usage{}
		if q := st.quota(v1alpha1.NamespaceName(st.tenant.Name, n.Name)); q != nil {
			usage[n.Name] = compile.Usage{
				Exists: true, Spec: q.Spec.Hard, Hard: q.Status.Hard, Used: q.Status.Used, Demand: demand[q.Namespace],
			}
		}
	}
	move := compile.Rebalance(compile.Budget(st.tenant, st.class), names, usage)
	st.over = move.Over

	input := st.input()
	input.Quotas = move.Shares
	result, err := compile.Tenant(input)
	if err != nil {
		return err
	}
	for i, o := range result.Objects {
		q, ok := o.(*corev1.ResourceQuota)
		if !ok {
			continue
		}
		st.desired[i] = q
		if err := r.apply(ctx, st, q); err != nil {
			return err
		}
	}
	return nil
}

// quota is the quota of a namespace as the cache shows it.
func (st *state) quota(namespace string) *corev1.ResourceQuota {
	key := apply.Key{GroupKind: schema.GroupKind{Kind: "ResourceQuota"}, Namespace: namespace, Name: compile.QuotaName}
	q, _ := st.live[key].(*corev1.ResourceQuota)
	return q
}

// demandAge is how long a refusal counts as demand: a controller that still wants its
// pods tries again within it.
const demandAge = 5 * time.Minute

// demand is what the namespaces asked for in vain: what the workload controllers were
// refused for want of quota, as their FailedCreate events say.
func (r *Reconciler) demand(ctx context.Context, st *state) (map[string]corev1.ResourceList, error) {
	out := map[string]corev1.ResourceList{}
	for name := range st.namespace {
		var list corev1.EventList
		if err := r.Writer.List(ctx, &list, client.InNamespace(name), client.UnsafeDisableDeepCopy); err != nil {
			return nil, err
		}
		for i := range list.Items {
			if time.Since(list.Items[i].LastTimestamp.Time) > demandAge {
				continue
			}
			asked := compile.Refused(list.Items[i].Message)
			if len(asked) > 0 && out[name] == nil {
				out[name] = corev1.ResourceList{}
			}
			for resource, q := range asked {
				if now := out[name][resource]; q.Cmp(now) > 0 {
					out[name][resource] = q
				}
			}
		}
	}
	return out, nil
}
