package podescape

import (
	"path"
	"slices"
)

// fileRules are the ways through what of the node is mounted. A user namespace closes
// none of them: volumes are mounted with its mapping, so that its root is root there too
// (KEP-127, idmapped mounts).
var fileRules = []rule{
	{
		id: "RuntimeSocket", means: sockets,
		effect:    "asks the node's container runtime for a privileged container",
		reference: "ATT&CK T1611, KubeHound EXPLOIT_CONTAINERD_SOCK, CIS Docker 5.32", fix: "remove the hostPath volume",
		find: socketMounts,
	},
	{
		id: "HostWrite", means: files,
		effect:    "writes files that the node runs or trusts",
		reference: "ATT&CK T1611, KubeHound EXPLOIT_HOST_WRITE", fix: "use a volume that is no path of the node, or mount it readOnly",
		find: hostWrite,
	},
	{
		id: "HostRead", means: files,
		effect:    "reads credentials of the node and of its pods",
		reference: "ATT&CK T1552.001, KubeHound EXPLOIT_HOST_READ and EXPLOIT_HOST_TRAVERSE", fix: "use a volume that is no path of the node",
		find: hostRead,
	},
	{
		id: "LogSymlink", means: files,
		effect:    "has the kubelet read any file of the node for it, by a link in /var/log",
		reference: "KubeHound CE_VAR_LOG_SYMLINK", fix: "mount /var/log readOnly",
		weak: "one of the tenant's identities may read nodes/log or pods/log",
		find: logSymlink,
	},
	{
		id: "HostDevice", means: privilege, mapped: inner,
		effect:    "opens a device of the node",
		reference: "man 7 capabilities (CAP_MKNOD), kernel.org: Device Whitelist Controller", fix: "remove the device, or ask for it by a device plugin or resource claim",
		find: hostDevice,
	},
	{
		id: "HostPath", means: files, weak: "something on the node runs or trusts what lies there",
		effect:    "shares files with the node",
		reference: "kubernetes.io: hostPath, CVE-2021-25741", fix: "use a volume that is no path of the node",
		find: otherPath,
	},
}

// runtimeSockets are where container runtimes listen.
var runtimeSockets = []string{
	"/run/containerd/containerd.sock", "/run/docker.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock",
	"/run/dockershim.sock", "/run/podman/podman.sock", "/run/k3s/containerd/containerd.sock",
	"/run/k0s/containerd.sock", "/run/docker/containerd/containerd.sock", "/var/snap/microk8s/common/run/containerd.sock",
}

// trusted are the folders whose files root's programs run, load or believe.
var trusted = []string{
	"/etc", "/root", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/opt/cni", "/snap", "/nix",
	"/run/systemd", "/run/dbus", "/run/containerd", "/run/crio", "/run/k3s", "/run/flannel",
	"/var/lib/kubelet", "/var/lib/etcd", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/rancher",
	"/var/lib/k0s", "/var/lib/cloud", "/var/spool/cron", "/var/snap", "/proc/sys", "/proc/sysrq-trigger", "/sys",
}

// secret are the folders that hold credentials of the node or of its pods.
var secret = []string{
	"/etc/kubernetes", "/etc/rancher", "/etc/shadow", "/etc/ssh", "/root", "/var/lib/kubelet", "/var/lib/etcd",
	"/var/lib/rancher", "/var/lib/k0s", "/var/lib/cloud", "/var/snap",
}

// harmless are files that many pods mount and nothing is gained by.
var harmless = []string{
	"/etc/localtime", "/etc/timezone", "/etc/machine-id", "/etc/os-release", "/usr/share/zoneinfo", "/etc/ssl/certs",
	"/run/xtables.lock", "/run/udev", "/dev/shm", "/dev/log",
}

// home reports whether a path is a user's home, or all of them: what is in it may be a
// login (.ssh). A folder deeper down need not be.
func home(p string) bool { return p == "/home" || path.Dir(p) == "/home" || path.Base(p) == ".ssh" }

func isHarmless(p string) bool {
	return slices.ContainsFunc(harmless, func(h string) bool { return within(p, h) })
}

// eachMount asks about every mount. A server behind a socket, a file for root: who is
// not root needs more.
func (t *subject) eachMount(ask func(mount) bool) []spot {
	var out []spot
	for _, m := range t.mounts {
		if ask(m) {
			e := m.evidence
			e.Detail += ", mounted into container " + m.container.Name
			if m.readOnly {
				e.Detail += " read-only"
			}
			out = append(out, spot{evidence: e, weak: t.notRoot(m.container), guarantee: m.guarantee})
		}
	}
	return out
}

func opensSocket(m mount) bool {
	known := func(s string) bool { return path.Base(s) == path.Base(m.path) }
	return slices.ContainsFunc(runtimeSockets, known) ||
		slices.ContainsFunc(runtimeSockets, func(s string) bool { return within(s, m.path) })
}

// socketMounts finds sockets; to connect, a mount need not be writable.
func socketMounts(t *subject) []spot { return t.eachMount(opensSocket) }

func writes(m mount) bool {
	return !m.readOnly && !m.device && !isHarmless(m.path) && (exposes(m.path, trusted) || home(m.path))
}

func hostWrite(t *subject) []spot { return t.eachMount(writes) }

// reads leaves out what is written anyway. A folder above is as good as the folder.
func reads(m mount) bool {
	return m.readOnly && !m.device && !isHarmless(m.path) && (exposes(m.path, secret) || home(m.path))
}

func hostRead(t *subject) []spot { return t.eachMount(reads) }

func logSymlink(t *subject) []spot {
	return t.eachMount(func(m mount) bool {
		return !m.readOnly && (within(m.path, "/var/log") || within("/var/log", m.path))
	})
}

func isDevice(m mount) bool {
	return !isHarmless(m.path) && (m.device || within(m.path, "/dev"))
}

// hostDevice: what a container may open is decided by its device cgroup, which a mount
// of the node does not change; a privileged container's lets everything through.
func hostDevice(t *subject) []spot {
	out := []spot{}
	for _, m := range t.mounts {
		if !isDevice(m) {
			continue
		}
		found := spot{evidence: m.evidence, guarantee: m.guarantee}
		if !m.container.privileged() {
			found.weak = "the container's device cgroup lets it through"
		}
		if m.container.privileged() && m.path == "/dev/kvm" {
			found.weak = "the kernel's KVM has a flaw"
		}
		out = append(out, found)
	}
	return out
}

// otherPath is every path that no other rule speaks of.
func otherPath(t *subject) []spot {
	return t.eachMount(func(m mount) bool {
		return !opensSocket(m) && !writes(m) && !reads(m) && !isDevice(m)
	})
}
