package compile

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// QuotaName is the name of the ResourceQuota in each namespace.
const QuotaName = "watertight-budget"

// defaultBudget bounds what a tenant does not ask for, so that no tenant is without a
// budget: compute and storage of a small team, and the number of its objects.
var defaultBudget = corev1.ResourceList{
	"requests.cpu":                               resource.MustParse("4"),
	"limits.cpu":                                 resource.MustParse("8"),
	"requests.memory":                            resource.MustParse("8Gi"),
	"limits.memory":                              resource.MustParse("16Gi"),
	"requests.ephemeral-storage":                 resource.MustParse("20Gi"),
	"limits.ephemeral-storage":                   resource.MustParse("40Gi"),
	"requests.storage":                           resource.MustParse("100Gi"),
	"pods":                                       resource.MustParse("100"),
	"services":                                   resource.MustParse("50"),
	"secrets":                                    resource.MustParse("200"),
	"configmaps":                                 resource.MustParse("200"),
	"persistentvolumeclaims":                     resource.MustParse("50"),
	"count/jobs.batch":                           resource.MustParse("200"),
	"count/cronjobs.batch":                       resource.MustParse("50"),
	"count/deployments.apps":                     resource.MustParse("100"),
	"count/statefulsets.apps":                    resource.MustParse("50"),
	"count/replicasets.apps":                     resource.MustParse("500"),
	"count/ingresses.networking.k8s.io":          resource.MustParse("50"),
	"count/networkpolicies.networking.k8s.io":    resource.MustParse("300"),
	"count/pods":                                 resource.MustParse("1k"), // those that have ended, too
	"count/serviceaccounts":                      resource.MustParse("200"),
	"count/daemonsets.apps":                      resource.MustParse("50"),
	"count/controllerrevisions.apps":             resource.MustParse("1k"),
	"count/horizontalpodautoscalers.autoscaling": resource.MustParse("100"),
	"count/poddisruptionbudgets.policy":          resource.MustParse("100"),
	"services.nodeports":                         resource.MustParse("0"),
	"services.loadbalancers":                     resource.MustParse("0"),
}

// defaultContainer are the limits of a container that names none.
var defaultContainer = corev1.ResourceList{
	corev1.ResourceCPU:              resource.MustParse("500m"),
	corev1.ResourceMemory:           resource.MustParse("256Mi"),
	corev1.ResourceEphemeralStorage: resource.MustParse("1Gi"),
}

// minContainer keeps limits of zero out, which mean no limit at all.
var minContainer = corev1.ResourceList{
	corev1.ResourceCPU:              resource.MustParse("1m"),
	corev1.ResourceMemory:           resource.MustParse("1Mi"),
	corev1.ResourceEphemeralStorage: resource.MustParse("1Mi"),
}

// Budget is what bounds the tenant: what it asks for and, for the rest, a default that
// stays within the class's maximum.
func Budget(t *v1alpha1.Tenant, class *v1alpha1.TenantClass) corev1.ResourceList {
	out := corev1.ResourceList{}
	for name, q := range defaultBudget {
		if limit, ok := class.Spec.Capacity.Max[name]; ok && limit.Cmp(q) < 0 {
			q = limit
		}
		out[name] = q
	}
	types := serviceTypes(class.Spec.Network)
	if slices.Contains(types, corev1.ServiceTypeNodePort) {
		delete(out, "services.nodeports")
	}
	if slices.Contains(types, corev1.ServiceTypeLoadBalancer) {
		delete(out, "services.nodeports")
		delete(out, "services.loadbalancers")
	}
	maps.Copy(out, t.Spec.Capacity)
	return out
}

// addCapacity adds a ResourceQuota and a LimitRange to each namespace.
func addCapacity(b *builder) {
	shares := b.Quotas
	if shares == nil {
		shares = Split(Budget(b.Tenant, b.Class), namespaceNames(b.Tenant))
	}
	for _, n := range b.Tenant.Spec.Namespaces {
		b.add(&corev1.ResourceQuota{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
			ObjectMeta: b.meta(b.host(n.Name), QuotaName, guarantee.CAP1, guarantee.CAP4, guarantee.API7),
			Spec:       corev1.ResourceQuotaSpec{Hard: shares[n.Name]},
		})
		b.add(&corev1.LimitRange{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"},
			ObjectMeta: b.meta(b.host(n.Name), "watertight-limits", guarantee.CAP2),
			Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{containerLimits(b.Class.Spec.Capacity)}},
		})
	}
}

// containerLimits are the defaults of a container: the class's limits, the same for
// requests but cpu, of which a quarter is requested.
func containerLimits(c v1alpha1.CapacityClass) corev1.LimitRangeItem {
	limits := maps.Clone(defaultContainer)
	maps.Copy(limits, c.ContainerDefault)
	requests := maps.Clone(limits)
	cpu := limits[corev1.ResourceCPU]
	requests[corev1.ResourceCPU] = *resource.NewMilliQuantity(max(1, cpu.MilliValue()/4), resource.DecimalSI)
	return corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Min: maps.Clone(minContainer), Default: limits, DefaultRequest: requests}
}

func namespaceNames(t *v1alpha1.Tenant) []string {
	names := make([]string, len(t.Spec.Namespaces))
	for i, n := range t.Spec.Namespaces {
		names[i] = n.Name
	}
	return names
}
