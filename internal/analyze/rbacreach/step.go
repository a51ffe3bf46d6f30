package rbacreach

import "watertight.dev/watertight/internal/guarantee"

// lead says what a step takes, out of the namespace that its rights hold in (or the
// whole cluster) and the names that they are restricted to.
type lead int

const (
	// leadNone is a step that world.go adds itself.
	leadNone lead = iota
	leadSecrets
	leadAccounts
	leadUsers
	leadGroups
	leadRoles
	leadClusterRoles
	leadClusterRolesEverywhere
	leadAnyRole
	leadNamespace
	leadWorkloads
	leadNode
	leadVolumes
	leadSigner
	leadTenants
	leadCluster
)

// step is a way from one place to the next: whoever holds all rights of By, where they
// overlap, takes what To says.
type step struct {
	// ID is stable; where a danger has the same one, they are about the same right.
	ID string
	By []rightID
	To lead
	// Weak steps need more than what is seen.
	Weak bool
	// Guarantee that the step breaks between tenants.
	Guarantee guarantee.ID
	// Effect is what the holder does, in words.
	Effect string
	// Fix removes the step.
	Fix string
	// Reference is where it is documented.
	Reference string
}

const (
	fixRule   = "take the right out of the role, or delete the binding"
	auth      = "kubernetes.io/docs/reference/access-authn-authz"
	admission = "kubernetes.io/docs/reference/access-authn-authz/admission-controllers"
)

// steps are the rules of the closure. A right to write roles or bindings alone is none:
// the API server lets nobody hand out more than he holds.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
var steps = []step{
	{ID: "SecretsRead", By: []rightID{readSecrets}, To: leadSecrets, Guarantee: guarantee.API3,
		Effect: "reads the Secrets", Fix: fixRule, Reference: practices + "#listing-secrets"},
	{ID: "TokenSecretCreate", By: []rightID{createSecrets, readSecrets}, To: leadAccounts, Guarantee: guarantee.API3,
		Effect: "creates a Secret that a token of any ServiceAccount is written into, and reads it", Fix: "take either create or read on secrets away",
		Reference: "kubernetes.io/docs/concepts/configuration/secret#serviceaccount-token-secrets"},
	{ID: "TokenRequest", By: []rightID{requestTokens}, To: leadAccounts, Guarantee: guarantee.API3,
		Effect: "requests a token", Fix: fixRule, Reference: practices + "#token-request"},
	{ID: "Impersonate", By: []rightID{impersonateAccounts}, To: leadAccounts, Guarantee: guarantee.API3,
		Effect: "impersonates it", Fix: fixRule, Reference: practices + "#impersonate-verb"},
	{ID: "Impersonate", By: []rightID{impersonateUsers}, To: leadUsers, Guarantee: guarantee.API3,
		Effect: "impersonates it", Fix: fixRule, Reference: practices + "#impersonate-verb"},
	// Impersonate-Group is refused without Impersonate-User.
	{ID: "Impersonate", By: []rightID{impersonateGroups, impersonateUsers}, To: leadGroups, Guarantee: guarantee.API3,
		Effect: "impersonates a member of it", Fix: fixRule, Reference: auth + "/user-impersonation"},
	{ID: "Impersonate", By: []rightID{impersonateGroups, impersonateAccounts}, To: leadGroups, Guarantee: guarantee.API3,
		Effect: "impersonates a member of it", Fix: fixRule, Reference: auth + "/user-impersonation"},
	{ID: "Bind", By: []rightID{bindRoles, writeRoleBindings}, To: leadRoles, Guarantee: guarantee.API3,
		Effect: "binds itself to a role that it does not have", Fix: fixRule, Reference: practices + "#bind-verb"},
	{ID: "Bind", By: []rightID{bindClusterRoles, writeRoleBindings}, To: leadClusterRoles, Guarantee: guarantee.API3,
		Effect: "binds itself to a role that it does not have", Fix: fixRule, Reference: practices + "#bind-verb"},
	{ID: "Bind", By: []rightID{bindClusterRoles, writeClusterRoleBindings}, To: leadClusterRolesEverywhere, Guarantee: guarantee.API3,
		Effect: "binds itself to a role that it does not have", Fix: fixRule, Reference: practices + "#bind-verb"},
	{ID: "Escalate", By: []rightID{escalateRoles, writeRoles}, To: leadAnyRole, Guarantee: guarantee.API3,
		Effect: "writes rights that it does not have into a role", Fix: fixRule, Reference: practices + "#escalate-verb"},
	{ID: "Escalate", By: []rightID{escalateClusterRoles, writeClusterRoles}, To: leadCluster, Guarantee: guarantee.API3,
		Effect: "writes rights that it does not have into a ClusterRole", Fix: fixRule, Reference: practices + "#escalate-verb"},
	{ID: "PodsCreate", By: []rightID{createPods}, To: leadNamespace, Guarantee: guarantee.API3,
		Effect: "creates pods", Fix: fixRule, Reference: practices + "#workload-creation"},
	{ID: "PodsCreate", By: []rightID{writeControllers}, To: leadNamespace, Guarantee: guarantee.API3,
		Effect: "creates pods by a ReplicationController", Fix: fixRule, Reference: practices + "#workload-creation"},
	{ID: "WorkloadsCreate", By: []rightID{writeTemplates}, To: leadNamespace, Guarantee: guarantee.API3,
		Effect: "creates pods by a workload's template", Fix: fixRule, Reference: practices + "#workload-creation"},
	{ID: "WorkloadsCreate", By: []rightID{createJobs}, To: leadNamespace, Guarantee: guarantee.API3,
		Effect: "creates pods by a Job", Fix: fixRule, Reference: practices + "#workload-creation"},
	{ID: "WorkloadsCreate", By: []rightID{writeCronJobs}, To: leadNamespace, Guarantee: guarantee.API3,
		Effect: "creates pods by a CronJob", Fix: fixRule, Reference: practices + "#workload-creation"},
	{ID: "PodsPatch", By: []rightID{patchPods}, To: leadWorkloads, Guarantee: guarantee.API3,
		Effect: "puts an image of its own into the pod", Fix: fixRule, Reference: "kubernetes.io/docs/concepts/workloads/pods#pod-update-and-replacement"},
	// get is enough over a WebSocket where the API server does not ask for create as well (before 1.35).
	{ID: "PodsExec", By: []rightID{execPods}, To: leadWorkloads, Guarantee: guarantee.API3,
		Effect: "runs commands in the pod", Fix: fixRule, Reference: "ATT&CK T1609, KEP-4006"},
	{ID: "PodsConnect", By: []rightID{connectPods}, To: leadWorkloads, Weak: true, Guarantee: guarantee.NET1,
		Effect: "talks to the pod's ports past every policy", Fix: fixRule, Reference: "ATT&CK T1609"},
	{ID: "EphemeralContainers", By: []rightID{addContainers}, To: leadWorkloads, Guarantee: guarantee.API3,
		Effect: "adds a container to the pod", Fix: fixRule, Reference: "KEP-277"},
	{ID: "NodesProxy", By: []rightID{proxyNodes}, To: leadNode, Guarantee: guarantee.API3,
		Effect: "runs commands in every pod of the node, past admission and audit", Fix: "grant nodes/metrics, nodes/log or nodes/stats instead",
		Reference: practices + "#access-to-proxy-subresource-of-nodes, KEP-2862"},
	{ID: "NodesWrite", By: []rightID{writeNodes}, To: leadNode, Weak: true, Guarantee: guarantee.API3,
		Effect: "draws others' pods, with their tokens, to a node of its choice, once it holds one", Fix: fixRule, Reference: practices + "#privilege-escalation-risks"},
	{ID: "CSRApprove", By: []rightID{approveSigners, approveRequests, createRequests}, To: leadSigner, Guarantee: guarantee.API3,
		Effect: "issues itself a client certificate of any user", Fix: fixRule, Reference: practices + "#csrs-and-certificate-issuing"},
	{ID: "PersistentVolumesWrite", By: []rightID{writeVolumes}, To: leadNode, Guarantee: guarantee.KRN4,
		Effect: "makes a volume out of any path of a node", Fix: fixRule, Reference: practices + "#persistent-volume-creation"},
	{ID: "ClaimsCreate", By: []rightID{createClaims}, To: leadVolumes, Weak: true, Guarantee: guarantee.KRN4,
		Effect: "claims a volume that is a path of a node", Fix: "delete the volume, or set its claimRef", Reference: "kubernetes.io/docs/concepts/storage/persistent-volumes#binding"},
	{ID: "APIServicesWrite", By: []rightID{writeAPIServices}, To: leadCluster, Guarantee: guarantee.API3,
		Effect: "answers others' requests, and takes their tokens", Fix: fixRule, Reference: "kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer"},
	{ID: "AdmissionWrite", By: []rightID{writeWebhooks}, To: leadCluster, Guarantee: guarantee.API3,
		Effect: "reads and changes every object on its way into the cluster", Fix: fixRule, Reference: practices + "#control-admission-webhooks"},
	{ID: "PoliciesWrite", By: []rightID{writePolicies}, To: leadCluster, Weak: true, Guarantee: guarantee.API4,
		Effect: "switches guards off", Fix: fixRule, Reference: admission},
	{ID: "CRDWrite", By: []rightID{writeCRDs}, To: leadCluster, Weak: true, Guarantee: guarantee.API4,
		Effect: "converts others' custom objects by a webhook of its own", Fix: fixRule, Reference: "kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning#webhook-conversion"},
	{ID: "NamespaceWrite", By: []rightID{writeNamespaces, createPods}, To: leadNode, Weak: true, Guarantee: guarantee.KRN1,
		Effect: "takes the Pod Security labels off a namespace, and creates a privileged pod there", Fix: fixRule, Reference: practices + "#namespace-modification"},
	{ID: "BindingCreate", By: []rightID{placePods}, To: leadNode, Weak: true, Guarantee: guarantee.KRN5,
		Effect: "puts its pods on any node, past the scheduler", Fix: fixRule, Reference: "kubernetes.io/docs/reference/kubernetes-api/workload-resources/binding-v1"},
	{ID: "TenantsWrite", By: []rightID{writeTenants}, To: leadTenants, Guarantee: guarantee.API4,
		Effect: "makes itself an owner", Fix: fixRule, Reference: "ARCHITECTURE.md: the tenant cannot undo it"},
}

// The steps that no rule gives.
var (
	stepSuperUser = &step{ID: "SuperUser", Guarantee: guarantee.API3,
		Effect: "may do everything", Fix: "take the credentials back, and never use them day by day", Reference: auth + "/rbac#user-facing-roles"}
	stepKubeSystem = &step{ID: "KubeSystem", Guarantee: guarantee.API3,
		Effect: "holds the controllers' ServiceAccounts, one of which writes ClusterRoles with any right", Fix: "grant nothing in kube-system or the whole cluster",
		Reference: auth + "/rbac#controller-roles"}
	stepMember = &step{ID: "MemberOf", Guarantee: guarantee.API3,
		Effect: "is a member", Fix: "bind single ServiceAccounts instead of the group", Reference: auth + "/service-accounts-admin"}
	stepRunAs = &step{ID: "RunAs", Guarantee: guarantee.API3,
		Effect: "runs a pod as it", Fix: "take rights from the ServiceAccount, or move it to a namespace of its own", Reference: practices + "#workload-creation"}
	stepMountSecrets = &step{ID: "MountSecrets", Guarantee: guarantee.API1,
		Effect: "runs a pod that mounts them", Fix: "move the Secrets to a namespace of their own", Reference: practices + "#workload-creation"}
	stepTokenSecret = &step{ID: "TokenSecret", Guarantee: guarantee.API3,
		Effect: "finds its token among the Secrets", Fix: "delete the Secret and request tokens that expire", Reference: "kubernetes.io/docs/concepts/configuration/secret#serviceaccount-token-secrets"}
	stepTokenMaybe = &step{ID: "TokenSecretUnseen", Weak: true, Guarantee: guarantee.API3,
		Effect: "may find its token among the Secrets, which are not seen", Fix: "delete Secrets of type kubernetes.io/service-account-token", Reference: "kubernetes.io/docs/concepts/configuration/secret#serviceaccount-token-secrets"}
	stepToken = &step{ID: "MountedToken", Guarantee: guarantee.API3,
		Effect: "finds its token mounted in the pod", Fix: "set automountServiceAccountToken: false", Reference: "kubernetes.io/docs/tasks/configure-pod-container/configure-service-account, CIS 5.1.6"}
	stepForeignToken = &step{ID: "MountedTokenOfOtherAudience", Weak: true, Guarantee: guarantee.API3,
		Effect: "finds its token, made for another audience, mounted in the pod", Fix: "remove the projected volume", Reference: "kubernetes.io/docs/concepts/storage/projected-volumes#serviceaccounttoken"}
	stepTokenVolume = &step{ID: "MountedTokenSecret", Guarantee: guarantee.API3,
		Effect: "finds the Secret with its token mounted in the pod", Fix: "remove the volume or variable, and request tokens that expire", Reference: "kubernetes.io/docs/concepts/configuration/secret#serviceaccount-token-secrets"}
	stepKubelet = &step{ID: "NodeIdentity", Guarantee: guarantee.API3,
		Effect: "acts as its kubelet, and reads what its pods may", Fix: "remove the binding", Reference: auth + "/node"}
)
