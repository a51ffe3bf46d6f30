package podescape

import "watertight.dev/watertight/internal/analyze/podescape/sandbox"

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
var barriers = map[means]map[sandbox.Kind]string{
	kernelCall: {
		sandbox.GVisor:      "gVisor's kernel, which answers instead, has a flaw too",
		sandbox.Kata:        "the hypervisor is left as well: the guest's kernel answers",
		sandbox.Firecracker: "the hypervisor is left as well: the guest's kernel answers",
	},
	processes: {
		sandbox.GVisor:      "gVisor, which has processes of its own, is left as well",
		sandbox.Kata:        "the hypervisor is left as well: the guest has processes of its own",
		sandbox.Firecracker: "the hypervisor is left as well: the guest has processes of its own",
	},
	network: {
		sandbox.Kata:        "the hypervisor is left as well: Kata does not support the node's network",
		sandbox.Firecracker: "the hypervisor is left as well: Kata does not support the node's network",
	},
	files: {
		sandbox.Firecracker: "the hypervisor is left as well: Firecracker shares no directory, volumes are copied",
	},
	sockets: {
		sandbox.GVisor:      "runsc runs with --host-uds=open (its default is none)",
		sandbox.Kata:        "the hypervisor is left as well: the socket's server is in another kernel",
		sandbox.Firecracker: "the hypervisor is left as well: the socket's server is in another kernel",
	},
	privilege: {
		sandbox.GVisor: "gVisor is left as well: the privileges count inside the sandbox only",
	},
}
