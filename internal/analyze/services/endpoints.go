package services

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/services/address"
	"watertight.dev/watertight/internal/snapshot"
)

const (
	// mirroring slices repeat an Endpoints object, which is judged itself.
	mirroring = "endpointslicemirroring-controller.k8s.io"
	// selecting slices are the controller's own.
	selecting = "endpointslice-controller.k8s.io"
)

// endpoint is one address of an Endpoints object or a slice.
type endpoint struct {
	object snapshot.Object
	field  string
	text   string
	target *corev1.ObjectReference
	// kept is set where a controller corrects what others write: a Service with a
	// selector stands behind the object.
	kept bool
}

// endpoints judges Endpoints objects; the controller's own name pods of the namespace.
func (j *judge) endpoints(n *space) {
	for _, e := range n.endpoints {
		svc := n.byName[e.Name]
		kept := svc != nil && len(svc.Spec.Selector) > 0
		for i, subset := range e.Subsets {
			for k, a := range slices.Concat(subset.Addresses, subset.NotReadyAddresses) {
				at := fmt.Sprintf("subsets[%d].addresses[%d].ip", i, k)
				if k >= len(subset.Addresses) {
					at = fmt.Sprintf("subsets[%d].notReadyAddresses[%d].ip", i, k-len(subset.Addresses))
				}
				if j.stray(endpoint{e, at, a.IP, a.TargetRef, kept}) {
					break // one per subset says it
				}
			}
		}
	}
}

// endpointSlices judges EndpointSlices; readiness does not matter, because it changes.
func (j *judge) endpointSlices(n *space) {
	for _, e := range n.slices {
		if e.Labels[discoveryv1.LabelManagedBy] == mirroring && n.mirrored(e) {
			continue
		}
		kept := n.kept(e)
		for i, p := range e.Endpoints {
			bad := slices.ContainsFunc(p.Addresses, func(ip string) bool {
				return j.stray(endpoint{e, fmt.Sprintf("endpoints[%d].addresses", i), ip, p.TargetRef, kept})
			})
			if bad {
				break
			}
		}
	}
}

// mirrored reports whether a slice's Endpoints object is there to be judged: the label
// alone says nothing, a tenant may write it.
func (n *space) mirrored(e *discoveryv1.EndpointSlice) bool {
	return n.mirrors[e.Labels[discoveryv1.LabelServiceName]]
}

// kept reports whether the endpointslice controller owns a slice: it takes away what is
// no pod of its Service.
func (n *space) kept(e *discoveryv1.EndpointSlice) bool {
	svc := n.byName[e.Labels[discoveryv1.LabelServiceName]]
	return e.Labels[discoveryv1.LabelManagedBy] == selecting && svc != nil && len(svc.Spec.Selector) > 0
}

// stray reports, and notes, that an address is not that of a pod of the namespace.
func (j *judge) stray(e endpoint) bool {
	readings := address.Read(e.text)
	for _, ip := range readings {
		if rule, fact := j.misplaced(e, ip); rule.ID != "" {
			j.note(rule, e.object, e.field, "points at "+clip(e.text)+", "+fact)
			return true
		}
	}
	if slices.ContainsFunc(readings, func(ip netip.Addr) bool { return j.own(e, ip) }) {
		return false
	}
	return j.unowned(e)
}

// own reports whether a pod of the namespace has the address.
func (j *judge) own(e endpoint, ip netip.Addr) bool {
	return slices.ContainsFunc(j.places.of(ip).pods, func(p *corev1.Pod) bool { return p.Namespace == e.object.GetNamespace() })
}

// misplaced says which rule an address breaks because of what is there. A reference to a
// pod counts for nothing against that: who writes endpoints writes their references too.
func (j *judge) misplaced(e endpoint, ip netip.Addr) (Rule, string) {
	switch kind, name, reference := address.Special(ip); kind {
	case address.Metadata:
		return metadataEndpoint, name + " (" + reference + ")"
	case address.Local:
		return localEndpoint, name
	}
	at := j.places.of(ip)
	switch {
	case at.apiServer:
		return apiServerEndpoint, "the API server"
	case j.own(e, ip):
		return Rule{}, ""
	case len(at.pods) > 0:
		return foreignEndpoint, "a pod of namespace " + at.pods[0].Namespace
	case at.node != "" && e.kept:
		return Rule{}, "" // the Service selects a pod on the host's network, and is charged itself
	case at.node != "":
		return nodeEndpoint, "node " + at.node
	case len(at.services) > 0 && at.services[0].Namespace != e.object.GetNamespace():
		return clusterIPEndpoint, "the cluster address of a Service in namespace " + at.services[0].Namespace
	}
	return Rule{}, ""
}

// unowned judges an address of which nothing is known. A reference to a pod that is not
// there, or has no address yet, proves nothing: its author may have made it up.
func (j *judge) unowned(e endpoint) bool {
	if !j.ledger.Complete("Pod") {
		return false // it may be a pod of the namespace
	}
	if e.kept {
		return false // a pod that came or went while the picture was taken
	}
	t := e.target
	if t == nil || t.Kind != "Pod" || t.Namespace != e.object.GetNamespace() {
		j.note(manualEndpoint, e.object, e.field, "points at "+clip(e.text)+", which is no pod of the namespace")
		return true
	}
	pod := j.pods()[snapshot.ObjectKey{Namespace: t.Namespace, Name: t.Name}]
	if pod != nil && !finished(pod) && pod.Status.PodIP != "" {
		j.note(manualEndpoint, e.object, e.field, fmt.Sprintf("points at %s, while pod %s is at %s", clip(e.text), clip(t.Name), pod.Status.PodIP),
			analyze.About(j.snapshot, pod, "status.podIP", "is "+pod.Status.PodIP))
		return true
	}
	j.note(endpointUnproven, e.object, e.field, "points at "+clip(e.text)+" as pod "+clip(t.Name))
	return true
}
