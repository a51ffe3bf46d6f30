package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TenantClass says how strong every boundary of its tenants is and what they may
// use. The platform writes it, as it writes StorageClasses; tenants never do.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=tc,categories=watertight
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Control plane",type=string,JSONPath=`.spec.controlPlane.mode`
// +kubebuilder:printcolumn:name="Sandbox",type=string,JSONPath=`.spec.kernel.sandbox`
// +kubebuilder:printcolumn:name="Pod security",type=string,JSONPath=`.spec.kernel.podSecurity`
// +kubebuilder:printcolumn:name="Floor",type=string,JSONPath=`.spec.network.floor`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must be at most 63 characters: it becomes a label value; choose a shorter name"
type TenantClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:default={}
	Spec TenantClassSpec `json:"spec,omitempty"`
}

// TenantClassList is a list of TenantClasses.
//
// +kubebuilder:object:root=true
type TenantClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TenantClass `json:"items"`
}

// TenantClassSpec has a part per boundary.
type TenantClassSpec struct {
	// Description tells platform users when to choose this class.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Description string `json:"description,omitempty"`
	// ControlPlane says whose API server tenants talk to.
	// +kubebuilder:default={}
	ControlPlane ControlPlaneClass `json:"controlPlane,omitempty"`
	// Kernel says what separates tenants' pods on a node.
	// +kubebuilder:default={}
	Kernel KernelClass `json:"kernel,omitempty"`
	// Network says how the floor is laid and where shared services live.
	// +kubebuilder:default={}
	Network NetworkClass `json:"network,omitempty"`
	// Device says how accelerators may be used.
	// +kubebuilder:default={}
	Device DeviceClass `json:"device,omitempty"`
	// Identity says how workloads prove who they are.
	// +kubebuilder:default={}
	Identity IdentityClass `json:"identity,omitempty"`
	// Capacity bounds what a tenant of this class may ask for.
	// +kubebuilder:default={}
	Capacity CapacityClass `json:"capacity,omitempty"`
}

// ControlPlaneMode is whose API server a tenant talks to.
// +kubebuilder:validation:Enum=Shared;Virtual;Dedicated
type ControlPlaneMode string

// The control plane modes.
const (
	ControlPlaneShared    ControlPlaneMode = "Shared"
	ControlPlaneVirtual   ControlPlaneMode = "Virtual"
	ControlPlaneDedicated ControlPlaneMode = "Dedicated"
)

// ControlPlaneClass is the api boundary of a class.
type ControlPlaneClass struct {
	// +kubebuilder:default=Shared
	Mode ControlPlaneMode `json:"mode,omitempty"`
	// Versions are the Kubernetes minor versions ("1.37") a virtual control plane may have.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=16
	// +kubebuilder:validation:items:Pattern=`^1\.[0-9]{1,3}$`
	// +listType=set
	// +optional
	Versions []string `json:"versions,omitempty"`
}

// Sandbox is what stands between a pod and the node's kernel.
// +kubebuilder:validation:Enum=None;GVisor;Kata;Firecracker
type Sandbox string

// The sandboxes.
const (
	SandboxNone        Sandbox = "None"
	SandboxGVisor      Sandbox = "GVisor"
	SandboxKata        Sandbox = "Kata"
	SandboxFirecracker Sandbox = "Firecracker"
)

// PodSecurityLevel is a Pod Security Standard (KEP-2579).
// +kubebuilder:validation:Enum=restricted;baseline;privileged
type PodSecurityLevel string

// The Pod Security Standards.
const (
	PodSecurityRestricted PodSecurityLevel = "restricted"
	PodSecurityBaseline   PodSecurityLevel = "baseline"
	PodSecurityPrivileged PodSecurityLevel = "privileged"
)

// KernelClass is the kernel boundary of a class.
type KernelClass struct {
	// +kubebuilder:default=None
	Sandbox Sandbox `json:"sandbox,omitempty"`
	// RuntimeClassName is the RuntimeClass of the sandbox; by default gvisor, kata or
	// firecracker after the sandbox. Must be empty when sandbox is None.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	RuntimeClassName string `json:"runtimeClassName,omitempty"`
	// PodSecurity is enforced, audited and warned about in every namespace.
	// +kubebuilder:default=restricted
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty"`
	// Nodes says on which nodes the tenants' pods may run.
	// +kubebuilder:default={}
	Nodes NodePool `json:"nodes,omitempty"`
	// Registries are the image prefixes tenants may use, each ending where a path
	// segment ends ("ghcr.io/acme"). Empty allows every registry.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?$`
	// +listType=set
	// +optional
	Registries []string `json:"registries,omitempty"`
}

// NodePool selects nodes and says which taints a pod may tolerate.
type NodePool struct {
	// Selector is put on (and demanded of) every pod's nodeSelector.
	// +kubebuilder:validation:MaxProperties=8
	// +optional
	Selector map[string]string `json:"selector,omitempty"`
	// Tolerations a pod may carry, besides those for node.kubernetes.io/ conditions.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
}

// Floor is how the network floor that tenants cannot reopen is laid.
// +kubebuilder:validation:Enum=Auto;Guard;ClusterNetworkPolicy
type Floor string

// The floors. Guard is the admission policy on tenants' NetworkPolicies, always on;
// ClusterNetworkPolicy adds Deny rules in the Admin tier; Auto adds the strongest deny
// that the cluster's engine was seen to enforce.
const (
	FloorAuto                 Floor = "Auto"
	FloorGuard                Floor = "Guard"
	FloorClusterNetworkPolicy Floor = "ClusterNetworkPolicy"
)

// NetworkClass is the network boundary of a class.
type NetworkClass struct {
	// +kubebuilder:default=Auto
	Floor Floor `json:"floor,omitempty"`
	// DNS selects the resolver's pods that tenants may ask, on port 53 and, for
	// resolvers that listen elsewhere, dnsPorts. Empty: kube-dns in kube-system.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	DNS []PeerSelector `json:"dns,omitempty"`
	// DNSPorts the resolver's pods listen on.
	// +kubebuilder:default={53}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	// +listType=set
	DNSPorts []int32 `json:"dnsPorts,omitempty"`
	// IngressFrom selects the ingress controllers' pods: what a flow's
	// "from: {ingress: true}" means.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	IngressFrom []PeerSelector `json:"ingressFrom,omitempty"`
	// Hostnames a tenant may claim in Ingresses and Gateway routes. "*.acme.example"
	// allows every name below it; "{tenant}" stands for the tenant's name. Empty: none.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?|\{tenant\})(\.([a-z0-9]([a-z0-9-]*[a-z0-9])?|\{tenant\}))*$`
	// +listType=set
	// +optional
	Hostnames []string `json:"hostnames,omitempty"`
	// IngressClasses a tenant may name. Empty: none.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	IngressClasses []string `json:"ingressClasses,omitempty"`
	// ServiceTypes a tenant may create.
	// +kubebuilder:default={ClusterIP}
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:Enum=ClusterIP;NodePort;LoadBalancer
	// +listType=set
	ServiceTypes []corev1.ServiceType `json:"serviceTypes,omitempty"`
	// EgressCIDRs bound the CIDRs that tenants' flows may lead to. Empty: any CIDR
	// that is not a metadata, loopback or link-local address.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(c, isCIDR(c))",message="network.egressCIDRs must be CIDRs such as 203.0.113.0/24"
	// +listType=set
	// +optional
	EgressCIDRs []string `json:"egressCIDRs,omitempty"`
}

// PeerSelector selects pods by the name of their namespace and their labels.
type PeerSelector struct {
	// Namespace is the exact name of the namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// Pods are labels the pods carry. Empty: every pod of the namespace.
	// +kubebuilder:validation:MaxProperties=8
	// +optional
	Pods map[string]string `json:"pods,omitempty"`
}

// GPU is how accelerators may be shared.
// +kubebuilder:validation:Enum=None;Passthrough;Proxied;MIG;VGPU
type GPU string

// GPUNone keeps accelerators out of the class.
const GPUNone GPU = "None"

// DeviceClass is the device boundary of a class.
type DeviceClass struct {
	// +kubebuilder:default=None
	GPU GPU `json:"gpu,omitempty"`
}

// Mesh is the service mesh that gives workloads their identity.
// +kubebuilder:validation:Enum=None;Istio;Linkerd
type Mesh string

// MeshNone leaves workloads without a mesh identity.
const MeshNone Mesh = "None"

// IdentityClass is the identity boundary of a class.
type IdentityClass struct {
	// +kubebuilder:default=None
	Mesh Mesh `json:"mesh,omitempty"`
}

// CapacityClass is the capacity boundary of a class.
type CapacityClass struct {
	// Max bounds the budget of each tenant, resource by resource. A resource it does
	// not name cannot be asked for.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Max corev1.ResourceList `json:"max,omitempty"`
	// ContainerDefault are the limits of a container that names none
	// (requests are a quarter of them for cpu, the same for the rest). What it does not
	// name is cpu 500m, memory 256Mi, ephemeral-storage 1Gi.
	// +kubebuilder:validation:MaxProperties=8
	// +optional
	ContainerDefault corev1.ResourceList `json:"containerDefault,omitempty"`
	// StorageClasses a tenant's claims may name. Empty: none.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	StorageClasses []string `json:"storageClasses,omitempty"`
	// PriorityClasses a tenant's pods may name. Empty: only the cluster's default.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	PriorityClasses []string `json:"priorityClasses,omitempty"`
}
