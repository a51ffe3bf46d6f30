package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Guard holds what the admission policies of a tenant's namespace compare requests
// with. The operator writes one, named "watertight", into each guarded namespace; the
// policies refuse everything there while it is missing, and refuse everyone else's
// writes to it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'watertight'",message="metadata.name must be watertight: a namespace has one Guard"
type Guard struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec GuardSpec `json:"spec"`
}

// GuardList is a list of Guards.
//
// +kubebuilder:object:root=true
type GuardList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Guard `json:"items"`
}

// GuardSpec is one tenant's data for the guard policies. Every list is an allow-list.
type GuardSpec struct {
	// Tenant is the tenant's name.
	// +kubebuilder:validation:MaxLength=63
	Tenant string `json:"tenant"`
	// OwnerAccounts are the usernames of owners that are ServiceAccounts.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=340
	// +listType=set
	OwnerAccounts []string `json:"ownerAccounts"`
	// RuntimeClassName every pod must have; empty: none may be named.
	// +kubebuilder:validation:MaxLength=63
	RuntimeClassName string `json:"runtimeClassName"`
	// NodeSelector every pod must carry.
	// +kubebuilder:validation:MaxProperties=8
	NodeSelector map[string]string `json:"nodeSelector"`
	// Tolerations a pod may carry.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations"`
	// Registries are image prefixes; empty allows every registry.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Registries []string `json:"registries"`
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	PriorityClasses []string `json:"priorityClasses"`
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	StorageClasses []string `json:"storageClasses"`
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:MaxLength=16
	// +listType=set
	ServiceTypes []string `json:"serviceTypes"`
	// Hostnames with the tenant's name filled in.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	Hostnames []string `json:"hostnames"`
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	IngressClasses []string `json:"ingressClasses"`
	// EgressCIDRs that a tenant's own NetworkPolicies may name: those of its flows.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=43
	// +listType=set
	EgressCIDRs []string `json:"egressCIDRs"`
}
