package verify

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
)

// enforcement is, by guarantee, the objects that compile wants for it.
func (v *verification) enforcement(s subject) map[guarantee.ID][]compile.Object {
	out := map[guarantee.ID][]compile.Object{}
	for _, list := range [][]compile.Object{s.objects, v.guards} {
		for _, o := range list {
			for _, id := range strings.Split(o.GetAnnotations()[v1alpha1.AnnotationGuarantees], ",") {
				id := guarantee.ID(strings.TrimSpace(id))
				out[id] = append(out[id], o)
			}
		}
	}
	return out
}

// compiled is whether the objects that enforce a guarantee are there and as compiled.
func (v *verification) compiled(s subject, enforced map[guarantee.ID][]compile.Object, id guarantee.ID) Cell {
	if s.mapped {
		return Cell{Verdict: guarantee.NotPromised, Reason: "no Tenant: nothing is compiled"}
	}
	if s.rejected != nil {
		return unknown("the Tenant is rejected, nothing is compiled: %s", rejection(s.rejected))
	}
	objects := enforced[id]
	switch {
	case len(objects) == 0:
		return unknown("nothing on this cluster enforces it")
	case v.in.AsIfApplied:
		return holding(id, s, "by construction: %d objects enforce it", objects)
	}
	var found []guarantee.Finding
	for _, o := range objects {
		if f := v.compareOne(s, id, o); f != nil {
			found = append(found, *f)
		}
	}
	if id == guarantee.CAP1 {
		found = append(found, v.overBudget(s)...)
	}
	if len(found) == 0 {
		return holding(id, s, "%d objects enforce it, as compiled", objects)
	}
	return cellOf(found)
}

// compareOne compares a compiled object with the cluster's; nil when they agree.
func (v *verification) compareOne(s subject, id guarantee.ID, want compile.Object) *guarantee.Finding {
	ref, key := refOf(want)
	c, ok := v.compared[key]
	if !ok {
		c = v.comparison(want)
		v.compared[key] = c
	}
	if c.verdict == guarantee.Holds {
		return nil
	}
	c.evidence.Object, c.evidence.Source = ref, v.picture.Sources[key]
	return &guarantee.Finding{
		Guarantee: id, Tenant: s.tenant.Name, Verdict: c.verdict, Reason: c.reason, Message: c.message,
		Evidence: []guarantee.Evidence{c.evidence},
	}
}

// comparison is what came of comparing an object, for every guarantee that it enforces
// and, where tenants share it, every tenant.
type comparison struct {
	verdict         guarantee.Verdict
	reason, message string
	evidence        guarantee.Evidence
}

const mendCompiled = "the operator puts it back while it runs; see that it does (kubectl describe tenants)"

func (v *verification) comparison(want compile.Object) comparison {
	ref, key := refOf(want)
	got, ok := v.index[key]
	if !ok {
		for _, p := range v.in.Snapshot.Missing(ref.Kind) {
			return comparison{guarantee.Unknown, "NotRead", fmt.Sprintf("%s could not be compared: %s could not be read (%s)", ref, p.Source, p.Message),
				guarantee.Evidence{Detail: p.Message}}
		}
		return comparison{guarantee.Broken, "Missing", fmt.Sprintf("%s is missing; %s", ref, mendCompiled),
			guarantee.Evidence{Detail: "wanted, and not there"}}
	}
	d, err := compare(want, got)
	switch {
	case err != nil:
		return comparison{guarantee.Unknown, "NotCompared", fmt.Sprintf("%s could not be compared: %v", ref, err), guarantee.Evidence{Detail: err.Error()}}
	case d != nil:
		return comparison{guarantee.Broken, "Differs", fmt.Sprintf("%s differs from what is compiled at %s: %s; %s", ref, d.field, d.detail, mendCompiled),
			guarantee.Evidence{Field: d.field, Detail: d.detail}}
	}
	return comparison{verdict: guarantee.Holds}
}

// overBudget is for quotas, which move between namespaces and so are compared by their
// sum: together they must not exceed the budget.
func (v *verification) overBudget(s subject) []guarantee.Finding {
	sums := map[corev1.ResourceName]resource.Quantity{}
	var evidence []guarantee.Evidence
	for _, o := range s.objects {
		want, ok := o.(*corev1.ResourceQuota)
		if !ok {
			continue
		}
		ref, key := refOf(want)
		got, ok := v.index[key].(*corev1.ResourceQuota)
		if !ok {
			continue // missing, which is found elsewhere
		}
		for name, q := range got.Spec.Hard {
			sum := sums[name]
			sum.Add(q)
			sums[name] = sum
		}
		evidence = append(evidence, guarantee.Evidence{Object: ref, Field: "spec.hard", Detail: "part of the sum", Source: v.picture.Sources[key]})
	}
	var out []guarantee.Finding
	for name, limit := range compile.Budget(s.tenant, s.class) {
		if sum := sums[name]; sum.Cmp(limit) > 0 {
			out = append(out, guarantee.Finding{
				Guarantee: guarantee.CAP1, Tenant: s.tenant.Name, Verdict: guarantee.Broken, Reason: "SumOverBudget",
				Message:  fmt.Sprintf("the quotas of the tenant's namespaces add up to %s of %s, more than its budget of %s; lower spec.hard of one of them", sum.String(), name, limit.String()),
				Evidence: evidence,
			})
		}
	}
	return out
}

// holding is a cell that names the objects that enforce a guarantee.
func holding(id guarantee.ID, s subject, reason string, objects []compile.Object) Cell {
	f := guarantee.Finding{
		Guarantee: id, Tenant: s.tenant.Name, Verdict: guarantee.Holds, Reason: "Enforced",
		Message: fmt.Sprintf(reason, len(objects)),
	}
	for _, o := range objects {
		ref, _ := refOf(o)
		f.Evidence = append(f.Evidence, guarantee.Evidence{Object: ref, Detail: "enforces " + string(id)})
	}
	return Cell{Verdict: guarantee.Holds, Findings: []guarantee.Finding{f}}
}
