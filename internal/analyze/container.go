package analyze

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// Container is a container of any kind, and where it stands in its pod.
type Container struct {
	*corev1.Container
	// Field is its path ("spec.initContainers[0]").
	Field string
}

// Containers are all containers of a pod: init, plain and ephemeral ones.
func Containers(p *corev1.Pod) []Container {
	var out []Container
	for i := range p.Spec.InitContainers {
		out = append(out, Container{&p.Spec.InitContainers[i], fmt.Sprintf("spec.initContainers[%d]", i)})
	}
	for i := range p.Spec.Containers {
		out = append(out, Container{&p.Spec.Containers[i], fmt.Sprintf("spec.containers[%d]", i)})
	}
	for i := range p.Spec.EphemeralContainers {
		c := corev1.Container(p.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		out = append(out, Container{&c, fmt.Sprintf("spec.ephemeralContainers[%d]", i)})
	}
	return out
}
