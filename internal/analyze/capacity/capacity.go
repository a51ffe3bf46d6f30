// Package capacity asks whether a tenant stays inside its share: one budget over all its
// namespaces, bounded containers, no preemption, bounded numbers of objects, allowed
// classes only. It sees quotas and specs, not usage.
package capacity

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{guarantee.CAP1, guarantee.CAP2, guarantee.CAP3, guarantee.CAP4, guarantee.CAP5}

var (
	workloadKinds = []string{
		"Tenant", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob",
		"ReplicationController",
	}
	quotaKinds = []string{"Tenant", "TenantClass", "ResourceQuota"}
)

// Analyzer judges CAP-1 to CAP-5.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "capacity", Guarantees: slices.Clone(answered), Run: Run}
}

// judge is what the judgements of one tenant share.
type judge struct {
	snapshot   *snapshot.Snapshot
	tenant     *v1alpha1.Tenant
	class      *v1alpha1.TenantClass
	namespaces []string
	quotas     map[string][]*corev1.ResourceQuota
	limits     map[string][]*corev1.LimitRange
	ledger     *analyze.Ledger
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	quotas, limits := map[string][]*corev1.ResourceQuota{}, map[string][]*corev1.LimitRange{}
	for _, q := range s.ResourceQuotas {
		quotas[q.Namespace] = append(quotas[q.Namespace], q)
	}
	for _, l := range s.LimitRanges {
		limits[l.Namespace] = append(limits[l.Namespace], l)
	}
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := &judge{
			snapshot: s, tenant: t, class: s.ClassOf(t), namespaces: slices.DeleteFunc(slices.Clone(s.NamespacesOf(t.Name)), func(ns string) bool { return !s.Exists(ns) }),
			quotas: quotas, limits: limits, ledger: analyze.NewLedger(s, t.Name),
		}
		j.all()
		findings = append(findings, j.ledger.Close(answered)...)
	}
	return findings
}

func (j *judge) all() {
	j.budget()
	j.counts()
	j.containers()
	if j.class == nil {
		for _, id := range []guarantee.ID{guarantee.CAP1, guarantee.CAP3, guarantee.CAP5} {
			j.ledger.Doubt(id, "ClassNotFound", fmt.Sprintf("TenantClass %s of tenant %s does not exist: create it or correct spec.className", j.tenant.Spec.ClassName, j.tenant.Name),
				analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.className", j.tenant.Spec.ClassName))
		}
	} else {
		j.priorities()
		j.classes()
	}
	j.ledger.NeedsNamespaces(answered)
	j.ledger.Needs([]guarantee.ID{guarantee.CAP1, guarantee.CAP4}, quotaKinds...)
	j.ledger.Needs([]guarantee.ID{guarantee.CAP2}, append([]string{"LimitRange", "ResourceQuota"}, workloadKinds...)...)
	j.ledger.Needs([]guarantee.ID{guarantee.CAP3}, append([]string{"TenantClass", "PriorityClass"}, workloadKinds...)...)
	j.ledger.Needs([]guarantee.ID{guarantee.CAP5}, append([]string{"TenantClass", "PersistentVolumeClaim", "StorageClass", "Ingress"}, workloadKinds...)...)
}

// eachPod calls visit for every pod of the tenant.
func (j *judge) eachPod(visit func(*corev1.Pod)) {
	for _, ns := range j.namespaces {
		for _, p := range j.snapshot.PodsIn(ns) {
			visit(p)
		}
	}
}

// name is how people know a pod: by the workload that makes it, if there is one.
func name(o snapshot.Object) string { return snapshot.KeyOf(o).String() }
