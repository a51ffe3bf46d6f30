package compile

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// addGuards adds the parameters of the admission policies to each namespace.
func addGuards(b *builder) {
	for _, n := range b.Tenant.Spec.Namespaces {
		meta := b.meta(b.host(n.Name), v1alpha1.GuardName,
			guarantee.NET2, guarantee.NET5, guarantee.KRN2, guarantee.KRN4, guarantee.KRN5,
			guarantee.GPU2, guarantee.CAP3, guarantee.CAP5)
		meta.Finalizers = []string{v1alpha1.GuardFinalizer}
		b.add(&v1alpha1.Guard{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Guard"},
			ObjectMeta: meta,
			Spec:       b.guardSpec(n.Name),
		})
	}
}

func (b *builder) guardSpec(namespace string) v1alpha1.GuardSpec {
	class := b.Class.Spec
	spec := v1alpha1.GuardSpec{
		Tenant:           b.Tenant.Name,
		OwnerAccounts:    ownerAccounts(b.Tenant),
		RuntimeClassName: RuntimeClassName(class.Kernel),
		NodeSelector:     map[string]string{},
		Tolerations:      append([]corev1.Toleration{}, class.Kernel.Nodes.Tolerations...),
		Registries:       sorted(class.Kernel.Registries),
		PriorityClasses:  sorted(class.Capacity.PriorityClasses),
		StorageClasses:   sorted(class.Capacity.StorageClasses),
		ServiceTypes:     []string{},
		Hostnames:        []string{},
		IngressClasses:   sorted(class.Network.IngressClasses),
		EgressCIDRs:      b.openCIDRs(namespace),
	}
	for k, v := range class.Kernel.Nodes.Selector {
		spec.NodeSelector[k] = v
	}
	for _, t := range serviceTypes(class.Network) {
		spec.ServiceTypes = append(spec.ServiceTypes, string(t))
	}
	for _, h := range class.Network.Hostnames {
		spec.Hostnames = append(spec.Hostnames, strings.ReplaceAll(h, "{tenant}", b.Tenant.Name))
	}
	slices.Sort(spec.Hostnames)
	spec.Hostnames = slices.Compact(spec.Hostnames)
	if d := b.Capabilities.DefaultPriorityClass; d != "" && !slices.Contains(spec.PriorityClasses, d) {
		spec.PriorityClasses = append(spec.PriorityClasses, d)
	}
	return spec
}

// openCIDRs are the blocks that the tenant's flows already open to every pod of the
// namespace, on every port and without exception: the only ones that the tenant's own
// NetworkPolicies may name, since naming them opens nothing new.
func (b *builder) openCIDRs(namespace string) []string {
	out := []string{}
	for _, f := range b.Tenant.Spec.Network.Flows {
		whole := len(f.Ports) == 0 && len(exceptCluster(b.Input, f.To)) == 0 && len(f.From.Pods) == 0
		if f.From.Tenant == "" && f.From.Namespace == namespace && f.To.CIDR != "" && whole {
			out = append(out, f.To.CIDR)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// serviceTypes are the Service types of a class; ClusterIP where it names none.
func serviceTypes(n v1alpha1.NetworkClass) []corev1.ServiceType {
	if len(n.ServiceTypes) == 0 {
		return []corev1.ServiceType{corev1.ServiceTypeClusterIP}
	}
	types := slices.Clone(n.ServiceTypes)
	slices.Sort(types)
	return slices.Compact(types)
}

// sorted is a sorted copy, empty rather than nil: the Guard's lists are all required.
func sorted(in []string) []string {
	out := append([]string{}, in...)
	slices.Sort(out)
	return slices.Compact(out)
}

// ownerAccounts are the usernames of the owners that are ServiceAccounts.
func ownerAccounts(t *v1alpha1.Tenant) []string {
	out := []string{}
	for _, o := range t.Spec.Owners {
		if o.Kind == rbacv1.ServiceAccountKind {
			out = append(out, "system:serviceaccount:"+o.Namespace+":"+o.Name)
		}
	}
	return sorted(out)
}
