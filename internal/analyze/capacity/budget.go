package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// bound is what a namespace's quotas let it have of a resource.
type bound struct {
	quota *corev1.ResourceQuota
	field string
	hard  resource.Quantity
}

// aliases are the other names under which a quota bounds the same thing.
var aliases = map[corev1.ResourceName]corev1.ResourceName{
	"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage",
	"count/pods": "pods", "count/services": "services", "count/secrets": "secrets",
	"count/configmaps": "configmaps", "count/persistentvolumeclaims": "persistentvolumeclaims",
	"count/replicationcontrollers": "replicationcontrollers", "count/resourcequotas": "resourcequotas",
}

func canonical(r corev1.ResourceName) corev1.ResourceName {
	return cmp.Or(aliases[r], r)
}

// boundOf is the tightest bound that the quotas of a namespace put on a resource. A
// quota with scopes bounds some pods only, and does not count. While a change is under
// way the quota in force is status.hard, so the larger of both counts.
func (j *judge) boundOf(namespace string, r corev1.ResourceName) (bound, bool) {
	var tightest bound
	found := false
	for _, q := range j.quotas[namespace] {
		if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
			continue
		}
		for named, hard := range q.Spec.Hard {
			if canonical(named) != r {
				continue
			}
			if inForce, ok := q.Status.Hard[named]; ok && inForce.Cmp(hard) > 0 {
				hard = inForce
			}
			if !found || hard.Cmp(tightest.hard) < 0 {
				tightest, found = bound{q, fmt.Sprintf("spec.hard[%s]", named), hard}, true
			}
		}
	}
	return tightest, found
}

// leastBudget is what must be bounded where a Tenant names no budget.
var leastBudget = []corev1.ResourceName{"requests.cpu", "requests.memory", "pods"}

// budget judges CAP-1: every budgeted resource is bounded in every namespace, the sum
// stays within the tenant's budget, and the budget within the class's maximum.
func (j *judge) budget() {
	asked := corev1.ResourceList{}
	for r, q := range j.tenant.Spec.Capacity {
		asked[canonical(r)] = q
	}
	resources := slices.Sorted(maps.Keys(asked))
	if len(resources) == 0 {
		resources = leastBudget
	}
	j.bounded(resources)
	for _, r := range resources {
		limit, ok := asked[r]
		if !ok && j.class != nil {
			limit, ok = j.class.Spec.Capacity.Max[r]
		}
		if ok {
			j.sum(r, limit)
		}
	}
	j.classMaximum()
	j.ledger.Hold(guarantee.CAP1, "WithinBudget", fmt.Sprintf("the ResourceQuotas of its %d namespaces add up to no more than its budget, for each of %d resources", len(j.namespaces), len(resources)),
		j.quotaEvidence()...)
}

// bounded names the namespaces in which a budgeted resource has no bound.
func (j *judge) bounded(resources []corev1.ResourceName) {
	if !j.ledger.Complete("ResourceQuota") {
		return
	}
	for _, ns := range j.namespaces {
		var missing []string
		for _, r := range resources {
			if _, ok := j.boundOf(ns, r); !ok {
				missing = append(missing, string(r))
			}
		}
		switch quotas := j.quotas[ns]; {
		case len(missing) == 0:
		case len(quotas) == 0:
			j.ledger.Break(guarantee.CAP1, "QuotaMissing", fmt.Sprintf("namespace %s has no ResourceQuota: what runs there is outside the tenant's budget; add one", ns),
				analyze.AboutNamespace(j.snapshot, ns, "has no ResourceQuota"))
		default:
			j.ledger.Break(guarantee.CAP1, "QuotaIncomplete", fmt.Sprintf("no ResourceQuota in namespace %s bounds %s: add them to spec.hard", ns, strings.Join(missing, ", ")),
				analyze.About(j.snapshot, quotas[0], "spec.hard", "does not name "+strings.Join(missing, ", ")))
		}
	}
}

// sum holds the quotas of all namespaces against one budget.
func (j *judge) sum(r corev1.ResourceName, budget resource.Quantity) {
	var total resource.Quantity
	var evidence []guarantee.Evidence
	for _, ns := range j.namespaces {
		if b, ok := j.boundOf(ns, r); ok {
			total.Add(b.hard)
			evidence = append(evidence, analyze.About(j.snapshot, b.quota, b.field, "allows "+b.hard.String()))
		}
	}
	if total.Cmp(budget) <= 0 {
		return
	}
	evidence = append(evidence, analyze.AboutTenant(j.snapshot, j.tenant.Name, fmt.Sprintf("spec.capacity[%s]", r), "the budget is "+budget.String()))
	j.ledger.Break(guarantee.CAP1, "OverBudget", fmt.Sprintf("the quotas of tenant %s allow %s of %s together, and its budget is %s: lower spec.hard in one of them", j.tenant.Name, total.String(), r, budget.String()), evidence...)
}

// classMaximum holds the budget against the class.
func (j *judge) classMaximum() {
	if j.class == nil || len(j.class.Spec.Capacity.Max) == 0 {
		return
	}
	for _, r := range slices.Sorted(maps.Keys(j.tenant.Spec.Capacity)) {
		asked := j.tenant.Spec.Capacity[r]
		limit, ok := j.class.Spec.Capacity.Max[r]
		if ok && asked.Cmp(limit) <= 0 {
			continue
		}
		why := fmt.Sprintf("class %s gives at most %s", j.class.Name, limit.String())
		if !ok {
			why = fmt.Sprintf("class %s does not offer it", j.class.Name)
		}
		j.ledger.Break(guarantee.CAP1, "BudgetAboveClass", fmt.Sprintf("tenant %s asks for %s of %s, and %s: lower spec.capacity[%s]", j.tenant.Name, asked.String(), r, why, r),
			analyze.AboutTenant(j.snapshot, j.tenant.Name, fmt.Sprintf("spec.capacity[%s]", r), "is "+asked.String()))
	}
}

// counted are the objects whose number must be bounded.
var counted = []corev1.ResourceName{"pods", "services", "secrets", "configmaps"}

// counts judges CAP-4.
func (j *judge) counts() {
	for _, ns := range j.namespaces {
		var missing []string
		for _, r := range counted {
			if _, ok := j.boundOf(ns, r); !ok {
				missing = append(missing, string(r))
			}
		}
		if len(missing) == 0 || !j.ledger.Complete("ResourceQuota") {
			continue
		}
		about := analyze.AboutNamespace(j.snapshot, ns, "has no ResourceQuota")
		if quotas := j.quotas[ns]; len(quotas) > 0 {
			about = analyze.About(j.snapshot, quotas[0], "spec.hard", "does not name "+strings.Join(missing, ", "))
		}
		j.ledger.Break(guarantee.CAP4, "CountUnbounded", fmt.Sprintf("no ResourceQuota in namespace %s bounds the number of %s: add them to spec.hard", ns, strings.Join(missing, ", ")), about)
	}
	j.ledger.Hold(guarantee.CAP4, "CountsBounded", fmt.Sprintf("quotas bound the number of pods, services, secrets and configmaps in each of its %d namespaces", len(j.namespaces)),
		j.quotaEvidence()...)
}

// quotaEvidence names the quotas, the first few of them.
func (j *judge) quotaEvidence() []guarantee.Evidence {
	const most = 8
	var out []guarantee.Evidence
	for _, ns := range j.namespaces {
		for _, q := range j.quotas[ns] {
			if len(out) < most {
				out = append(out, analyze.About(j.snapshot, q, "spec.hard", fmt.Sprintf("bounds %d resources", len(q.Spec.Hard))))
			}
		}
	}
	return out
}
