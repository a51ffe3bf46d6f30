package podescape

import "watertight.dev/watertight/internal/guarantee"

// noHelper is why a capability does nothing for a user who is not root: Kubernetes sets
// no ambient capabilities, so only a file capability or a setuid program brings it out.
const noHelper = "its user, who is not root, finds a program with file capabilities or a setuid one"

// capabilityRules are the ways that one added capability opens (man 7 capabilities).
var capabilityRules = []rule{
	capability("CapSysAdmin", "mounts file systems and sets a cgroup's release_agent, which runs as root on the node", "CVE-2022-0492, KubeHound CE_UMH_CORE_PATTERN", "", "SYS_ADMIN"),
	capability("CapSysModule", "loads a module into the node's kernel", "man 7 capabilities, KubeHound CE_MODULE_LOAD", "", "SYS_MODULE"),
	capability("CapDacReadSearch", "reads any file of the node by its handle (open_by_handle_at)", "Shocker (2014), man 2 open_by_handle_at", "", "DAC_READ_SEARCH"),
	capability("CapSysBoot", "boots the node into a kernel of its own (kexec_load)", "man 2 kexec_load", "", "SYS_BOOT"),
	capability("CapSysRawIO", "reads and writes the node's memory and ports", "man 7 capabilities", "the runtime lets it open /dev/mem or an I/O port gives the node away", "SYS_RAWIO"),
	capability("CapSysPtrace", "traces the processes of the pod", "KubeHound CE_SYS_PTRACE", "spec.hostPID shows it the node's processes, or the kernel has a flaw", "SYS_PTRACE"),
	capability("CapPerfmon", "watches the node's kernel", "CVE-2013-2094", "the kernel has a flaw in perf events", "PERFMON"),
	capability("CapSyslog", "reads where the node's kernel lies in memory", "man 2 syslog", "the kernel has a flaw that needs the address", "SYSLOG"),
	capability("CapNetAdmin", "drives the kernel's packet filters", "CVE-2024-1086, CVE-2022-25636", "the kernel has a flaw in nf_tables", "NET_ADMIN"),
	{
		id: "CapBPF", means: kernelCall, guarantee: guarantee.KRN1, mapped: inner,
		effect:    "reads the memory of the node's kernel and every process by eBPF",
		reference: "man 7 capabilities, CVE-2021-3490", fix: "remove BPF from capabilities.add", find: bpf,
	},
}

// capability is a way that opens with one capability, for a container that may be root.
func capability(id, effect, reference, weak, name string) rule {
	return rule{
		id: id, means: kernelCall, guarantee: guarantee.KRN1, effect: effect, weak: weak, mapped: inner,
		reference: reference, fix: "remove " + name + " from capabilities.add",
		find: func(t *subject) []spot {
			return t.each(func(c container) (string, string, string) {
				added := c.adds(name)
				if added == "" {
					return "", "", ""
				}
				return "securityContext.capabilities.add", "has " + added, helper(t, c)
			})
		},
	}
}

func helper(t *subject, c container) string {
	if t.notRoot(c) != "" {
		return noHelper
	}
	return ""
}

// bpf is strong beside PERFMON or SYS_ADMIN, which tracing programs need too.
func bpf(t *subject) []spot {
	return t.each(func(c container) (string, string, string) {
		added := c.adds("BPF")
		if added == "" {
			return "", "", ""
		}
		weak := helper(t, c)
		if weak == "" && !c.can("PERFMON", "SYS_ADMIN") {
			weak = "the kernel's verifier has a flaw: tracing needs PERFMON too"
		}
		return "securityContext.capabilities.add", "has " + added, weak
	})
}
