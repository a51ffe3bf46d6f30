package tenant

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/apply"
)

// grants says whether an object gives rights; all others take some away or bound them.
func grants(o client.Object) bool {
	switch o.(type) {
	case *rbacv1.RoleBinding, *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding:
		return true
	}
	return o.GetNamespace() == v1alpha1.SystemNamespace // the owners' ServiceAccount
}

// applyRestrictions brings everything but namespaces, quotas and grants into place.
func (r *Reconciler) applyRestrictions(ctx context.Context, st *state) error {
	for _, o := range st.desired {
		switch o.(type) {
		case *corev1.Namespace, *corev1.ResourceQuota:
			continue
		}
		if grants(o) {
			continue
		}
		if err := r.apply(ctx, st, o); err != nil {
			return err
		}
	}
	return nil
}

// applyGrants lets the owners in, now that their bounds are there.
func (r *Reconciler) applyGrants(ctx context.Context, st *state) error {
	for _, o := range st.desired {
		if !grants(o) {
			continue
		}
		if err := r.apply(ctx, st, o); err != nil {
			return err
		}
	}
	st.complete = true
	return nil
}

// prune removes what the tenant was once compiled into and no longer is.
func (r *Reconciler) prune(ctx context.Context, st *state) error {
	wanted := map[apply.Key]bool{}
	for _, o := range st.desired {
		key, err := r.Writer.KeyOf(o)
		if err != nil {
			return err
		}
		wanted[key] = true
	}
	kept := map[string]bool{v1alpha1.SystemNamespace: true, "": true}
	for _, name := range hostNames(st.tenant) {
		kept[name] = true
	}
	for key, live := range st.live {
		// Namespaces that left the spec are retired with everything in them.
		if _, isNamespace := live.(*corev1.Namespace); isNamespace || wanted[key] || !kept[key.Namespace] {
			continue
		}
		if err := r.Writer.Delete(ctx, live); err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		r.Writer.Ledger.Forget(key)
	}
	return nil
}
