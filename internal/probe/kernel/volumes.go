package kernel

import "watertight.dev/watertight/internal/probe"

// hostPaths tries the roads to a node's file system: a hostPath in a pod, one behind an
// inline CSI volume, and volumes of the cluster's that point at the node.
func hostPaths(t probe.Target) ([]probe.Try, string) {
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		control := probe.CreatePod(ns, probe.Pod(t))
		for what, source := range map[string]probe.Manifest{
			"mount the kubelet's folder":      {"hostPath": probe.Manifest{"path": "/var/lib/kubelet"}},
			"mount an inline CSI volume":      {"csi": probe.Manifest{"driver": "probe.watertight.dev"}},
			"mount the socket of the runtime": {"hostPath": probe.Manifest{"path": "/run/containerd/containerd.sock", "type": "Socket"}},
		} {
			source["name"] = "road"
			tries = append(tries, probe.Try{
				What: what + " in " + ns,
				Attack: probe.CreatePod(ns, probe.Pod(t, func(s, _ probe.Manifest) {
					s["volumes"] = []any{source}
				})),
				Control: control,
				By:      []probe.Refusal{probe.Guard, probe.PodSecurity},
				Mend:    "check that the guard policy on pods is installed and in force (watertight install)",
			})
		}
	}
	if len(tries) == 0 {
		return nil, noNamespace
	}
	for what, source := range map[string]probe.Manifest{
		"create a volume on a node's path": {"hostPath": probe.Manifest{"path": "/"}},
		"create a volume on a node's disk": {
			"local":        probe.Manifest{"path": "/"},
			"nodeAffinity": probe.Manifest{"required": probe.Manifest{"nodeSelectorTerms": []any{probe.Manifest{"matchExpressions": []any{probe.Manifest{"key": "kubernetes.io/os", "operator": "Exists"}}}}}},
		},
	} {
		source["capacity"], source["accessModes"] = probe.Manifest{"storage": "1Gi"}, []any{"ReadWriteOnce"}
		source["storageClassName"] = probe.Name
		tries = append(tries, probe.Try{
			What:    what,
			Attack:  probe.Request{Verb: "create", Resource: "v1/persistentvolumes", Body: probe.Object("v1", "PersistentVolume", probe.Manifest{"spec": source})},
			Control: probe.CreateConfigMap(t.Namespaces[0]),
			By:      []probe.Refusal{probe.RBAC, probe.Guard},
			Mend:    "take the right to create PersistentVolumes from the tenant's roles",
		})
	}
	return tries, ""
}
