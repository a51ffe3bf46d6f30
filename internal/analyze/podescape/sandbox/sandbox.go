// Package sandbox tells what stands between a pod and the node's kernel, from the
// handler of the RuntimeClass it names. It does not judge whether that is what a class
// promises, nor what a sandbox holds back.
package sandbox

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// Kind is what stands between a pod and the node's kernel.
type Kind int

// The kinds. An unknown runtime is none.
const (
	None Kind = iota
	GVisor
	Kata
	Firecracker
)

// VM reports whether the pod has a virtual machine of its own.
func (k Kind) VM() bool { return k == Kata || k == Firecracker }

// Sandbox is the sandbox of a pod, and how it is known.
type Sandbox struct {
	Kind Kind
	// Class is the name of the RuntimeClass; Handler is the runtime's, where it is known.
	Class, Handler string
	// Detail says what was seen ("runtime class gvisor, handler runsc").
	Detail string
}

// handlers are the names of runtime handlers that are sandboxes, alone or with a dash
// and more behind, the more special first (gvisor.dev: containerd quick start; Kata:
// kata-deploy's runtime classes).
var handlers = []struct {
	name string
	kind Kind
}{
	{"runsc", GVisor}, {"gvisor", GVisor},
	{"kata-fc", Firecracker}, {"kata-firecracker", Firecracker}, {"firecracker", Firecracker}, {"aws.firecracker", Firecracker},
	{"kata", Kata},
}

func kindOf(handler string) Kind {
	for _, h := range handlers {
		if handler == h.name || strings.HasPrefix(handler, h.name+"-") {
			return h.kind
		}
	}
	return None
}

// Sandboxes resolves the runtime classes of a snapshot.
type Sandboxes struct {
	live bool
	// handlers by the name of the RuntimeClass.
	handlers map[string]string
	// guarded is the runtime class that admission gives a folder's pods, by namespace.
	guarded map[string]string
	// promised is the sandbox that TenantClasses name for a runtime class.
	promised map[string]v1alpha1.Sandbox
}

// In reads the runtime classes of a snapshot.
func In(s *snapshot.Snapshot) *Sandboxes {
	x := &Sandboxes{
		live: s.Origin == snapshot.OriginLive, handlers: map[string]string{},
		guarded: map[string]string{}, promised: map[string]v1alpha1.Sandbox{},
	}
	for _, r := range s.RuntimeClasses {
		x.handlers[r.Name] = r.Handler
	}
	if len(s.MutationBindings) > 0 {
		for _, g := range s.Guards {
			x.guarded[g.Namespace] = g.Spec.RuntimeClassName
		}
	}
	for _, c := range s.TenantClasses {
		k := c.Spec.Kernel
		if k.Sandbox == "" || k.Sandbox == v1alpha1.SandboxNone {
			continue
		}
		name := k.RuntimeClassName
		if name == "" {
			name = strings.ToLower(string(k.Sandbox))
		}
		x.promised[name] = k.Sandbox
	}
	return x
}

// Of is the sandbox of a pod: that of its RuntimeClass's handler. In a folder, which
// rarely holds RuntimeClasses, a TenantClass says what the runtime class is; on a live
// cluster a class that does not exist is no sandbox.
func (x *Sandboxes) Of(p *corev1.Pod) Sandbox {
	name := ""
	if p.Spec.RuntimeClassName != nil {
		name = *p.Spec.RuntimeClassName
	}
	if name == "" && snapshot.Synthetic(p) {
		name = x.guarded[p.Namespace]
	}
	if name == "" {
		return Sandbox{Detail: "no runtime class"}
	}
	if handler, ok := x.handlers[name]; ok {
		return Sandbox{kindOf(handler), name, handler, "runtime class " + name + ", handler " + handler}
	}
	kinds := map[v1alpha1.Sandbox]Kind{
		v1alpha1.SandboxGVisor: GVisor, v1alpha1.SandboxKata: Kata, v1alpha1.SandboxFirecracker: Firecracker,
	}
	if promised, ok := x.promised[name]; ok && !x.live {
		return Sandbox{kinds[promised], name, "", "runtime class " + name + ", which a TenantClass calls " + string(promised)}
	}
	return Sandbox{None, name, "", "runtime class " + name + ", of which no handler is known"}
}
