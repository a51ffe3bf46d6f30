package podescape

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/podescape/sandbox"
	"watertight.dev/watertight/internal/guarantee"
)

// rule is one way out of a pod, as data.
type rule struct {
	// id is stable.
	id        string
	means     means
	guarantee guarantee.ID
	// effect is the step in words; reference is where it is documented; fix ends it.
	effect, reference, fix string
	// weak says what the step needs besides what is seen; empty: nothing.
	weak string
	// mapped says what it needs besides from inside a user namespace (KEP-127).
	mapped string
	find   func(*subject) []spot
}

// inner is why a privilege counts for nothing outside a user namespace.
const inner = "the user namespace is left as well: its capabilities count inside only"

// rules are all ways out. Those of files are in files.go, those of capabilities in
// capabilities.go.
var rules = slices.Concat(podRules, capabilityRules, fileRules)

var podRules = []rule{
	{
		id: "SharedKernel", means: kernelCall, guarantee: guarantee.KRN2,
		effect: "takes the node through its kernel", weak: "the kernel, which it shares, has a flaw",
		reference: "ATT&CK T1611, CVE-2022-0185, CVE-2024-1086", fix: "run the pod behind a sandbox (spec.runtimeClassName)",
		find: func(t *subject) []spot {
			if t.sandbox.Kind != sandbox.None {
				return nil
			}
			return t.one("spec.runtimeClassName", "the pod shares the node's kernel: "+t.sandbox.Detail)
		},
	},
	{
		id: "Privileged", means: privilege, guarantee: guarantee.KRN1,
		effect: "mounts the node's disks and loads modules as a privileged container", mapped: inner,
		reference: "ATT&CK T1611, CIS 5.2.2, KubeHound CE_PRIV_MOUNT", fix: "set securityContext.privileged to false",
		find: func(t *subject) []spot {
			return t.each(func(c container) (string, string, string) {
				if !c.privileged() {
					return "", "", ""
				}
				return "securityContext.privileged", "is true", ""
			})
		},
	},
	{
		id: "HostProcess", means: anything, guarantee: guarantee.KRN1,
		effect:    "runs as a process of the Windows node",
		reference: "KEP-1981, Pod Security Standards: HostProcess", fix: "set windowsOptions.hostProcess to false",
		find: hostProcess,
	},
	{
		id: "HostPID", means: processes, guarantee: guarantee.KRN1, mapped: inner,
		effect:    "enters the processes of the node's other containers (/proc/PID/root), and any process with SYS_PTRACE",
		reference: "ATT&CK T1611, CIS 5.2.3, KubeHound CE_NSENTER and CE_SYS_PTRACE", fix: "set spec.hostPID to false",
		find: hostPID,
	},
	{
		id: "HostIPC", means: processes, guarantee: guarantee.KRN1, weak: "a process of the node trusts its shared memory",
		effect:    "reads and writes the shared memory of the node's processes",
		reference: "CIS 5.2.4, Pod Security Standards: Host Namespaces", fix: "set spec.hostIPC to false",
		find: func(t *subject) []spot {
			if !t.pod.Spec.HostIPC {
				return nil
			}
			return t.one("spec.hostIPC", "is true")
		},
	},
	{
		id: "HostNetwork", means: network, guarantee: guarantee.NET6,
		effect:    "speaks as the node to its loopback servers, kubelet and metadata service",
		reference: "CIS 5.2.5, CVE-2020-15257, ATT&CK T1552.005", fix: "set spec.hostNetwork to false",
		find: hostNetwork,
	},
	{
		id: "ProcUnmasked", means: kernelCall, guarantee: guarantee.KRN1, mapped: "the user namespace is left as well: its root may not write the kernel's settings",
		effect:    "sets the node's core_pattern, which runs a program of its choice as root",
		reference: "KEP-4265, KubeHound CE_UMH_CORE_PATTERN", fix: "remove securityContext.procMount",
		find: func(t *subject) []spot {
			return t.each(func(c container) (string, string, string) {
				if sc := c.SecurityContext; sc == nil || sc.ProcMount == nil || *sc.ProcMount != corev1.UnmaskedProcMount {
					return "", "", ""
				}
				return "securityContext.procMount", "is Unmasked", t.notRoot(c)
			})
		},
	},
	{
		id: "SeccompUnconfined", means: kernelCall, guarantee: guarantee.KRN1, weak: "the kernel has a flaw in what the filter would close",
		effect:    "makes system calls that no filter holds back",
		reference: "CIS 5.7.2, CVE-2022-0185", fix: "set seccompProfile.type to RuntimeDefault",
		find: seccompUnconfined,
	},
	{
		id: "AppArmorUnconfined", means: kernelCall, guarantee: guarantee.KRN1, weak: "another way out was closed by the profile alone",
		effect:    "acts with no AppArmor profile",
		reference: "KEP-24, CVE-2022-0492", fix: "set appArmorProfile.type to RuntimeDefault",
		find: appArmorUnconfined,
	},
	{
		id: "SELinuxCustom", means: kernelCall, guarantee: guarantee.KRN1, weak: "the type is allowed more than container_t, as spc_t is",
		effect:    "acts under an SELinux type of its own choice",
		reference: "Pod Security Standards: SELinux", fix: "remove seLinuxOptions, or set type to container_t",
		find: selinuxCustom,
	},
	{
		id: "Sysctl", means: kernelCall, guarantee: guarantee.KRN1, weak: "CRI-O before 1.23.2 runs the pod (a + in the value sets any setting), or the setting harms the node",
		effect:    "sets a kernel setting that is not safe",
		reference: "CVE-2022-0811, kubernetes.io: Using sysctls in a cluster", fix: "remove it from spec.securityContext.sysctls",
		find: sysctls,
	},
	{
		id: "RuntimeAnnotation", means: anything, guarantee: guarantee.KRN2, weak: "the runtime's enable_annotations allows it",
		effect:    "chooses the hypervisor, kernel or files that the runtime starts on the node",
		reference: "Kata docs/how-to/how-to-set-sandbox-config-kata.md", fix: "remove the annotation",
		find: runtimeAnnotations,
	},
}

func hostProcess(t *subject) []spot {
	on := func(w *corev1.WindowsSecurityContextOptions) bool {
		return w != nil && w.HostProcess != nil && *w.HostProcess
	}
	if sc := t.pod.Spec.SecurityContext; sc != nil && on(sc.WindowsOptions) {
		return t.one("spec.securityContext.windowsOptions.hostProcess", "is true")
	}
	return t.each(func(c container) (string, string, string) {
		if c.SecurityContext == nil || !on(c.SecurityContext.WindowsOptions) {
			return "", "", ""
		}
		return "securityContext.windowsOptions.hostProcess", "is true", ""
	})
}

func hostPID(t *subject) []spot {
	if !t.pod.Spec.HostPID {
		return nil
	}
	out := t.one("spec.hostPID", "is true")
	out[0].weak = "a process of the node shows a secret in its arguments"
	for _, c := range t.containers {
		if t.notRoot(c) == "" || c.can("SYS_PTRACE", "SYS_ADMIN") {
			out[0].weak = ""
		}
	}
	return out
}

// hostNetwork is strong with the capability to change the node's network, and needs a
// cloud that trusts the wire with that to forge packets.
func hostNetwork(t *subject) []spot {
	if !t.pod.Spec.HostNetwork {
		return nil
	}
	out := t.one("spec.hostNetwork", "is true")
	out[0].weak = "a server of the node trusts its own addresses"
	for _, c := range t.containers {
		switch {
		case c.can("NET_ADMIN") && t.notRoot(c) == "" && !t.mapped:
			out[0].weak, out[0].effect = "", "turns the node's traffic to itself (NET_ADMIN on its network)"
			return out
		case !c.drops("NET_RAW") && t.notRoot(c) == "":
			out[0].weak = "the cloud's metadata service can be impersonated on the wire (NET_RAW), or a server of the node trusts its own addresses"
		}
	}
	return out
}

func seccompUnconfined(t *subject) []spot {
	off := func(s *corev1.SeccompProfile) bool {
		return s != nil && s.Type == corev1.SeccompProfileTypeUnconfined
	}
	if sc := t.pod.Spec.SecurityContext; sc != nil && off(sc.SeccompProfile) {
		return t.one("spec.securityContext.seccompProfile.type", "is Unconfined")
	}
	return t.each(func(c container) (string, string, string) {
		if c.SecurityContext == nil || !off(c.SecurityContext.SeccompProfile) {
			return "", "", ""
		}
		return "securityContext.seccompProfile.type", "is Unconfined", ""
	})
}

// appArmorAnnotation is how a profile was named before the field (until 1.30).
const appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/"

func appArmorUnconfined(t *subject) []spot {
	off := func(a *corev1.AppArmorProfile) bool {
		return a != nil && a.Type == corev1.AppArmorProfileTypeUnconfined
	}
	if sc := t.pod.Spec.SecurityContext; sc != nil && off(sc.AppArmorProfile) {
		return t.one("spec.securityContext.appArmorProfile.type", "is Unconfined")
	}
	var out []spot
	for _, c := range t.containers {
		if t.pod.Annotations[appArmorAnnotation+c.Name] == "unconfined" {
			out = append(out, t.one("metadata.annotations["+appArmorAnnotation+c.Name+"]", "is unconfined")...)
		}
	}
	return append(out, t.each(func(c container) (string, string, string) {
		if c.SecurityContext == nil || !off(c.SecurityContext.AppArmorProfile) {
			return "", "", ""
		}
		return "securityContext.appArmorProfile.type", "is Unconfined", ""
	})...)
}

// containerTypes are the SELinux types that Pod Security's baseline allows.
var containerTypes = []string{"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}

func selinuxCustom(t *subject) []spot {
	custom := func(o *corev1.SELinuxOptions) string {
		switch {
		case o == nil:
			return ""
		case !slices.Contains(containerTypes, o.Type):
			return "type is " + o.Type
		case o.User != "" || o.Role != "":
			return "user or role is set"
		}
		return ""
	}
	if sc := t.pod.Spec.SecurityContext; sc != nil && custom(sc.SELinuxOptions) != "" {
		return t.one("spec.securityContext.seLinuxOptions", custom(sc.SELinuxOptions))
	}
	return t.each(func(c container) (string, string, string) {
		if c.SecurityContext == nil || custom(c.SecurityContext.SELinuxOptions) == "" {
			return "", "", ""
		}
		return "securityContext.seLinuxOptions", custom(c.SecurityContext.SELinuxOptions), ""
	})
}

// safeSysctls are those that every pod may set (kubernetes.io: Using sysctls).
var safeSysctls = []string{
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}

func sysctls(t *subject) []spot {
	if t.pod.Spec.SecurityContext == nil {
		return nil
	}
	var out []spot
	for i, s := range t.pod.Spec.SecurityContext.Sysctls {
		name := strings.ReplaceAll(s.Name, "/", ".")
		if !slices.Contains(safeSysctls, name) || strings.ContainsAny(s.Value, "+=") {
			out = append(out, t.one(fmt.Sprintf("spec.securityContext.sysctls[%d]", i), "sets "+s.Name+" to "+s.Value)...)
		}
	}
	return out
}

func runtimeAnnotations(t *subject) []spot {
	if !t.sandbox.Kind.VM() {
		return nil
	}
	var names []string
	for name := range t.pod.Annotations {
		if strings.HasPrefix(name, "io.katacontainers.config.") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []spot
	for _, name := range names {
		out = append(out, t.one("metadata.annotations["+name+"]", "is read by the runtime on the node")...)
	}
	return out
}
