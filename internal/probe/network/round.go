package network

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/probe"
)

const mendRound = "check that the guard policies on Services, endpoints and hostnames are installed and in force (watertight install)"

// waysRound tries to attract or send traffic without a NetworkPolicy's leave.
func waysRound(t probe.Target) ([]probe.Try, string) {
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		tries = append(tries, services(t, ns)...)
		tries = append(tries, endpoints(ns)...)
		tries = append(tries, hostnames(t, ns)...)
	}
	for i := range tries {
		tries[i].By = []probe.Refusal{probe.Guard, probe.RBAC}
		tries[i].Mend = mendRound
	}
	return tries, noNamespace
}

func createService(ns string, spec probe.Manifest) probe.Request {
	if spec["type"] != string(corev1.ServiceTypeExternalName) {
		spec["ports"] = []any{probe.Manifest{"port": 8080}}
	}
	return probe.Request{
		Verb: "create", Resource: "v1/services", Namespace: ns,
		Body: probe.Object("v1", "Service", probe.Manifest{"spec": spec}),
	}
}

// services are Services that claim addresses, node ports or foreign names.
func services(t probe.Target, ns string) []probe.Try {
	control := createService(ns, probe.Manifest{})
	tries := []probe.Try{
		{What: "claim an external IP in " + ns, Attack: createService(ns, probe.Manifest{"externalIPs": []any{"203.0.113.7"}}), Control: control},
		{What: "alias a foreign name by a Service of " + ns, Attack: createService(ns, probe.Manifest{"type": "ExternalName", "externalName": "db." + t.Foreign[0] + ".svc"}), Control: control},
	}
	for _, kind := range []corev1.ServiceType{corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer} {
		if slices.Contains(t.Class.Network.ServiceTypes, kind) {
			continue
		}
		tries = append(tries, probe.Try{
			What: "create a " + string(kind) + " Service in " + ns, Attack: createService(ns, probe.Manifest{"type": string(kind)}), Control: control,
		})
	}
	return tries
}

// endpoints are addresses written by hand, which no policy of the target sees.
func endpoints(ns string) []probe.Try {
	const discovery = "discovery.k8s.io/v1"
	slice := probe.Object(discovery, "EndpointSlice", probe.Manifest{
		"addressType": "IPv4", "endpoints": []any{probe.Manifest{"addresses": []any{"10.0.0.7"}}},
		"ports": []any{probe.Manifest{"port": 5432, "protocol": "TCP", "name": ""}},
	})
	addresses := probe.Object("v1", "Endpoints", probe.Manifest{"subsets": []any{probe.Manifest{
		"addresses": []any{probe.Manifest{"ip": "10.0.0.7"}}, "ports": []any{probe.Manifest{"port": 5432}},
	}}})
	control := createService(ns, probe.Manifest{})
	return []probe.Try{
		{What: "write an EndpointSlice in " + ns, Attack: probe.Request{Verb: "create", Resource: discovery + "/endpointslices", Namespace: ns, Body: slice}, Control: control},
		{What: "write Endpoints in " + ns, Attack: probe.Request{Verb: "create", Resource: "v1/endpoints", Namespace: ns, Body: addresses}, Control: control},
	}
}

// hostnames are Ingresses that take somebody else's traffic.
func hostnames(t probe.Target, ns string) []probe.Try {
	control := createService(ns, probe.Manifest{})
	if host := ownHost(t); host != "" {
		control = createIngress(t, ns, host)
	}
	tries := []probe.Try{
		{What: "claim a hostname outside its class in " + ns, Attack: createIngress(t, ns, "probe.watertight.invalid"), Control: control},
		{What: "claim every hostname in " + ns, Attack: createIngress(t, ns, ""), Control: control},
	}
	for _, pattern := range t.Class.Network.Hostnames {
		if t.Neighbour == "" || !strings.Contains(pattern, "{tenant}") {
			continue // without a tenant's name in it the pattern is shared by all tenants
		}
		tries = append(tries, probe.Try{
			What:   "claim the hostname of " + t.Neighbour + " in " + ns,
			Attack: createIngress(t, ns, hostOf(pattern, t.Neighbour)), Control: control,
		})
	}
	return tries
}

// ownHost is a hostname that the tenant may claim, "" for none.
func ownHost(t probe.Target) string {
	if len(t.Class.Network.Hostnames) == 0 || len(t.Class.Network.IngressClasses) == 0 {
		return ""
	}
	return hostOf(t.Class.Network.Hostnames[0], t.Tenant)
}

func hostOf(pattern, tenant string) string {
	return strings.ReplaceAll(strings.Replace(pattern, "*.", "probe.", 1), "{tenant}", tenant)
}

func createIngress(t probe.Target, ns, host string) probe.Request {
	rule := probe.Manifest{"http": probe.Manifest{"paths": []any{probe.Manifest{
		"path": "/", "pathType": "Prefix",
		"backend": probe.Manifest{"service": probe.Manifest{"name": probe.Name, "port": probe.Manifest{"number": 8080}}},
	}}}}
	if host != "" {
		rule["host"] = host
	}
	spec := probe.Manifest{"rules": []any{rule}}
	if classes := t.Class.Network.IngressClasses; len(classes) > 0 {
		spec["ingressClassName"] = classes[0]
	}
	return probe.Request{
		Verb: "create", Resource: "networking.k8s.io/v1/ingresses", Namespace: ns,
		Body: probe.Object("networking.k8s.io/v1", "Ingress", probe.Manifest{"spec": spec}),
	}
}
