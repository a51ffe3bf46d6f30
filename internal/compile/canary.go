package compile

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
)

// The canary namespaces are like a tenant's, and nobody's: the guards are tried there with
// dry-runs. No pod can ever run in them, since the quota of the first is zero and the
// second stays sealed.
const (
	CanaryNamespace       = "watertight-canary"
	CanarySealedNamespace = "watertight-canary-sealed"
)

// canaryUser is the canary's username; it counts as an owner, so that it is judged as one.
const canaryUser = "system:serviceaccount:" + v1alpha1.SystemNamespace + ":" + CanaryName

// Canary is what the operator keeps for trying the guards: two guarded namespaces, and an
// identity with an owner's rights there, so that a guard's refusal is told from a missing
// right.
func Canary() []Object {
	var out []Object
	for _, name := range []string{CanaryNamespace, CanarySealedNamespace} {
		out = append(out, canaryNamespace(name), canaryGuard(name),
			&corev1.ResourceQuota{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
				ObjectMeta: objectMeta(CanaryName, name, QuotaName),
				Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("0")}},
			},
			&rbacv1.RoleBinding{
				TypeMeta:   rbacType("RoleBinding"),
				ObjectMeta: objectMeta(CanaryName, name, CanaryName),
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: CanaryRole},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: CanaryName}},
			})
	}
	return out
}

func canaryNamespace(name string) *corev1.Namespace {
	ns := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: objectMeta(CanaryName, "", name)}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		ns.Labels[podSecurityPrefix+mode] = string(v1alpha1.PodSecurityRestricted)
		ns.Labels[podSecurityPrefix+mode+"-version"] = "latest"
	}
	if name == CanaryNamespace {
		ns.Labels[v1alpha1.LabelUnsealed] = "true"
	}
	return ns
}

func canaryGuard(namespace string) *v1alpha1.Guard {
	return &v1alpha1.Guard{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Guard"},
		ObjectMeta: objectMeta(CanaryName, namespace, v1alpha1.GuardName),
		Spec: v1alpha1.GuardSpec{
			Tenant: CanaryName, OwnerAccounts: []string{canaryUser}, NodeSelector: map[string]string{}, Tolerations: []corev1.Toleration{},
			Registries: []string{}, PriorityClasses: []string{}, StorageClasses: []string{"watertight-canary"},
			ServiceTypes: []string{string(corev1.ServiceTypeClusterIP)}, Hostnames: []string{"canary.invalid"},
			IngressClasses: []string{"watertight-canary"}, EgressCIDRs: []string{},
		},
	}
}
