package guarantee

import "slices"

// The guarantees that code refers to by name.
const (
	API1 ID = "API-1"
	API2 ID = "API-2"
	API3 ID = "API-3"
	API4 ID = "API-4"
	API5 ID = "API-5"
	API6 ID = "API-6"
	API7 ID = "API-7"
	NET1 ID = "NET-1"
	NET2 ID = "NET-2"
	NET3 ID = "NET-3"
	NET4 ID = "NET-4"
	NET5 ID = "NET-5"
	NET6 ID = "NET-6"
	NET7 ID = "NET-7"
	NET8 ID = "NET-8"
	NET9 ID = "NET-9"
	KRN1 ID = "KRN-1"
	KRN2 ID = "KRN-2"
	KRN3 ID = "KRN-3"
	KRN4 ID = "KRN-4"
	KRN5 ID = "KRN-5"
	GPU1 ID = "GPU-1"
	GPU2 ID = "GPU-2"
	GPU3 ID = "GPU-3"
	GPU4 ID = "GPU-4"
	CAP1 ID = "CAP-1"
	CAP2 ID = "CAP-2"
	CAP3 ID = "CAP-3"
	CAP4 ID = "CAP-4"
	CAP5 ID = "CAP-5"
	IDN1 ID = "IDN-1"
	IDN2 ID = "IDN-2"
	IDN3 ID = "IDN-3"
)

// catalog is every guarantee, in the order of reports.
var catalog = []Guarantee{
	{API1, API, "no identity of the tenant can read another tenant's objects", []string{"ATT&CK T1552.007", "OWASP K03", "kubectl-mtb block_access_to_other_tenant_resources"}},
	{API2, API, "no identity of the tenant can write another tenant's or cluster-wide objects", []string{"ATT&CK T1098.006", "OWASP K03", "kubectl-mtb block_access_to_cluster_resources"}},
	{API3, API, "no identity of the tenant can gain a right outside its own namespaces", []string{"ATT&CK T1078.004", "CIS 5.1.8", "kubernetes.io RBAC good practices"}},
	{API4, API, "the tenant cannot weaken its own guards", []string{"kubectl-mtb block_modify_resource_quota", "OWASP K04"}},
	{API5, API, "no controller with wider rights acts on what the tenant writes", []string{"ATT&CK T1610", "OWASP K03"}},
	{API6, API, "the tenant has an API server of its own", []string{"kubernetes.io multi-tenancy: control plane isolation"}},
	{API7, API, "the tenant cannot starve the API server", []string{"KEP-1040", "ATT&CK T1499"}},
	{NET1, Network, "no packet from a tenant's pod reaches another tenant's pod unless both declare it", []string{"ATT&CK T1046", "CIS 5.3.2", "NSA/CISA: network separation"}},
	{NET2, Network, "no way round the policy through Services, node ports, external IPs, ingress or gateway hostnames", []string{"CVE-2020-8554", "kubectl-mtb block_use_of_nodeport_services"}},
	{NET3, Network, "between the tenant's namespaces only the declared flows are open", []string{"CIS 5.3.2", "NIST SP 800-204"}},
	{NET4, Network, "egress is open only as declared, and never to metadata addresses", []string{"ATT&CK T1552.005", "ATT&CK T1041"}},
	{NET5, Network, "the tenant cannot reopen the network floor", []string{"kubernetes.io NetworkPolicy: policies are additive"}},
	{NET6, Network, "the tenant cannot reach the ports of nodes and kubelets", []string{"ATT&CK T1613", "CIS 4.2.1"}},
	{NET7, Network, "DNS does not list neighbours", []string{"ATT&CK T1018"}},
	{NET8, Network, "no one-sided allow stands that a future policy would complete", []string{"kubernetes.io NetworkPolicy: both sides must allow"}},
	{NET9, Network, "a pod's first packet meets the same policy as its thousandth", []string{"kubernetes.io NetworkPolicy: pod lifecycle"}},
	{KRN1, Kernel, "no pod leaves the class's Pod Security level", []string{"KEP-2579", "CIS 5.2.1", "kubectl-mtb block_privileged_containers"}},
	{KRN2, Kernel, "every pod runs behind the class's sandbox", []string{"KEP-585", "NSA/CISA: hardened runtimes"}},
	{KRN3, Kernel, "the boundary seen from inside a pod is the declared one", []string{"ATT&CK T1611"}},
	{KRN4, Kernel, "no host path is reachable by another road (volumes, CSI, local storage)", []string{"ATT&CK T1611", "kubectl-mtb block_use_of_host_path"}},
	{KRN5, Kernel, "nodes are shared only as the class says", []string{"kubernetes.io multi-tenancy: node isolation"}},
	{GPU1, Device, "no device is shared across tenants but through a hardware partition", []string{"NVIDIA MIG user guide"}},
	{GPU2, Device, "the device allocation cannot be bypassed", []string{"CVE-2024-0132"}},
	{GPU3, Device, "the tenant has no DRA adminAccess", []string{"KEP-5018"}},
	{GPU4, Device, "the node is partitioned as declared", []string{"NVIDIA MIG user guide"}},
	{CAP1, Capacity, "one budget bounds all the tenant's namespaces together", []string{"CIS 5.7.1", "kubectl-mtb configure_ns_quotas"}},
	{CAP2, Capacity, "every container is bounded (cpu, memory, ephemeral storage)", []string{"ATT&CK T1496", "OWASP K01"}},
	{CAP3, Capacity, "the tenant cannot preempt others", []string{"KEP-564", "kubernetes.io Pod priority and preemption"}},
	{CAP4, Capacity, "the number of the tenant's objects is bounded", []string{"kubectl-mtb configure_ns_object_quota", "ATT&CK T1499"}},
	{CAP5, Capacity, "only the classes (storage, priority, ingress, runtime) that the platform allows are used", []string{"kubectl-mtb block_use_of_existing_pvs"}},
	{IDN1, Identity, "workloads prove who they are (mutual TLS, strict)", []string{"NIST SP 800-204B"}},
	{IDN2, Identity, "only declared identities are authorised", []string{"NIST SP 800-204B"}},
	{IDN3, Identity, "no foreign waypoint or gateway is used", []string{"Istio security model"}},
}

// All returns every guarantee, in the order of reports. The slice is the caller's.
func All() []Guarantee { return slices.Clone(catalog) }

// Get returns the guarantee with that ID.
func Get(id ID) (Guarantee, bool) {
	if i := index(id); i < len(catalog) {
		return catalog[i], true
	}
	return Guarantee{}, false
}

// index is the place of a guarantee in reports; unknown IDs come last.
func index(id ID) int {
	i := slices.IndexFunc(catalog, func(g Guarantee) bool { return g.ID == id })
	if i < 0 {
		return len(catalog)
	}
	return i
}
