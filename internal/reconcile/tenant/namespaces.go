package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"watertight.dev/watertight/api/v1alpha1"
)

// ensureNamespaces makes the tenant's namespaces, sealed. The first write of a namespace
// is a Create, so that one which exists already is never taken over by accident.
func (r *Reconciler) ensureNamespaces(ctx context.Context, st *state) error {
	for _, o := range st.desired {
		ns, ok := o.(*corev1.Namespace)
		if !ok {
			continue
		}
		live := st.namespace[ns.Name]
		if live == nil {
			if err := r.createNamespace(ctx, st, ns); err != nil {
				return err
			}
			continue
		}
		if !live.DeletionTimestamp.IsZero() {
			return &stop{reason: "NamespaceTerminating", message: fmt.Sprintf("namespace %q is being deleted; it is made anew once it is gone", ns.Name), again: pollDelay}
		}
		if v, ok := live.Labels[v1alpha1.LabelUnsealed]; ok { // the seal is unseal's business
			ns = ns.DeepCopy()
			ns.Labels[v1alpha1.LabelUnsealed] = v
		}
		if err := r.apply(ctx, st, ns); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) createNamespace(ctx context.Context, st *state, ns *corev1.Namespace) error {
	err := r.Writer.Create(ctx, ns)
	if !apierrors.IsAlreadyExists(err) {
		if err != nil {
			return fmt.Errorf("create namespace %s: %w", ns.Name, err)
		}
		return nil
	}
	var found corev1.Namespace
	if err := r.Live.Get(ctx, types.NamespacedName{Name: ns.Name}, &found); err != nil {
		return fmt.Errorf("get namespace %s: %w", ns.Name, err)
	}
	if st.owns(&found) { // made by an earlier reconcile that the cache does not show yet
		st.stale = true
		st.namespace[found.Name] = &found
		return nil
	}
	return r.adopt(ctx, st, ns, &found)
}

// adopt takes over a namespace that exists, if the tenant asks for it and nobody else
// has it.
func (r *Reconciler) adopt(ctx context.Context, st *state, ns, found *corev1.Namespace) error {
	i := slices.IndexFunc(st.tenant.Spec.Namespaces, func(n v1alpha1.TenantNamespace) bool {
		return v1alpha1.NamespaceName(st.tenant.Name, n.Name) == ns.Name
	})
	field := fmt.Sprintf("spec.namespaces[%d]", i)
	owner := found.Labels[v1alpha1.LabelTenant]
	switch {
	case !found.DeletionTimestamp.IsZero():
		return &stop{reason: "NamespaceTerminating", message: fmt.Sprintf("namespace %q is being deleted; it is made anew once it is gone", ns.Name), again: pollDelay}
	case owner != "" && owner != st.tenant.Name:
		return &stop{reason: "NamespaceConflict", again: conflictDelay,
			message: fmt.Sprintf("%s.name: namespace %q belongs to tenant %q; choose another name", field, ns.Name, owner)}
	case i < 0 || !st.tenant.Spec.Namespaces[i].Adopt:
		return &stop{reason: "NamespaceExists", again: conflictDelay,
			message: fmt.Sprintf("%s.name: namespace %q exists already and was not made for this tenant; "+
				"set %s.adopt to true to take it over, or choose another name", field, ns.Name, field)}
	}
	// A namespace with our labels was guarded all along: only the operator writes them.
	if owner == "" {
		if err := r.auditAdoption(ctx, ns.Name, field); err != nil {
			return err
		}
	}
	if _, err := r.Writer.Apply(ctx, ns, nil); err != nil {
		return err
	}
	r.Recorder.Eventf(st.tenant, nil, corev1.EventTypeNormal, "NamespaceAdopted", "Adopt", "namespace %s was adopted", ns.Name)
	return nil
}

// auditAdoption refuses a namespace that holds what the guards would have refused, since
// policies are not retroactive: grants to others, running pods, ways in. Labels on them
// count for nothing; whoever had the namespace could write them.
func (r *Reconciler) auditAdoption(ctx context.Context, namespace, field string) error {
	var found []string
	for _, q := range adoptionQuestions() {
		n, err := r.count(ctx, q.list, namespace)
		if err != nil {
			return fmt.Errorf("audit namespace %s: %w", namespace, err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, q.what))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &stop{reason: "AdoptionBlocked", again: conflictDelay, message: fmt.Sprintf(
		"%s.adopt: namespace %q holds %s, which no guard has judged; remove them, let it be adopted, and create them anew",
		field, namespace, strings.Join(found, ", "))}
}
