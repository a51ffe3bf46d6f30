package api

import (
	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
)

// readable is what a tenant would like to read of others.
var readable = []string{
	"v1/secrets", "v1/configmaps", "v1/pods", "v1/services", "v1/serviceaccounts", "v1/persistentvolumeclaims",
	"apps/v1/deployments", "networking.k8s.io/v1/networkpolicies", "rbac.authorization.k8s.io/v1/rolebindings",
}

// reads tries to read the neighbours' objects, and everybody's at once.
func reads(t probe.Target) ([]probe.Try, string) {
	ns, ok := own(t)
	if !ok {
		return nil, noNamespace
	}
	var tries []probe.Try
	add := func(what string, r probe.Request) {
		tries = append(tries, probe.Try{
			What: what, Attack: r, By: []probe.Refusal{probe.RBAC}, Mend: mend(t, guarantee.API1),
			Control: probe.Request{Verb: "list", Resource: "v1/configmaps", Namespace: ns},
		})
	}
	for _, foreign := range t.Foreign {
		for _, resource := range readable {
			add("list "+resource+" of "+foreign, probe.Request{Verb: "list", Resource: resource, Namespace: foreign})
		}
		add("get a Secret of "+foreign, probe.Request{Verb: "get", Resource: "v1/secrets", Namespace: foreign, Name: probe.Name})
		add("read pod logs of "+foreign, probe.Request{Verb: "get", Resource: "v1/pods", Subresource: "log", Namespace: foreign, Name: probe.Name})
	}
	for _, resource := range readable {
		add("list "+resource+" of the whole cluster", probe.Request{Verb: "list", Resource: resource})
	}
	tenants := v1alpha1.GroupVersion.String() + "/tenants"
	add("list all Tenants", probe.Request{Verb: "list", Resource: tenants})
	add("list all namespaces", probe.Request{Verb: "list", Resource: "v1/namespaces"})
	if t.Neighbour != "" {
		add("get the Tenant of a neighbour", probe.Request{Verb: "get", Resource: tenants, Name: t.Neighbour})
	}
	return tries, ""
}

// writable are plain objects to put into a neighbour's namespace.
func writable(t probe.Target) map[string]probe.Manifest {
	return map[string]probe.Manifest{
		"v1/configmaps": probe.ConfigMap(),
		"v1/secrets":    probe.Object("v1", "Secret", nil),
		"v1/pods":       probe.Pod(t),
		"v1/services": probe.Object("v1", "Service", probe.Manifest{
			"spec": probe.Manifest{"ports": []any{probe.Manifest{"port": 80}}},
		}),
		"networking.k8s.io/v1/networkpolicies": probe.Object("networking.k8s.io/v1", "NetworkPolicy", probe.Manifest{
			"spec": probe.Manifest{"podSelector": probe.Manifest{}},
		}),
	}
}

// writes tries to change the neighbours' objects, and the cluster's.
func writes(t probe.Target) ([]probe.Try, string) {
	ns, ok := own(t)
	if !ok {
		return nil, noNamespace
	}
	var tries []probe.Try
	add := func(what string, r probe.Request) {
		tries = append(tries, probe.Try{
			What: what, Attack: r, By: []probe.Refusal{probe.RBAC}, Mend: mend(t, guarantee.API2), Control: probe.CreateConfigMap(ns),
		})
	}
	for _, foreign := range t.Foreign {
		for resource, body := range writable(t) {
			add("create "+resource+" in "+foreign, probe.Request{Verb: "create", Resource: resource, Namespace: foreign, Body: body})
			add("delete all "+resource+" of "+foreign, probe.Request{Verb: "deletecollection", Resource: resource, Namespace: foreign})
		}
		// The API server's own controller puts this ConfigMap into every namespace.
		const everywhere = "kube-root-ca.crt"
		add("change a ConfigMap of "+foreign, probe.Request{
			Verb: "patch", Resource: "v1/configmaps", Namespace: foreign, Name: everywhere,
			Body: probe.Manifest{"data": probe.Manifest{"probe": "1"}},
		})
		add("delete a ConfigMap of "+foreign, probe.Request{Verb: "delete", Resource: "v1/configmaps", Namespace: foreign, Name: everywhere})
		add("delete the namespace "+foreign, probe.Request{Verb: "delete", Resource: "v1/namespaces", Name: foreign})
	}
	for _, c := range clusterWide(t) {
		add("create "+c.resource, probe.Request{Verb: "create", Resource: c.resource, Body: c.body})
	}
	return tries, ""
}

// creation is an object of no namespace that no tenant may create.
type creation struct {
	resource string
	body     probe.Manifest
}

// clusterWide lists them.
func clusterWide(t probe.Target) []creation {
	return []creation{
		{"v1/namespaces", probe.Object("v1", "Namespace", nil)},
		{"v1/persistentvolumes", probe.Object("v1", "PersistentVolume", probe.Manifest{"spec": probe.Manifest{
			"capacity": probe.Manifest{"storage": "1Gi"}, "accessModes": []any{"ReadWriteOnce"},
			"storageClassName": probe.Name, "hostPath": probe.Manifest{"path": "/"},
		}})},
		{"storage.k8s.io/v1/storageclasses", probe.Object("storage.k8s.io/v1", "StorageClass", probe.Manifest{"provisioner": "probe.watertight.dev"})},
		{"scheduling.k8s.io/v1/priorityclasses", probe.Object("scheduling.k8s.io/v1", "PriorityClass", probe.Manifest{"value": 1})},
		{"node.k8s.io/v1/runtimeclasses", probe.Object("node.k8s.io/v1", "RuntimeClass", probe.Manifest{"handler": "runc"})},
		{v1alpha1.GroupVersion.String() + "/tenants", probe.Object(v1alpha1.GroupVersion.String(), "Tenant", probe.Manifest{
			"metadata": probe.Manifest{"name": "probe"},
			"spec":     probe.Manifest{"className": t.Spec.ClassName, "namespaces": []any{probe.Manifest{"name": "a"}}},
		})},
		{v1alpha1.GroupVersion.String() + "/tenantclasses", probe.Object(v1alpha1.GroupVersion.String(), "TenantClass", probe.Manifest{
			"spec": probe.Manifest{"kernel": probe.Manifest{"podSecurity": "privileged"}},
		})},
	}
}
