package services

import (
	"fmt"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// service judges one Service.
func (j *judge) service(n *space, s *corev1.Service) {
	if len(s.Spec.ExternalIPs) > 0 {
		i := max(0, slices.IndexFunc(s.Spec.ExternalIPs, func(ip string) bool { return j.places.meaning(ip) != "" }))
		j.note(externalIPs, s, fmt.Sprintf("spec.externalIPs[%d]", i), "takes traffic for address "+j.named(s.Spec.ExternalIPs[i])+" from the whole cluster")
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		j.note(externalName, s, "spec.externalName", "sends clients on to "+j.leadsTo(s))
	}
	j.balancerStatus(s)
	if j.typeAllowed(s) {
		j.outward(n, s)
	}
	j.annotations(s, "")
	for _, pod := range j.onHost(n).behind(s) {
		j.note(hostNetworkEndpoint, s, "spec.selector", fmt.Sprintf("selects %s, which is on its node's network", snapshot.KeyOf(pod)),
			analyze.About(j.snapshot, pod, "spec.hostNetwork", "is true"))
		break // one says it
	}
}

// named is an address with what it is, where that is known.
func (j *judge) named(ip string) string {
	if meaning := j.places.meaning(ip); meaning != "" {
		return clip(ip) + " (" + meaning + ")"
	}
	return clip(ip)
}

// typeAllowed judges the type of a Service; what a class forbids is not looked into.
func (j *judge) typeAllowed(s *corev1.Service) bool {
	switch s.Spec.Type {
	case corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
		if j.class == nil {
			return false
		}
		if !slices.Contains(j.class.Spec.Network.ServiceTypes, s.Spec.Type) {
			j.note(serviceTypeForbidden, s, "spec.type", fmt.Sprintf("is %s, which class %s does not allow", s.Spec.Type, j.class.Name))
			return false
		}
		return true
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName, "":
	default:
		j.note(serviceTypeUnknown, s, "spec.type", "is "+clip(string(s.Spec.Type)))
	}
	return false
}

// outward judges a Service that the class lets out of the cluster.
func (j *judge) outward(n *space, s *corev1.Service) {
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		j.balancer(s)
	}
	j.sourceLost(n, s)
}

func (j *judge) hostPorts(p *corev1.Pod) {
	for at, port := range hostPorts(p) {
		j.note(hostPort, p, at, fmt.Sprintf("takes port %d of its node", port))
	}
}

// hostPorts yields the fields of a pod that open a port of its node to other machines. On
// the host's network every port is the node's: that is judged where a Service leads there.
func hostPorts(p *corev1.Pod) iter.Seq2[string, int32] {
	return func(yield func(string, int32) bool) {
		if p.Spec.HostNetwork || finished(p) {
			return
		}
		for _, l := range []struct {
			field string
			list  []corev1.Container
		}{{"containers", p.Spec.Containers}, {"initContainers", p.Spec.InitContainers}} {
			for i, c := range l.list {
				for k, port := range c.Ports {
					if port.HostPort == 0 || localOnly(port.HostIP) {
						continue
					}
					if !yield(fmt.Sprintf("spec.%s[%d].ports[%d].hostPort", l.field, i, k), port.HostPort) {
						return
					}
				}
			}
		}
	}
}
