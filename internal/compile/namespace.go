package compile

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// podSecurityPrefix begins the labels of Pod Security admission (KEP-2579).
const podSecurityPrefix = "pod-security.kubernetes.io/"

// addNamespaces adds the tenant's namespaces, sealed, with Pod Security in force.
func addNamespaces(b *builder) {
	for _, n := range b.Tenant.Spec.Namespaces {
		meta := b.meta("", b.host(n.Name), guarantee.KRN1)
		meta.Labels[v1alpha1.LabelNamespace] = n.Name
		for _, mode := range []string{"enforce", "audit", "warn"} {
			meta.Labels[podSecurityPrefix+mode] = string(b.Class.Spec.Kernel.PodSecurity)
			meta.Labels[podSecurityPrefix+mode+"-version"] = "latest"
		}
		meta.Annotations[v1alpha1.AnnotationTenantUID] = string(b.Tenant.UID)
		b.add(&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: meta,
		})
	}
}

// addServiceAccounts keeps tokens out of pods that do not ask for one: the default
// ServiceAccount of each namespace no longer mounts its token.
func addServiceAccounts(b *builder) {
	no := false
	for _, n := range b.Tenant.Spec.Namespaces {
		b.add(&corev1.ServiceAccount{
			TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta:                   b.meta(b.host(n.Name), "default", guarantee.API3),
			AutomountServiceAccountToken: &no,
		})
	}
}

// ManagesLabel says whether a label or annotation of a namespace is the operator's to
// write: it is Watertight's own, or Pod Security's.
func ManagesLabel(key string) bool {
	return strings.HasPrefix(key, "watertight.dev/") || strings.HasPrefix(key, podSecurityPrefix) || key == v1alpha1.LabelManagedBy
}
