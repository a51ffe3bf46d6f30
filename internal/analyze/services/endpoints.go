package services

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// mirrored slices repeat an Endpoints object, which is judged itself.
const mirroring = "endpointslicemirroring-controller.k8s.io"

// endpoints judges Endpoints objects; the controller's own name pods of the namespace.
func (j *judge) endpoints() {
	for _, e := range j.snapshot.Endpoints {
		if !j.mine(e) {
			continue
		}
		for i, subset := range e.Subsets {
			for k, a := range slices.Concat(subset.Addresses, subset.NotReadyAddresses) {
				at := fmt.Sprintf("subsets[%d].addresses[%d].ip", i, k)
				if k >= len(subset.Addresses) {
					at = fmt.Sprintf("subsets[%d].notReadyAddresses[%d].ip", i, k-len(subset.Addresses))
				}
				if j.foreign(e, at, a.IP, a.TargetRef) {
					break // one per subset says it
				}
			}
		}
	}
}

// slices judges EndpointSlices.
func (j *judge) slices() {
	for _, e := range j.snapshot.EndpointSlices {
		if e.Labels[discoveryv1.LabelManagedBy] == mirroring || !j.mine(e) {
			continue
		}
		for i, endpoint := range e.Endpoints {
			bad := slices.ContainsFunc(endpoint.Addresses, func(ip string) bool {
				return j.foreign(e, fmt.Sprintf("endpoints[%d].addresses", i), ip, endpoint.TargetRef)
			})
			if bad {
				break
			}
		}
	}
}

// foreign reports, and notes, that an address is not that of a pod of the namespace. A
// reference to a pod counts only while no other namespace's pod has the address: who
// writes endpoints writes their references too.
func (j *judge) foreign(o snapshot.Object, field, ip string, target *corev1.ObjectReference) bool {
	owners := j.places[ip]
	switch {
	case slices.Contains(owners, o.GetNamespace()):
		return false
	case len(owners) > 0:
		j.broken(o, "ForeignEndpoint", field, fmt.Sprintf("points at %s, a pod of namespace %s", ip, owners[0]), "remove the address")
		return true
	case target != nil && target.Kind == "Pod" && target.Namespace == o.GetNamespace():
		return false
	}
	if !j.ledger.Complete("Pod") {
		return false // it may be a pod of the namespace
	}
	j.broken(o, "ManualEndpoint", field, "points at "+ip+", which is no pod of the namespace", "select pods by the Service's spec.selector")
	return true
}
