// Package snapshot is an immutable picture of a cluster, or of a folder of manifests,
// for the analyzers: typed objects, who owns which namespace, and what could not be
// read. It judges nothing; snapshot/load fills it.
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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/api/v1alpha1"
)

// Snapshot is the picture. Nobody changes it, nor the objects it points to, once it is
// loaded. Pods include those that workloads in a folder would create.
type Snapshot struct {
	Tenants       []*v1alpha1.Tenant
	TenantClasses []*v1alpha1.TenantClass
	Guards        []*v1alpha1.Guard

	Namespaces      []*corev1.Namespace
	Nodes           []*corev1.Node
	Pods            []*corev1.Pod
	Services        []*corev1.Service
	ServiceAccounts []*corev1.ServiceAccount
	ResourceQuotas  []*corev1.ResourceQuota
	LimitRanges     []*corev1.LimitRange
	NetworkPolicies []*networkingv1.NetworkPolicy
	Ingresses       []*networkingv1.Ingress
	ServiceCIDRs    []*networkingv1.ServiceCIDR

	Roles               []*rbacv1.Role
	ClusterRoles        []*rbacv1.ClusterRole
	RoleBindings        []*rbacv1.RoleBinding
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding

	Policies         []*admissionv1.ValidatingAdmissionPolicy
	PolicyBindings   []*admissionv1.ValidatingAdmissionPolicyBinding
	Mutations        []*admissionv1.MutatingAdmissionPolicy
	MutationBindings []*admissionv1.MutatingAdmissionPolicyBinding
	RuntimeClasses   []*nodev1.RuntimeClass
	PriorityClasses  []*schedulingv1.PriorityClass
	StorageClasses   []*storagev1.StorageClass

	PersistentVolumes      []*corev1.PersistentVolume
	PersistentVolumeClaims []*corev1.PersistentVolumeClaim
	Endpoints              []*corev1.Endpoints //nolint:staticcheck // deprecated, and still a road round policies
	EndpointSlices         []*discoveryv1.EndpointSlice

	// Workloads are the pod templates of a folder's Deployments, Jobs and the like.
	Workloads []*Workload

	// Others are objects of kinds that have no field of their own.
	Others []*unstructured.Unstructured

	// Problems are what could not be read; a verdict that would need it is unknown.
	Problems []Problem

	// Sources maps an object to the file and document it was read from.
	Sources map[ObjectKey]string

	// Origin says where the picture was taken.
	Origin Origin

	// NetworkPlugin is the network plugin that enforces policies, where somebody said so;
	// "" leaves it to what is seen.
	NetworkPlugin string

	// mapped is where a mapping says who owns what; nil where there is none.
	mapped *mapped

	index lazyIndex
}

// Origin is where a snapshot was taken.
type Origin string

// The origins. What stands in a folder is meant to be applied; what is missing from a
// live picture is missing from the cluster.
const (
	OriginFolder Origin = ""
	OriginLive   Origin = "live"
)

// ObjectKey names an object.
type ObjectKey struct {
	Group, Kind, Namespace, Name string
}

// Problem is something that could not be read.
type Problem struct {
	// Source is a file and document ("shop.yaml#3") or an API resource ("pods").
	Source string `json:"source"`
	// Kind is the kind that is missing because of it, where that is known.
	Kind string `json:"kind,omitempty"`
	// Message says why and, where there is one, the fix.
	Message string `json:"message"`
	// Stray marks what is no Kubernetes object at all, or none that counts, so that no
	// verdict depends on it.
	Stray bool `json:"stray,omitempty"`
}
