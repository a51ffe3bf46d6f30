package snapshot

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"watertight.dev/watertight/api/v1alpha1"
)

// Object is any Kubernetes object.
type Object interface {
	runtime.Object
	metav1.Object
}

// Kind is a kind that a Snapshot has a field for.
type Kind struct {
	schema.GroupVersionKind
	// Resource is the plural name in URLs.
	Resource string
	// Namespaced is false for cluster-scoped kinds.
	Namespaced bool
	// New makes an empty object of the kind.
	New func() Object
	// replace sets the snapshot's objects of the kind, of lists them, and share gives
	// the second snapshot those of the first.
	replace func(*Snapshot, []Object)
	of      func(*Snapshot) []Object
	share   func(from, to *Snapshot)
}

// Of lists the snapshot's objects of the kind.
func (k Kind) Of(s *Snapshot) []Object { return k.of(s) }

const (
	cluster    = false
	namespaced = true
)

// kindOf ties a kind to its field.
func kindOf[T any, P interface {
	*T
	Object
}](gv schema.GroupVersion, name [2]string, scoped bool, field func(*Snapshot) *[]P) Kind {
	return Kind{
		GroupVersionKind: gv.WithKind(name[0]), Resource: name[1], Namespaced: scoped,
		New: func() Object { return P(new(T)) },
		replace: func(s *Snapshot, objects []Object) {
			typed := make([]P, 0, len(objects))
			for _, o := range objects {
				if t, ok := o.(P); ok {
					typed = append(typed, t)
				}
			}
			*field(s) = typed
		},
		share: func(from, to *Snapshot) { *field(to) = *field(from) },
		of: func(s *Snapshot) []Object {
			objects := make([]Object, 0, len(*field(s)))
			for _, t := range *field(s) {
				objects = append(objects, t)
			}
			return objects
		},
	}
}

// Kinds returns every kind that a Snapshot has a field for, in the order in which they
// are loaded and saved.
func Kinds() []Kind {
	return append(append(ownKinds(), coreKinds()...), append(rbacKinds(), clusterKinds()...)...)
}

func ownKinds() []Kind {
	gv := v1alpha1.GroupVersion
	return []Kind{
		kindOf(gv, [2]string{"Tenant", "tenants"}, cluster, func(s *Snapshot) *[]*v1alpha1.Tenant { return &s.Tenants }),
		kindOf(gv, [2]string{"TenantClass", "tenantclasses"}, cluster, func(s *Snapshot) *[]*v1alpha1.TenantClass { return &s.TenantClasses }),
		kindOf(gv, [2]string{"Guard", "guards"}, namespaced, func(s *Snapshot) *[]*v1alpha1.Guard { return &s.Guards }),
	}
}

func coreKinds() []Kind {
	core, net, disco := corev1.SchemeGroupVersion, networkingv1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion
	return []Kind{
		kindOf(core, [2]string{"Namespace", "namespaces"}, cluster, func(s *Snapshot) *[]*corev1.Namespace { return &s.Namespaces }),
		kindOf(core, [2]string{"Node", "nodes"}, cluster, func(s *Snapshot) *[]*corev1.Node { return &s.Nodes }),
		kindOf(core, [2]string{"Pod", "pods"}, namespaced, func(s *Snapshot) *[]*corev1.Pod { return &s.Pods }),
		kindOf(core, [2]string{"Service", "services"}, namespaced, func(s *Snapshot) *[]*corev1.Service { return &s.Services }),
		kindOf(core, [2]string{"ServiceAccount", "serviceaccounts"}, namespaced, func(s *Snapshot) *[]*corev1.ServiceAccount { return &s.ServiceAccounts }),
		kindOf(core, [2]string{"ResourceQuota", "resourcequotas"}, namespaced, func(s *Snapshot) *[]*corev1.ResourceQuota { return &s.ResourceQuotas }),
		kindOf(core, [2]string{"LimitRange", "limitranges"}, namespaced, func(s *Snapshot) *[]*corev1.LimitRange { return &s.LimitRanges }),
		kindOf(net, [2]string{"NetworkPolicy", "networkpolicies"}, namespaced, func(s *Snapshot) *[]*networkingv1.NetworkPolicy { return &s.NetworkPolicies }),
		kindOf(net, [2]string{"Ingress", "ingresses"}, namespaced, func(s *Snapshot) *[]*networkingv1.Ingress { return &s.Ingresses }),
		kindOf(core, [2]string{"Endpoints", "endpoints"}, namespaced, func(s *Snapshot) *[]*corev1.Endpoints { return &s.Endpoints }), //nolint:staticcheck // see Snapshot
		kindOf(disco, [2]string{"EndpointSlice", "endpointslices"}, namespaced, func(s *Snapshot) *[]*discoveryv1.EndpointSlice { return &s.EndpointSlices }),
		kindOf(net, [2]string{"ServiceCIDR", "servicecidrs"}, cluster, func(s *Snapshot) *[]*networkingv1.ServiceCIDR { return &s.ServiceCIDRs }),
		kindOf(core, [2]string{"PersistentVolume", "persistentvolumes"}, cluster, func(s *Snapshot) *[]*corev1.PersistentVolume { return &s.PersistentVolumes }),
		kindOf(core, [2]string{"PersistentVolumeClaim", "persistentvolumeclaims"}, namespaced, func(s *Snapshot) *[]*corev1.PersistentVolumeClaim { return &s.PersistentVolumeClaims }),
	}
}

func rbacKinds() []Kind {
	gv := rbacv1.SchemeGroupVersion
	return []Kind{
		kindOf(gv, [2]string{"Role", "roles"}, namespaced, func(s *Snapshot) *[]*rbacv1.Role { return &s.Roles }),
		kindOf(gv, [2]string{"ClusterRole", "clusterroles"}, cluster, func(s *Snapshot) *[]*rbacv1.ClusterRole { return &s.ClusterRoles }),
		kindOf(gv, [2]string{"RoleBinding", "rolebindings"}, namespaced, func(s *Snapshot) *[]*rbacv1.RoleBinding { return &s.RoleBindings }),
		kindOf(gv, [2]string{"ClusterRoleBinding", "clusterrolebindings"}, cluster, func(s *Snapshot) *[]*rbacv1.ClusterRoleBinding { return &s.ClusterRoleBindings }),
	}
}

func clusterKinds() []Kind {
	adm := admissionv1.SchemeGroupVersion
	return []Kind{
		kindOf(adm, [2]string{"ValidatingAdmissionPolicy", "validatingadmissionpolicies"}, cluster, func(s *Snapshot) *[]*admissionv1.ValidatingAdmissionPolicy { return &s.Policies }),
		kindOf(adm, [2]string{"ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"}, cluster, func(s *Snapshot) *[]*admissionv1.ValidatingAdmissionPolicyBinding { return &s.PolicyBindings }),
		kindOf(adm, [2]string{"MutatingAdmissionPolicy", "mutatingadmissionpolicies"}, cluster, func(s *Snapshot) *[]*admissionv1.MutatingAdmissionPolicy { return &s.Mutations }),
		kindOf(adm, [2]string{"MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"}, cluster, func(s *Snapshot) *[]*admissionv1.MutatingAdmissionPolicyBinding { return &s.MutationBindings }),
		kindOf(nodev1.SchemeGroupVersion, [2]string{"RuntimeClass", "runtimeclasses"}, cluster, func(s *Snapshot) *[]*nodev1.RuntimeClass { return &s.RuntimeClasses }),
		kindOf(schedulingv1.SchemeGroupVersion, [2]string{"PriorityClass", "priorityclasses"}, cluster, func(s *Snapshot) *[]*schedulingv1.PriorityClass { return &s.PriorityClasses }),
		kindOf(storagev1.SchemeGroupVersion, [2]string{"StorageClass", "storageclasses"}, cluster, func(s *Snapshot) *[]*storagev1.StorageClass { return &s.StorageClasses }),
	}
}
