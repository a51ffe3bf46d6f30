package istio

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// targetPort is the pod's port behind a Service's port.
func targetPort(sp corev1.ServicePort, p *corev1.Pod) int32 {
	if name := sp.TargetPort.StrVal; name != "" {
		for _, c := range p.Spec.Containers {
			for _, cp := range c.Ports {
				if cp.Name == name {
					return cp.ContainerPort
				}
			}
		}
		return 0
	}
	if sp.TargetPort.IntVal != 0 {
		return sp.TargetPort.IntVal
	}
	return sp.Port
}

// declared is the protocol of a Service's port by appProtocol, else by the first word of
// its name (Istio: Protocol Selection, "Explicit protocol selection").
func declared(sp corev1.ServicePort) string {
	word, _, _ := strings.Cut(sp.Name, "-")
	if sp.AppProtocol != nil {
		word = *sp.AppProtocol
	}
	switch strings.ToLower(word) {
	case "http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws":
		return "http"
	case "tcp", "tls", "https", "mongo", "mysql", "redis", "kubernetes.io/wss":
		return "tcp"
	}
	return ""
}
