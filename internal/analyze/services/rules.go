package services

import (
	"slices"

	"watertight.dev/watertight/internal/guarantee"
)

// Rule is one way round the network policies, as data: what it does, where it is
// documented and what mends it. A rule whose verdict is unknown is a road of which the
// picture does not show the end.
type Rule struct {
	// ID is stable: reports and suppressions name it.
	ID      string
	Verdict guarantee.Verdict
	// Effect says what the road is good for.
	Effect string
	// Fix says what to do, and Reference where it is documented.
	Fix, Reference string
}

const (
	broken  = guarantee.Broken
	unknown = guarantee.Unknown

	mitm       = "CVE-2020-8554"
	endpoints  = "CVE-2021-25740"
	serviceDoc = "kubernetes.io/docs/concepts/services-networking/service"
	ingressDoc = "kubernetes.io/docs/concepts/services-networking/ingress"
	gatewayDoc = "gateway-api.sigs.k8s.io/reference/spec"
	grantDoc   = "gateway-api.sigs.k8s.io/api-types/referencegrant"
	hostsDoc   = "gateway-api.sigs.k8s.io/concepts/hostnames"
	setDoc     = "GEP-1713"
)

// Services.
var (
	externalIPs          = Rule{"ExternalIPs", broken, "every node sends what is meant for the address to this Service's pods", "remove spec.externalIPs", mitm}
	externalName         = Rule{"ExternalName", broken, "whoever trusts the Service's name, an ingress controller above all, is sent on", "name that host where it is used", serviceDoc + "#externalname"}
	serviceTypeForbidden = Rule{"ServiceTypeForbidden", broken, "opens the pods to outside the cluster", "make it ClusterIP", serviceDoc + "#publishing-services-service-types"}
	serviceTypeUnknown   = Rule{"ServiceTypeUnknown", unknown, "may open the pods in a way that is not judged", "use a type that Kubernetes documents", serviceDoc + "#publishing-services-service-types"}
	nodePortOfBalancer   = Rule{"NodePortOfBalancer", broken, "opens a port on every node as well, past the load balancer and its source ranges", "set spec.allocateLoadBalancerNodePorts to false and take the node ports away", serviceDoc + "#load-balancer-nodeport-allocation"}
	loadBalancerIP       = Rule{"LoadBalancerIP", broken, "asks for an address of its own choice, which others may have or know", "remove it: the platform assigns addresses", mitm}
	loadBalancerClass    = Rule{"LoadBalancerClass", unknown, "picks its load balancer, of which nothing is known", "remove spec.loadBalancerClass", serviceDoc + "#load-balancer-class"}
	loadBalancerStatus   = Rule{"LoadBalancerStatus", broken, "every node sends what is meant for the address to this Service's pods", "delete the Service, and see who may patch services/status", mitm}
	balancerAtNode       = Rule{"BalancerAtNode", unknown, "takes ports of a node's address: a load balancer that runs on nodes does this, and so does a forged status", "see who wrote status.loadBalancer", mitm}
	sourceAddressLost    = Rule{"SourceAddressLost", broken, "whoever calls from outside looks like a node to the policy, which admits nodes", "set spec.externalTrafficPolicy to Local, or leave the nodes out of the ipBlock", "kubernetes.io/docs/tutorials/services/source-ip"}
	nodesNotSeen         = Rule{"NodesNotSeen", unknown, "whoever calls from outside looks like a node to the policy; whether it admits nodes cannot be told", "set spec.externalTrafficPolicy to Local", "kubernetes.io/docs/tutorials/services/source-ip"}
	sharedBalancer       = Rule{"SharedBalancer", broken, "shares a load balancer with another tenant, whose rules it can outdo", "use a group of the tenant's own", "kubernetes-sigs.github.io/aws-load-balancer-controller: IngressGroup"}
	otherClusters        = Rule{"OtherClusters", unknown, "takes pods of other clusters in, which are not seen", "remove the annotation", "docs.cilium.io: Load-balancing & Service Discovery"}
)

// Pods.
var (
	hostPort            = Rule{"HostPort", broken, "opens a port on the node, past every Service, and before all node ports (CVE-2019-9946)", "remove hostPort; use a Service", "kubernetes.io/docs/concepts/security/pod-security-standards: Host Ports"}
	podNetwork          = Rule{"PodNetwork", unknown, "picks networks or addresses of its own, past what the policies seen here are about", "remove the annotation", "k8snetworkplumbingwg: Multi-Network spec; docs.tigera.io: Use a specific IP address with a pod"}
	hostNetworkEndpoint = Rule{"HostNetworkEndpoint", broken, "sends to the node's own address, where no NetworkPolicy applies", "remove spec.hostNetwork from the pod", "kubernetes.io/docs/concepts/services-networking/network-policies#networkpolicy-and-hostnetwork-pods"}
)

// Endpoints.
var (
	foreignEndpoint   = Rule{"ForeignEndpoint", broken, "whoever may call the Service, an ingress controller above all, calls another namespace's pod", "remove the address", endpoints}
	manualEndpoint    = Rule{"ManualEndpoint", broken, "whoever may call the Service is sent elsewhere", "select pods by the Service's spec.selector", endpoints}
	nodeEndpoint      = Rule{"NodeEndpoint", broken, "whoever may call the Service reaches a node: its kubelet, and all that runs on the host's network", "remove the address", endpoints}
	metadataEndpoint  = Rule{"MetadataEndpoint", broken, "whoever may call the Service reads credentials", "remove the address", "ATT&CK T1552.005"}
	localEndpoint     = Rule{"LocalEndpoint", broken, "whoever may call the Service calls itself, past what it shows to others", "remove the address", endpoints}
	apiServerEndpoint = Rule{"APIServerEndpoint", broken, "whoever may call the Service reaches the API server", "remove the address", endpoints}
	clusterIPEndpoint = Rule{"ClusterIPEndpoint", broken, "whoever may call the Service calls another namespace's Service", "remove the address", endpoints}
	endpointUnproven  = Rule{"EndpointUnproven", unknown, "names a pod that is not to be seen, at an address of which nothing is known", "select pods by the Service's spec.selector", endpoints}
)

// Host names.
var (
	hostnameMissing   = Rule{"HostnameMissing", broken, "receives what others' customers send", "set the host", ingressDoc + "#ingress-rules"}
	hostnameForbidden = Rule{"HostnameForbidden", broken, "receives what others' customers send, sessions included", "choose a host that the class gives", ingressDoc + "#hostname-wildcards"}
	hostnameInvalid   = Rule{"HostnameInvalid", broken, "is pasted into its controller's configuration", "write a host name", "CVE-2021-25748"}
	hostnameConflict  = Rule{"HostnameConflict", broken, "takes requests that somebody else's object claims", "choose a host or path that is not taken", hostsDoc}
	hostnameMayMeet   = Rule{"HostnameMayMeet", unknown, "claims paths that its controller makes out, on a host that another tenant uses", "write the path as Exact or Prefix", ingressDoc + "#path-types"}
	hostnameInherited = Rule{"HostnameInherited", unknown, "takes the host names of a listener that is not to be seen", "set spec.hostnames", hostsDoc}
)

// Ingresses.
var (
	annotationSnippet   = Rule{"AnnotationSnippet", broken, "writes text into the controller's configuration, and so runs code and reads Secrets as the controller", "remove the annotation", "CVE-2021-25742"}
	annotationInjection = Rule{"AnnotationInjection", broken, "breaks out of its directive in the controller's configuration", "remove line breaks and semicolons", "CVE-2025-1974"}
	annotationForeign   = Rule{"AnnotationForeignObject", broken, "has the controller read another namespace's object", "name an object of the same namespace", "kubernetes.github.io/ingress-nginx: allow-cross-namespace-resources"}
	annotationURL       = Rule{"AnnotationURL", broken, "has the controller call an address that the tenant's pods may not", "name a Service of the same namespace or a host outside", "CVE-2025-24514"}
	annotationUnknown   = Rule{"AnnotationUnknown", unknown, "may steer a controller that is not known", "remove the annotation, or add the IngressClass to what is judged", ingressDoc + "#ingress-class"}
	foreignSecret       = Rule{"ForeignSecret", broken, "serves with another namespace's key", "name a Secret of the same namespace", grantDoc}
	backendUnknown      = Rule{"BackendUnknown", unknown, "sends to a backend of a kind that is not judged", "use a Service", ingressDoc + "#resource-backend"}
	roadKindUnknown     = Rule{"RoadKindUnknown", unknown, "is for a controller that routes traffic or names hosts by it, and is not judged", "use a Service, an Ingress or a route of the Gateway API", "kubernetes.io/docs/concepts/services-networking/ingress-controllers"}
	classParameters     = Rule{"ClassParameters", broken, "lets the tenant write parameters of a class that others use", "move the parameters to a namespace of the platform", ingressDoc + "#namespace-scope"}
)

// The Gateway API.
var (
	gatewayForbidden   = Rule{"GatewayForbidden", broken, "opens a load balancer of its own, past the class's ingress", "attach routes to a Gateway of the platform", gatewayDoc}
	gatewayAddress     = Rule{"GatewayAddress", broken, "asks for an address of its own choice, which others may have or know", "remove spec.addresses: the platform assigns addresses", mitm}
	gatewayNotSeen     = Rule{"GatewayNotSeen", unknown, "takes a port of a Gateway that is not to be seen", "add the Gateway to what is judged, or use an HTTPRoute with spec.hostnames", gatewayDoc}
	gatewayKindUnknown = Rule{"GatewayKindUnknown", unknown, "is of a kind or version of the Gateway API that is not judged", "use a kind of a released version", gatewayDoc}
	fieldUnknown       = Rule{"FieldUnknown", unknown, "has a field that cannot be judged", "correct or remove it", gatewayDoc}
	listenerAdmits     = Rule{"ListenerAdmits", broken, "lets other tenants' routes serve under this tenant's names and certificates", "admit the tenant's own namespaces only", gatewayDoc}
	foreignGateway     = Rule{"ForeignGateway", broken, "sends its customers through another tenant's Gateway", "attach it to a Gateway of the platform or the tenant", gatewayDoc}
	routeTakesPort     = Rule{"RouteTakesPort", broken, "takes everything that comes to a listener of a Gateway that others use", "use an HTTPRoute, GRPCRoute or TLSRoute with spec.hostnames", gatewayDoc}
	foreignBackend     = Rule{"ForeignBackend", broken, "reaches another tenant's Service through the Gateway, past its policies", "remove the backend, or declare the flow in both Tenants", grantDoc}
	grantOpensServices = Rule{"GrantOpensServices", broken, "lets another tenant's routes send to its Services through a Gateway, past its policies", "remove the entry, or declare the flow in both Tenants", grantDoc}
	grantOpensSecrets  = Rule{"GrantOpensSecrets", broken, "lets another tenant's Gateway serve with its keys", "remove the entry", grantDoc}
	grantOpensObjects  = Rule{"GrantOpensObjects", broken, "lets another tenant's objects refer to its own", "remove the entry", grantDoc}
	grantToUnseen      = Rule{"GrantToUnseen", unknown, "opens objects to whoever creates a namespace that is not there", "remove the entry", grantDoc}
)

// Rules lists every rule, in the order of the reports' documentation.
func Rules() []Rule {
	return slices.Concat(
		[]Rule{externalIPs, externalName, serviceTypeForbidden, serviceTypeUnknown, nodePortOfBalancer, loadBalancerIP, loadBalancerClass,
			loadBalancerStatus, balancerAtNode, sourceAddressLost, nodesNotSeen, sharedBalancer, otherClusters, hostPort, podNetwork, hostNetworkEndpoint},
		[]Rule{foreignEndpoint, manualEndpoint, nodeEndpoint, metadataEndpoint, localEndpoint, apiServerEndpoint, clusterIPEndpoint, endpointUnproven},
		[]Rule{hostnameMissing, hostnameForbidden, hostnameInvalid, hostnameConflict, hostnameMayMeet, hostnameInherited},
		[]Rule{annotationSnippet, annotationInjection, annotationForeign, annotationURL, annotationUnknown, foreignSecret, backendUnknown, roadKindUnknown, classParameters},
		[]Rule{gatewayForbidden, gatewayAddress, gatewayNotSeen, gatewayKindUnknown, fieldUnknown, listenerAdmits, foreignGateway, routeTakesPort,
			foreignBackend, grantOpensServices, grantOpensSecrets, grantOpensObjects, grantToUnseen},
	)
}
