package v1alpha1

// The names below are part of the API: users, policies and other tools select by them.
const (
	// LabelTenant names the tenant that a managed object or namespace belongs to.
	// It is derived from the operator's record; guard policies keep everyone but
	// the operator from writing it.
	LabelTenant = "watertight.dev/tenant"
	// LabelNamespace is the name of a namespace inside its tenant ("frontend").
	LabelNamespace = "watertight.dev/namespace"
	// LabelUnsealed on a namespace lifts the seal: without it no pod can be created there.
	LabelUnsealed = "watertight.dev/unsealed"
	// LabelRetained marks a namespace whose tenant is gone and whose data was kept: it
	// stays sealed and guarded, and whoever may delete namespaces may delete it.
	LabelRetained = "watertight.dev/retained"
	// LabelManagedBy, with the value ManagedBy, marks every object of the operator.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy and the field manager of every apply.
	ManagedBy = "watertight"
	// AnnotationTenantUID is the UID of the Tenant that created or adopted a namespace.
	AnnotationTenantUID = "watertight.dev/tenant-uid"
	// AnnotationGuarantees lists the guarantees (comma-separated IDs) that an object enforces.
	AnnotationGuarantees = "watertight.dev/guarantees"
	// AnnotationConfirmDelete on a Tenant, with the tenant's name as value, confirms
	// that its persistent data may be deleted.
	AnnotationConfirmDelete = "watertight.dev/confirm-delete"
	// Finalizer keeps a Tenant until its workloads and namespaces are gone.
	Finalizer = "watertight.dev/teardown"
	// GuardFinalizer keeps a Guard in a namespace that is being deleted until nothing is
	// left there that its policies judge: they refuse even harmless writes without it.
	GuardFinalizer = "watertight.dev/guarding"
	// SystemNamespace is where the operator, its credentials and the owners'
	// ServiceAccounts live.
	SystemNamespace = "watertight-system"
	// OperatorUser is the exact username that the guards exempt by default.
	OperatorUser = "system:serviceaccount:" + SystemNamespace + ":watertight-operator"
	// GuardName is the name of the one Guard in each guarded namespace.
	GuardName = "watertight"
)

// NamespaceName is the cluster-wide name of a tenant's namespace ("acme-frontend").
func NamespaceName(tenant, namespace string) string { return tenant + "-" + namespace }

// OwnerServiceAccount is the name, in SystemNamespace, of the ServiceAccount that
// carries a tenant owner's rights for "watertight kubeconfig".
func OwnerServiceAccount(tenant string) string { return "owner-" + tenant }
