package podescape

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// shelterKind is what stands between a pod and the node's kernel.
type shelterKind int

// The shelters. An unknown runtime is none.
const (
	bare shelterKind = iota
	gvisor
	kata
	firecracker
)

// shelter is the sandbox of a pod, and how it is known.
type shelter struct {
	kind shelterKind
	// detail says what was seen ("runtime class gvisor, handler runsc").
	detail string
}

// means is what a way out works through: it decides which sandbox holds it back.
type means int

const (
	kernelCall means = iota // the node's kernel does it
	processes               // the node's process or IPC namespace
	network                 // the node's network namespace
	files                   // files of the node, mounted into the pod
	sockets                 // a server of the node behind a Unix socket
	privilege               // a privileged container and the devices it gets
	anything                // no sandbox is in the way
)

// barriers say what would have to be true for a way to work from behind a sandbox. An
// empty reason lets the way through, as the sandbox's own documentation says:
//   - files: gVisor's gofer and Kata's virtio-fs serve the mounted directory itself
//     (gvisor.dev/docs/user_guide/filesystem, Kata docs/design/architecture/storage.md);
//     Firecracker has no file sharing (Kata docs/design/virtualization.md).
//   - sockets: runsc connects to none unless --host-uds is set; a VM sees the inode of a
//     socket whose server is in another kernel.
//   - network: runsc refuses the node's network namespace, or hands it through with
//     --network=host; Kata does not support it (Limitations.md, docker --net=host).
//   - privilege: Kata plugs the node's block devices into the guest unless
//     privileged_without_host_devices is set (docs/how-to/privileged.md); gVisor gives
//     the privileges inside the sandbox only (gvisor.dev/docs/tutorials/docker-in-gvisor).
var barriers = map[means]map[shelterKind]string{
	kernelCall: {
		gvisor:      "gVisor's kernel, which answers instead, has a flaw too",
		kata:        "the hypervisor is left as well: the guest's kernel answers",
		firecracker: "the hypervisor is left as well: the guest's kernel answers",
	},
	processes: {
		gvisor:      "gVisor, which has processes of its own, is left as well",
		kata:        "the hypervisor is left as well: the guest has processes of its own",
		firecracker: "the hypervisor is left as well: the guest has processes of its own",
	},
	network: {
		kata:        "the hypervisor is left as well: Kata does not support the node's network",
		firecracker: "the hypervisor is left as well: Kata does not support the node's network",
	},
	files: {
		firecracker: "the hypervisor is left as well: Firecracker shares no directory, volumes are copied",
	},
	sockets: {
		gvisor:      "runsc runs with --host-uds=open (its default is none)",
		kata:        "the hypervisor is left as well: the socket's server is in another kernel",
		firecracker: "the hypervisor is left as well: the socket's server is in another kernel",
	},
	privilege: {
		gvisor: "gVisor is left as well: the privileges count inside the sandbox only",
	},
}

// handlers are the names and prefixes of runtime handlers that are sandboxes, the more
// special first (gvisor.dev containerd quick start; Kata's kata-deploy runtime classes).
var handlers = []struct {
	name   string
	prefix bool
	kind   shelterKind
}{
	{"runsc", true, gvisor},
	{"gvisor", true, gvisor},
	{"kata-fc", true, firecracker},
	{"kata-firecracker", true, firecracker},
	{"firecracker", true, firecracker},
	{"aws.firecracker", false, firecracker},
	{"kata", true, kata},
}

func kindOfHandler(handler string) shelterKind {
	for _, h := range handlers {
		if handler == h.name || h.prefix && strings.HasPrefix(handler, h.name+"-") {
			return h.kind
		}
	}
	return bare
}

// shelters resolves runtime classes.
type shelters struct {
	snapshot *snapshot.Snapshot
	// handlers by the name of the RuntimeClass.
	handlers map[string]string
	// guarded is the runtime class that admission gives a folder's pods, by namespace.
	guarded map[string]string
	// promised is the sandbox that TenantClasses name for a runtime class.
	promised map[string]v1alpha1.Sandbox
}

func sheltersOf(s *snapshot.Snapshot) *shelters {
	out := &shelters{
		snapshot: s, handlers: map[string]string{}, guarded: map[string]string{}, promised: map[string]v1alpha1.Sandbox{},
	}
	for _, r := range s.RuntimeClasses {
		out.handlers[r.Name] = r.Handler
	}
	if len(s.MutationBindings) > 0 {
		for _, g := range s.Guards {
			out.guarded[g.Namespace] = g.Spec.RuntimeClassName
		}
	}
	for _, c := range s.TenantClasses {
		if k := c.Spec.Kernel; k.RuntimeClassName != "" {
			out.promised[k.RuntimeClassName] = k.Sandbox
		} else if k.Sandbox != "" && k.Sandbox != v1alpha1.SandboxNone {
			out.promised[strings.ToLower(string(k.Sandbox))] = k.Sandbox
		}
	}
	return out
}

// of is the shelter of a pod: that of its RuntimeClass's handler. In a folder, which
// rarely holds RuntimeClasses, a TenantClass says what the runtime class is; on a live
// cluster a class that does not exist is no shelter.
func (x *shelters) of(p *corev1.Pod) shelter {
	name := ""
	if p.Spec.RuntimeClassName != nil {
		name = *p.Spec.RuntimeClassName
	}
	if name == "" && snapshot.Synthetic(p) {
		name = x.guarded[p.Namespace]
	}
	if name == "" {
		return shelter{bare, "no runtime class"}
	}
	if handler, ok := x.handlers[name]; ok {
		return shelter{kindOfHandler(handler), "runtime class " + name + ", handler " + handler}
	}
	if sandbox, ok := x.promised[name]; ok && x.snapshot.Origin == snapshot.OriginFolder {
		kinds := map[v1alpha1.Sandbox]shelterKind{
			v1alpha1.SandboxGVisor: gvisor, v1alpha1.SandboxKata: kata, v1alpha1.SandboxFirecracker: firecracker,
		}
		return shelter{kinds[sandbox], "runtime class " + name + ", which a TenantClass calls " + string(sandbox)}
	}
	return shelter{bare, "runtime class " + name + ", of which no handler is known"}
}
