package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tenant asks for an isolated share of the cluster: a class, owners, namespaces, the
// traffic it needs and a budget.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=tn,categories=watertight
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.className`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Sealed",type=boolean,JSONPath=`.status.sealed`
// +kubebuilder:printcolumn:name="Holds",type=integer,JSONPath=`.status.guarantees.holds`
// +kubebuilder:printcolumn:name="Broken",type=integer,JSONPath=`.status.guarantees.broken`
// +kubebuilder:printcolumn:name="Unknown",type=integer,JSONPath=`.status.guarantees.unknown`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$')",message="metadata.name must be 1 to 30 lower-case letters, digits or dashes, starting with a letter and ending with a letter or digit: it becomes a prefix of namespace names; choose such a name"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.matches('^(kube|openshift|watertight|default|system)(-.*)?$')",message="metadata.name must not be or start with a reserved prefix (kube, openshift, watertight, default, system); choose another name"
type Tenant struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec TenantSpec `json:"spec"`
	// +optional
	Status TenantStatus `json:"status,omitempty"`
}

// TenantList is a list of Tenants.
//
// +kubebuilder:object:root=true
type TenantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Tenant `json:"items"`
}

// DeletionPolicy says what becomes of a tenant's namespaces and data when the Tenant
// is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

// The deletion policies. Retain stops the workloads and keeps the namespaces sealed,
// with their data. Delete removes the namespaces; where they hold persistent volume
// claims it waits for the annotation watertight.dev/confirm-delete.
const (
	DeletionRetain DeletionPolicy = "Retain"
	DeletionDelete DeletionPolicy = "Delete"
)

// TenantSpec is what a platform engineer asks for.
type TenantSpec struct {
	// ClassName is the TenantClass that says how strong every boundary is.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ClassName string `json:"className"`
	// ControlPlane chooses among what the class offers.
	// +optional
	ControlPlane *TenantControlPlane `json:"controlPlane,omitempty"`
	// Owners may deploy into the tenant's namespaces and read this Tenant.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Owners []Owner `json:"owners,omitempty"`
	// Namespaces become TENANT-NAME in the cluster.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Namespaces []TenantNamespace `json:"namespaces"`
	// Network is the traffic the tenant needs; everything else is denied.
	// +kubebuilder:default={}
	// +optional
	Network TenantNetwork `json:"network,omitempty"`
	// Capacity is one budget over all namespaces, by the names that ResourceQuota
	// uses (requests.cpu, limits.memory, pods, count/jobs.batch, …).
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Capacity corev1.ResourceList `json:"capacity,omitempty"`
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// TenantControlPlane is a tenant's choice among its class's control planes.
type TenantControlPlane struct {
	// Version is one of the class's versions.
	// +kubebuilder:validation:Pattern=`^1\.[0-9]{1,3}$`
	// +kubebuilder:validation:MaxLength=16
	// +optional
	Version string `json:"version,omitempty"`
}

// Owner is a user, group or ServiceAccount.
//
// +kubebuilder:validation:XValidation:rule="(self.kind == 'ServiceAccount') == has(self.namespace)",message="owners[].namespace is needed for kind ServiceAccount and only there; add or remove it"
// +kubebuilder:validation:XValidation:rule="!self.name.startsWith('system:')",message="owners[].name must not start with system: (such users and groups are Kubernetes' own, and would hand the tenant to every caller or component); name a user or group of yours"
type Owner struct {
	// +kubebuilder:validation:Enum=User;Group;ServiceAccount
	Kind string `json:"kind"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of a ServiceAccount.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// TenantNamespace is one namespace of a tenant.
type TenantNamespace struct {
	// Name inside the tenant ("frontend").
	// +kubebuilder:validation:MaxLength=30
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	Name string `json:"name"`
	// Adopt takes over an existing namespace of that full name. What is in it is
	// audited first; policies are not retroactive.
	// +optional
	Adopt bool `json:"adopt,omitempty"`
}

// TenantNetwork is the traffic of a tenant.
type TenantNetwork struct {
	// Flows are allowed, in the direction they name; they add up.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Flows []Flow `json:"flows,omitempty"`
}

// Flow allows connections from one end to another. One end at least is a namespace of
// this tenant. Where the other end is a foreign tenant, the flow opens nothing until
// that tenant declares its half too.
//
// +kubebuilder:validation:XValidation:rule="has(self.from.namespace) && !has(self.from.tenant) || has(self.to.namespace) && !has(self.to.tenant)",message="flows[]: from or to must be a namespace of this tenant; set from.namespace or to.namespace (without tenant)"
// +kubebuilder:validation:XValidation:rule="!has(self.to.ingress) || !self.to.ingress",message="flows[].to.ingress is not possible: ingress controllers are a source; use from: {ingress: true}"
type Flow struct {
	From FlowEnd `json:"from"`
	To   FlowEnd `json:"to"`
	// Ports of the destination. Empty: every port.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Ports []FlowPort `json:"ports,omitempty"`
}

// FlowEnd is one of: a namespace of this tenant (namespace, pods), a foreign tenant
// (tenant, with namespace and pods to narrow it), an IP block (cidr, except), or the
// class's ingress controllers (ingress).
//
// +kubebuilder:validation:XValidation:rule="(has(self.cidr) ? 1 : 0) + (has(self.ingress) && self.ingress ? 1 : 0) + (has(self.tenant) || has(self.namespace) ? 1 : 0) == 1",message="flows[].from and .to must each be exactly one of: namespace, tenant, cidr, ingress: true; set one and remove the others"
// +kubebuilder:validation:XValidation:rule="!has(self.pods) || has(self.namespace) || has(self.tenant)",message="flows[].pods selects pods of a namespace or tenant; add namespace or remove pods"
// +kubebuilder:validation:XValidation:rule="!has(self.except) || has(self.cidr)",message="flows[].except is part of a cidr; add cidr or remove except"
// +kubebuilder:validation:XValidation:rule="!has(self.cidr) || isCIDR(self.cidr)",message="flows[].cidr must be a CIDR such as 203.0.113.0/24"
// +kubebuilder:validation:XValidation:rule="!has(self.except) || !has(self.cidr) || !isCIDR(self.cidr) || self.except.all(e, isCIDR(e) && cidr(self.cidr).containsCIDR(e))",message="flows[].except must be CIDRs inside flows[].cidr"
type FlowEnd struct {
	// Namespace by its name inside the tenant.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=30
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Pods are labels the pods carry. Empty: every pod.
	// +kubebuilder:validation:MaxProperties=8
	// +optional
	Pods map[string]string `json:"pods,omitempty"`
	// Tenant is another tenant's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=30
	// +optional
	Tenant string `json:"tenant,omitempty"`
	// CIDR is an IPv4 or IPv6 block outside the cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=43
	// +optional
	CIDR string `json:"cidr,omitempty"`
	// Except are blocks inside cidr that stay closed.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=43
	// +listType=set
	// +optional
	Except []string `json:"except,omitempty"`
	// Ingress stands for the ingress controllers that the class names.
	// +optional
	Ingress bool `json:"ingress,omitempty"`
}

// FlowPort is a port or a range of ports.
//
// +kubebuilder:validation:XValidation:rule="!has(self.endPort) || self.endPort >= self.port",message="flows[].ports[].endPort must not be below port; swap them"
type FlowPort struct {
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// EndPort makes it a range, both ends included.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	EndPort *int32 `json:"endPort,omitempty"`
	// +kubebuilder:validation:Enum=TCP;UDP;SCTP
	// +kubebuilder:default=TCP
	Protocol corev1.Protocol `json:"protocol,omitempty"`
}

// TenantPhase sums up a tenant's conditions in a word.
type TenantPhase string

// The phases.
const (
	PhasePending  TenantPhase = "Pending"
	PhaseReady    TenantPhase = "Ready"
	PhaseDegraded TenantPhase = "Degraded"
	PhaseDeleting TenantPhase = "Deleting"
)

// Condition types of a Tenant: Accepted, Sealed before used, one per boundary, Ready.
const (
	ConditionAccepted = "Accepted"
	ConditionReady    = "Ready"
	ConditionAPI      = "APIIsolated"
	ConditionNetwork  = "NetworkIsolated"
	ConditionKernel   = "KernelIsolated"
	ConditionDevice   = "DeviceIsolated"
	ConditionCapacity = "CapacityBounded"
	ConditionIdentity = "IdentityProven"
	ConditionDeleting = "Deleting"
)

// TenantStatus is what the operator did and saw.
type TenantStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	Phase TenantPhase `json:"phase,omitempty"`
	// Sealed is true while no pod can be created in the tenant's namespaces.
	// +optional
	Sealed bool `json:"sealed"`
	// Message is the message of the condition that decides the phase.
	// +optional
	Message string `json:"message,omitempty"`
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Namespaces that belong to the tenant: the operator's record.
	// +listType=set
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`
	// Guarantees counts the verdicts of the last verification.
	// +optional
	Guarantees *GuaranteeCount `json:"guarantees,omitempty"`
	// VerifiedAt is when the guarantees were last verified.
	// +optional
	VerifiedAt *metav1.Time `json:"verifiedAt,omitempty"`
}

// GuaranteeCount counts verdicts.
type GuaranteeCount struct {
	Holds   int32 `json:"holds"`
	Broken  int32 `json:"broken"`
	Unknown int32 `json:"unknown"`
}
