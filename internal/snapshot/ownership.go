package snapshot

import (
	"cmp"
	"fmt"
	"slices"

	"watertight.dev/watertight/api/v1alpha1"
)

// Drift is a namespace on which the record (the Tenants) and the label differ, or on
// which two records differ. Guards and policies select by label, so a drifted
// namespace is one they miss, or one they take for somebody else's.
type Drift struct {
	Namespace string
	// Tenant that the drift is about.
	Tenant string
	// Label is the tenant that the namespace's label names, if any.
	Label string
	// Message says what differs.
	Message string
}

// owners is the record: namespace → tenant.
type owners struct {
	tenant map[string]string
	of     map[string][]string
	drift  []Drift
}

// record reads who owns which namespace out of the Tenants, never out of labels. Where
// two Tenants name one namespace, the one whose status lists it owns it, else the
// older, else the first by name.
func record(s *Snapshot) owners {
	o := owners{tenant: map[string]string{}, of: map[string][]string{}}
	tenants := slices.Clone(s.Tenants)
	slices.SortStableFunc(tenants, func(a, b *v1alpha1.Tenant) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for _, t := range tenants {
		for _, ns := range t.Status.Namespaces {
			o.claim(t.Name, ns)
		}
	}
	for _, t := range tenants {
		for _, ns := range t.Spec.Namespaces {
			o.claim(t.Name, v1alpha1.NamespaceName(t.Name, ns.Name))
		}
	}
	for _, list := range o.of {
		slices.Sort(list)
	}
	o.compare(s)
	if s.mapped != nil {
		o.drift = append(o.drift, s.mapped.drift...)
	}
	return o
}

// claim gives the namespace to the tenant unless another has it.
func (o *owners) claim(tenant, namespace string) {
	switch owner := o.tenant[namespace]; owner {
	case "":
		o.tenant[namespace] = tenant
		o.of[tenant] = append(o.of[tenant], namespace)
	case tenant:
	default:
		o.drift = append(o.drift, Drift{Namespace: namespace, Tenant: tenant, Message: fmt.Sprintf(
			"Tenants %s and %s both name namespace %s; it belongs to %s: rename it in one of them", owner, tenant, namespace, owner)})
	}
}

// compare sets labels against the record. A mapped tenant has no guards that would look
// for the label.
func (o *owners) compare(s *Snapshot) {
	for _, ns := range s.Namespaces {
		owner, label := o.tenant[ns.Name], ns.Labels[v1alpha1.LabelTenant]
		if owner == label || label == "" && s.IsMapped(owner) {
			continue
		}
		d := Drift{Namespace: ns.Name, Tenant: cmp.Or(owner, label), Label: label}
		switch {
		case owner == "":
			d.Message = fmt.Sprintf("namespace %s carries the label of tenant %s, which does not own it: remove the label %s", ns.Name, label, v1alpha1.LabelTenant)
		case label == "":
			d.Message = fmt.Sprintf("namespace %s belongs to tenant %s and lacks the label %s: guards do not see it", ns.Name, owner, v1alpha1.LabelTenant)
		default:
			d.Message = fmt.Sprintf("namespace %s belongs to tenant %s and carries the label of %s: correct the label %s", ns.Name, owner, label, v1alpha1.LabelTenant)
		}
		o.drift = append(o.drift, d)
	}
}
