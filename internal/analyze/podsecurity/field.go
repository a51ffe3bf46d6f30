package podsecurity

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// firstFault finds the field that most likely makes a pod fail, for evidence; the
// upstream checks say what fails, not where. Without one it is the pod's spec.
func firstFault(p *corev1.Pod) (field, detail string) {
	spec := &p.Spec
	switch {
	case spec.HostNetwork:
		return "spec.hostNetwork", "is true:"
	case spec.HostPID:
		return "spec.hostPID", "is true:"
	case spec.HostIPC:
		return "spec.hostIPC", "is true:"
	}
	for i, v := range spec.Volumes {
		if v.HostPath != nil {
			return fmt.Sprintf("spec.volumes[%d].hostPath", i), "is " + v.HostPath.Path + ":"
		}
	}
	for _, list := range []struct {
		path       string
		containers []corev1.Container
	}{{"spec.initContainers", spec.InitContainers}, {"spec.containers", spec.Containers}} {
		for i, c := range list.containers {
			if at, ok := containerFault(&c); ok {
				return fmt.Sprintf("%s[%d].%s", list.path, i, at), "of container " + c.Name + ":"
			}
		}
	}
	return "spec.securityContext", ""
}

// containerFault finds the field inside a container.
func containerFault(c *corev1.Container) (string, bool) {
	sc := c.SecurityContext
	for i, p := range c.Ports {
		if p.HostPort != 0 {
			return fmt.Sprintf("ports[%d].hostPort", i), true
		}
	}
	switch {
	case sc == nil:
		return "securityContext", true
	case sc.Privileged != nil && *sc.Privileged:
		return "securityContext.privileged", true
	case sc.Capabilities != nil && len(sc.Capabilities.Add) > 0:
		return "securityContext.capabilities.add", true
	case sc.ProcMount != nil && *sc.ProcMount != corev1.DefaultProcMount:
		return "securityContext.procMount", true
	case sc.RunAsUser != nil && *sc.RunAsUser == 0:
		return "securityContext.runAsUser", true
	case sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation:
		return "securityContext.allowPrivilegeEscalation", true
	case sc.Capabilities == nil || len(sc.Capabilities.Drop) == 0:
		return "securityContext.capabilities.drop", true
	}
	return "", false
}
