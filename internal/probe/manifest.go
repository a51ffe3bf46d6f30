package probe

// Name is the name of every object that a probe asks for, and never stores. It must not
// begin with "watertight": the guards refuse such names whatever is in the object.
const Name = "isolation-probe"

// Manifest is a Kubernetes object as data.
type Manifest = map[string]any

// Object starts a manifest.
func Object(apiVersion, kind string, rest Manifest) Manifest {
	m := Manifest{"apiVersion": apiVersion, "kind": kind, "metadata": Manifest{"name": Name}}
	for k, v := range rest {
		m[k] = v
	}
	return m
}

// ConfigMap is the plainest object that an owner may create.
func ConfigMap() Manifest { return Object("v1", "ConfigMap", nil) }

// CreateConfigMap is the control of tries that authorization must refuse: it shows
// that the credential works and that the namespace takes objects.
func CreateConfigMap(namespace string) Request {
	return Request{Verb: "create", Resource: "v1/configmaps", Namespace: namespace, Body: ConfigMap()}
}

// CreatePod asks for a pod.
func CreatePod(namespace string, pod Manifest) Request {
	return Request{Verb: "create", Resource: "v1/pods", Namespace: namespace, Body: pod}
}

// Pod is a pod that keeps every rule of the tenant's class. Each edit breaks one.
func Pod(t Target, edits ...func(spec, container Manifest)) Manifest {
	image := Name
	if len(t.Class.Kernel.Registries) > 0 {
		image = t.Class.Kernel.Registries[0] + "/" + Name
	}
	container := Manifest{
		"name":  "probe",
		"image": image,
		"securityContext": Manifest{
			"allowPrivilegeEscalation": false,
			"capabilities":             Manifest{"drop": []any{"ALL"}},
		},
		"resources": Manifest{
			"requests": Manifest{"cpu": "1m", "memory": "1Mi", "ephemeral-storage": "1Mi"},
			"limits":   Manifest{"cpu": "1m", "memory": "1Mi", "ephemeral-storage": "1Mi"},
		},
	}
	spec := Manifest{
		"automountServiceAccountToken": false,
		"containers":                   []any{container},
		"securityContext": Manifest{
			"runAsNonRoot":   true,
			"runAsUser":      65532,
			"seccompProfile": Manifest{"type": "RuntimeDefault"},
		},
	}
	if name := t.RuntimeClass(); name != "" {
		spec["runtimeClassName"] = name
	}
	if sel := t.Class.Kernel.Nodes.Selector; len(sel) > 0 {
		selector := Manifest{}
		for k, v := range sel {
			selector[k] = v
		}
		spec["nodeSelector"] = selector
	}
	for _, edit := range edits {
		edit(spec, container)
	}
	return Object("v1", "Pod", Manifest{"spec": spec})
}
