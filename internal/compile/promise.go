package compile

import (
	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// Promised is what a class promises its tenants, in the order of reports. What a class
// leaves out (a sandbox, a mesh, devices, an API server of one's own) it does not
// promise.
func Promised(class *v1alpha1.TenantClass) []guarantee.ID {
	spec := class.Spec
	sandboxed := RuntimeClassName(spec.Kernel) != ""
	pooled := len(spec.Kernel.Nodes.Selector) > 0
	devices := spec.Device.GPU != "" && spec.Device.GPU != v1alpha1.GPUNone
	meshed := spec.Identity.Mesh != "" && spec.Identity.Mesh != v1alpha1.MeshNone
	own := spec.ControlPlane.Mode != "" && spec.ControlPlane.Mode != v1alpha1.ControlPlaneShared
	optional := map[guarantee.ID]bool{
		guarantee.API6: own,
		guarantee.KRN1: spec.Kernel.PodSecurity != v1alpha1.PodSecurityPrivileged,
		guarantee.KRN2: sandboxed,
		guarantee.KRN3: sandboxed,
		guarantee.KRN5: pooled,
		guarantee.GPU1: devices, guarantee.GPU2: devices, guarantee.GPU3: devices, guarantee.GPU4: devices,
		guarantee.IDN1: meshed, guarantee.IDN2: meshed, guarantee.IDN3: meshed,
	}
	var out []guarantee.ID
	for _, g := range guarantee.All() {
		if promised, conditional := optional[g.ID]; promised || !conditional {
			out = append(out, g.ID)
		}
	}
	return out
}
