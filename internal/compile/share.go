package compile

import (
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"watertight.dev/watertight/api/v1alpha1"
)

// shared joins one of the tenant's halves of a share with the other tenant's halves.
// It opens exactly what both declare: the same direction, namespaces that both name
// (or one leaves open), pods that carry both's labels, ports that both allow. One half
// alone opens nothing.
func (b *builder) shared(mine v1alpha1.Flow) []link {
	outbound := mine.To.Tenant != ""
	foreign := mine.From.Tenant
	if outbound {
		foreign = mine.To.Tenant
	}
	if foreign == b.Tenant.Name {
		return nil // a tenant is no stranger to itself
	}
	i := slices.IndexFunc(b.Peers, func(t *v1alpha1.Tenant) bool { return t.Name == foreign && t.DeletionTimestamp == nil })
	if i < 0 {
		return nil
	}
	peer := b.Peers[i]
	var out []link
	for _, theirs := range peer.Spec.Network.Flows {
		if j, ok := b.join(mine, theirs, peer, outbound); ok && len(out) < maxJoined {
			out = append(out, j)
		}
	}
	return out
}

// maxJoined bounds how many of a partner's halves one of ours is joined with, and
// maxPorts how many ranges a joined half has, so that a partner cannot grow our policies
// past what the API server stores. What is left out stays closed.
const (
	maxJoined = 16
	maxPorts  = 64
)

// join is the intersection of two halves, seen from this tenant.
func (b *builder) join(mine, theirs v1alpha1.Flow, peer *v1alpha1.Tenant, outbound bool) (link, bool) {
	near, far := mine.To, mine.From // of my half: my end and the foreign end
	theirNear, theirFar := theirs.From, theirs.To
	if outbound {
		near, far = mine.From, mine.To
		theirNear, theirFar = theirs.To, theirs.From
	}
	// Their near end is theirs, their far end names this tenant.
	if theirNear.Tenant != "" || theirNear.Namespace == "" || theirFar.Tenant != b.Tenant.Name {
		return link{}, false
	}
	// What their half says goes into our policies: labels that are none would stop them.
	for _, labels := range []map[string]string{theirNear.Pods, theirFar.Pods} {
		if _, why := badLabel(labels); why != "" {
			return link{}, false
		}
	}
	if far.Namespace != "" && far.Namespace != theirNear.Namespace ||
		theirFar.Namespace != "" && theirFar.Namespace != near.Namespace ||
		!declares(peer, theirNear.Namespace) {
		return link{}, false
	}
	myPods, ok1 := mergeLabels(near.Pods, theirFar.Pods)
	theirPods, ok2 := mergeLabels(theirNear.Pods, far.Pods)
	ports, ok3 := intersectPorts(mine.Ports, theirs.Ports)
	if !ok1 || !ok2 || !ok3 {
		return link{}, false
	}
	mineEnd := end{namespace: near.Namespace, pods: myPods}
	theirEnd := end{peers: []networkingv1.NetworkPolicyPeer{
		podPeer(v1alpha1.NamespaceName(peer.Name, theirNear.Namespace), theirPods)}}
	if outbound {
		return link{from: mineEnd, to: theirEnd, ports: policyPorts(ports)}, true
	}
	return link{from: theirEnd, to: mineEnd, ports: policyPorts(ports)}, true
}

func declares(t *v1alpha1.Tenant, namespace string) bool {
	return slices.ContainsFunc(t.Spec.Namespaces, func(n v1alpha1.TenantNamespace) bool { return n.Name == namespace })
}

// mergeLabels is the selector that matches what both match; false where nothing can.
func mergeLabels(a, b map[string]string) (map[string]string, bool) {
	if len(a) == 0 {
		return b, true
	}
	out := maps.Clone(a)
	for k, v := range b {
		if w, ok := out[k]; ok && w != v {
			return nil, false
		}
		out[k] = v
	}
	return out, true
}

// intersectPorts is the ports that both lists allow; an empty list allows every port.
// It is false where no port is left.
func intersectPorts(a, b []v1alpha1.FlowPort) ([]v1alpha1.FlowPort, bool) {
	if len(a) == 0 {
		return b, true
	}
	if len(b) == 0 {
		return a, true
	}
	var out []v1alpha1.FlowPort
	for _, p := range a {
		for _, q := range b {
			low, high := max(p.Port, q.Port), min(last(p), last(q))
			if protocol(p) == protocol(q) && low <= high {
				out = append(out, v1alpha1.FlowPort{Port: low, EndPort: &high, Protocol: protocol(p)})
			}
		}
	}
	return out, len(out) > 0 && len(out) <= maxPorts
}

func last(p v1alpha1.FlowPort) int32 {
	if p.EndPort != nil {
		return *p.EndPort
	}
	return p.Port
}
