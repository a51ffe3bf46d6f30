package tenant

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/apply"
	"watertight.dev/watertight/internal/compile"
)

// IndexTenant is the cache index of managed objects by the tenant they belong to.
const IndexTenant = "tenant"

// Managed are the kinds of objects that a tenant is compiled into and that are pruned
// when it no longer is. Namespaces are retired instead.
func Managed() []client.ObjectList {
	return []client.ObjectList{
		&v1alpha1.GuardList{}, &corev1.ResourceQuotaList{}, &corev1.LimitRangeList{},
		&networkingv1.NetworkPolicyList{}, &corev1.ServiceAccountList{}, &rbacv1.RoleBindingList{},
		&rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{},
	}
}

// state is what one reconcile knows.
type state struct {
	tenant *v1alpha1.Tenant
	class  *v1alpha1.TenantClass
	peers  []*v1alpha1.Tenant

	capabilities compile.Capabilities
	desired      []compile.Object
	// live are the tenant's managed objects and namespaces as the cache shows them.
	live map[apply.Key]client.Object

	accepted  bool
	over      []corev1.ResourceName
	complete  bool // every desired object is in place
	unsealed  bool
	wrote     bool
	stale     bool
	namespace map[string]*corev1.Namespace // by full name, those that are ours
}

// gather reads the tenant and everything that is known of it; nil if it is gone.
func (r *Reconciler) gather(ctx context.Context, name string) (*state, error) {
	st := &state{tenant: &v1alpha1.Tenant{}, live: map[apply.Key]client.Object{}, namespace: map[string]*corev1.Namespace{}}
	err := r.Writer.Get(ctx, types.NamespacedName{Name: name}, st.tenant)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get tenant: %w", err)
	}
	lists := append(Managed(), &corev1.NamespaceList{})
	for _, list := range lists {
		if err := r.list(ctx, st, list); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
		if err := st.remember(r.Writer, list); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// list lists one kind of the tenant's objects: from the cache, or past it for a tenant
// that is being deleted, since what a late cache hides would be left behind.
func (r *Reconciler) list(ctx context.Context, st *state, list client.ObjectList) error {
	if st.tenant.DeletionTimestamp.IsZero() {
		return r.Writer.List(ctx, list, client.MatchingFields{IndexTenant: st.tenant.Name}, client.UnsafeDisableDeepCopy)
	}
	return r.Live.List(ctx, list, client.MatchingLabels{v1alpha1.LabelTenant: st.tenant.Name})
}

func (st *state) remember(w apply.Writer, list client.ObjectList) error {
	return meta.EachListItem(list, func(o runtime.Object) error {
		object, ok := o.(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", o)
		}
		key, err := w.KeyOf(object)
		if err != nil {
			return err
		}
		st.live[key] = object
		if ns, ok := o.(*corev1.Namespace); ok && st.owns(ns) {
			st.namespace[ns.Name] = ns
		}
		return nil
	})
}

// owns says whether a namespace is this tenant's: the operator wrote the tenant's UID
// into it. A label alone proves nothing.
func (st *state) owns(ns *corev1.Namespace) bool {
	return ns.Annotations[v1alpha1.AnnotationTenantUID] == string(st.tenant.UID) && apply.Ours(ns)
}

// apply brings one object to what is desired and tells of repairs.
func (r *Reconciler) apply(ctx context.Context, st *state, o compile.Object) error {
	key, err := r.Writer.KeyOf(o)
	if err != nil {
		return err
	}
	outcome, err := r.Writer.Apply(ctx, o, st.live[key])
	if err != nil {
		return err
	}
	st.wrote = st.wrote || outcome.Wrote()
	switch outcome {
	case apply.Stale:
		st.stale = true
	case apply.Repaired:
		r.Repaired(key.Kind)
		r.Recorder.Eventf(st.tenant, nil, corev1.EventTypeWarning, "DriftRepaired", "Apply",
			"%s was changed or removed by somebody else and is as it should be again", key)
	}
	return nil
}

func hostNames(t *v1alpha1.Tenant) []string {
	names := make([]string, len(t.Spec.Namespaces))
	for i, n := range t.Spec.Namespaces {
		names[i] = v1alpha1.NamespaceName(t.Name, n.Name)
	}
	return names
}
