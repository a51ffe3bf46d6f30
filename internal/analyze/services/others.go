package services

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// routing are the kinds by which known controllers route traffic, or give names to it,
// besides those that are judged; by group. Kinds of Kubernetes are here for their old
// versions, which the snapshot does not read. The group's own documentation is the source.
var routing = map[string][]string{
	"networking.k8s.io":        {"Ingress"},
	"extensions":               {"Ingress"},
	"discovery.k8s.io":         {"EndpointSlice"},
	"networking.istio.io":      {"VirtualService", "Gateway", "ServiceEntry", "WorkloadEntry", "WorkloadGroup", "EnvoyFilter"},
	"cilium.io":                {"CiliumLocalRedirectPolicy", "CiliumEnvoyConfig"},
	"traefik.io":               {"IngressRoute", "IngressRouteTCP", "IngressRouteUDP", "TraefikService"},
	"traefik.containo.us":      {"IngressRoute", "IngressRouteTCP", "IngressRouteUDP", "TraefikService"},
	"projectcontour.io":        {"HTTPProxy"},
	"route.openshift.io":       {"Route"},
	"elbv2.k8s.aws":            {"TargetGroupBinding"},
	"externaldns.k8s.io":       {"DNSEndpoint"},
	"configuration.konghq.com": {"TCPIngress", "UDPIngress", "KongIngress"},
	"k8s.nginx.org":            {"VirtualServer", "VirtualServerRoute", "TransportServer"},
	"getambassador.io":         {"Mapping", "TCPMapping", "Host", "Listener"},
	"serving.knative.dev":      {"DomainMapping"},
	"multicluster.x-k8s.io":    {"ServiceImport", "ServiceExport"},
	"net.gke.io":               {"ServiceImport", "ServiceExport"},
	"networking.gke.io":        {"MultiClusterIngress", "MultiClusterService"},
	"ingress.v3.haproxy.org":   {"TCP"},
	"multicluster.linkerd.io":  {"Link"},
	"skupper.io":               {"Connector", "Listener", "Link"},
}

// routes reports whether objects of a kind route traffic, and are not judged.
func routes(kind schema.GroupKind) bool { return slices.Contains(routing[kind.Group], kind.Kind) }

// networkAnnotations have a network plugin give a pod interfaces or addresses of the pod's
// own choice: policies are about the addresses that the cluster gives.
var networkAnnotations = []string{
	"k8s.v1.cni.cncf.io/networks", "v1.multus-cni.io/default-network",
	"cni.projectcalico.org/ipAddrs", "cni.projectcalico.org/ipAddrsNoIpam", "cni.projectcalico.org/floatingIPs",
	"ovn.kubernetes.io/ip_address", "ovn.kubernetes.io/logical_switch",
}

// podNetworks judges what a pod asks of the network plugin.
func (j *judge) podNetworks(p *corev1.Pod) {
	for _, key := range networkAnnotations {
		if value := p.Annotations[key]; value != "" {
			j.note(podNetwork, p, "metadata.annotations["+key+"]", "is "+clip(value))
		}
	}
}
