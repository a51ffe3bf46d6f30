package load

import (
	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// setDefaults fills in what the API server would, for the fields that verdicts rest on:
// a manifest may leave them out.
func setDefaults(object snapshot.Object) {
	switch o := object.(type) {
	case *v1alpha1.TenantClass:
		defaultClass(&o.Spec)
	case *v1alpha1.Tenant:
		def(&o.Spec.DeletionPolicy, v1alpha1.DeletionRetain)
		for _, f := range o.Spec.Network.Flows {
			for i := range f.Ports {
				def(&f.Ports[i].Protocol, corev1.ProtocolTCP)
			}
		}
	case *corev1.Service:
		def(&o.Spec.Type, corev1.ServiceTypeClusterIP)
	case *corev1.Namespace:
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[corev1.LabelMetadataName] = o.Name
	}
}

func defaultClass(spec *v1alpha1.TenantClassSpec) {
	def(&spec.ControlPlane.Mode, v1alpha1.ControlPlaneShared)
	def(&spec.Kernel.Sandbox, v1alpha1.SandboxNone)
	def(&spec.Kernel.PodSecurity, v1alpha1.PodSecurityRestricted)
	def(&spec.Network.Floor, v1alpha1.FloorAuto)
	def(&spec.Device.GPU, v1alpha1.GPUNone)
	def(&spec.Identity.Mesh, v1alpha1.MeshNone)
	if len(spec.Network.DNSPorts) == 0 {
		spec.Network.DNSPorts = []int32{53}
	}
	if len(spec.Network.ServiceTypes) == 0 {
		spec.Network.ServiceTypes = []corev1.ServiceType{corev1.ServiceTypeClusterIP}
	}
}

// def sets a field that is empty.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
