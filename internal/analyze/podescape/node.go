package podescape

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// unplaced is where pods meet that no node is known for: they may come to any node.
var unplaced = analyze.Place{Kind: analyze.PlaceNetwork, Name: "pods without a node"}

// controlPlaneLabels mark a node of the control plane (kubernetes.io: well-known labels).
var controlPlaneLabels = []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}

// controlPlanePods are the static pods that make a node one of the control plane.
var controlPlanePods = []string{"kube-apiserver-", "etcd-", "kube-controller-manager-"}

// holdings yields what falls with each node, the unknown node "" first.
func holdings(s *snapshot.Snapshot, yield func(analyze.Edge) bool) {
	pods := map[string][]*corev1.Pod{}
	nodes := map[string]*corev1.Node{}
	for _, n := range s.Nodes {
		nodes[n.Name] = n
		pods[n.Name] = nil
	}
	for _, p := range s.Pods {
		if !over(p) {
			pods[p.Spec.NodeName] = append(pods[p.Spec.NodeName], p)
		}
	}
	h := &holder{snapshot: s, yield: yield, unplaced: len(pods[""]) > 0}
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		h.node(name, nodes[name], pods[name])
	}
}

// holder yields the edges of nodes until nobody wants more.
type holder struct {
	snapshot *snapshot.Snapshot
	yield    func(analyze.Edge) bool
	unplaced bool
	done     bool
}

func (h *holder) add(e analyze.Edge) {
	if !h.done && !h.yield(e) {
		h.done = true
	}
}

func (h *holder) node(name string, n *corev1.Node, pods []*corev1.Pod) {
	place := analyze.Place{Kind: analyze.PlaceNode, Name: name}
	h.pods(place, pods)
	if name == "" {
		return
	}
	h.credentials(place, n)
	h.control(place, n, pods)
	if !h.unplaced {
		return
	}
	// A pod whose node is not known may be on this one: who takes "any node" takes it,
	// and who takes this one may find that pod here.
	placed := analyze.Edge{
		From: analyze.Place{Kind: analyze.PlaceNode}, To: place, ID: "NodeUnknown", Guarantee: guarantee.KRN5,
		Effect: "may be node " + name + ": where the pod runs is not known", Reference: "kubernetes.io: Assigning Pods to Nodes",
		Fix: "give each tenant nodes of its own (TenantClass spec.kernel.nodes)", Evidence: h.about(name, n, "", "may run it"),
	}
	if n != nil && keepsOut(n) {
		placed.Weak, placed.Effect = true, placed.Effect+", if the pod tolerates the node's taints"
	}
	h.add(placed)
	h.add(analyze.Edge{
		From: place, To: unplaced, ID: "NodeMayReceive", Guarantee: guarantee.KRN5, Weak: true,
		Effect: "waits for pods that are not placed yet", Reference: "kubernetes.io: Assigning Pods to Nodes",
		Fix: "give each tenant nodes of its own (TenantClass spec.kernel.nodes)", Evidence: h.about(name, n, "", "may receive pods"),
	})
}

func (h *holder) about(name string, n *corev1.Node, field, detail string) guarantee.Evidence {
	if n != nil {
		return analyze.About(h.snapshot, n, field, detail)
	}
	return analyze.AboutKey(h.snapshot, snapshot.ObjectKey{Kind: "Node", Name: name}, field, detail)
}

// keepsOut reports whether a node has a taint that a pod must tolerate to get there.
func keepsOut(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	})
}

// pods yields the pods on a node, their ServiceAccounts and the Secrets they mount.
func (h *holder) pods(place analyze.Place, pods []*corev1.Pod) {
	const fix = "give each tenant nodes of its own (TenantClass spec.kernel.nodes), or close the way onto the node"
	told := map[analyze.Place]bool{}
	add := func(e analyze.Edge) {
		if told[e.To] {
			return
		}
		told[e.To] = true
		e.From, e.Guarantee, e.Fix = place, guarantee.KRN5, fix
		h.add(e)
	}
	for _, p := range pods {
		on := analyze.About(h.snapshot, p, "spec.nodeName", "is "+place.Name)
		if place.Name == "" {
			on.Detail = "is not known: the pod may be on any node"
			h.add(analyze.Edge{
				From: unplaced, To: workload(p), ID: "NodeHoldsPod", Guarantee: guarantee.KRN5, Weak: true,
				Effect: "comes to a node", Reference: "kubernetes.io: Assigning Pods to Nodes", Fix: fix, Evidence: on,
			})
		}
		add(analyze.Edge{
			To: workload(p), ID: "NodeHoldsPod", Effect: "enters every container on the node",
			Reference: "ATT&CK T1609, kubernetes.io multi-tenancy: node isolation", Evidence: on,
		})
		if mirror(p) { // a static pod has no ServiceAccount and mounts no Secret
			continue
		}
		account := accountOf(p)
		add(analyze.Edge{
			To: account, ID: "NodeHoldsToken", Effect: "asks for tokens of ServiceAccount " + account.Namespace + "/" + account.Name + ", as the pod's kubelet may",
			Reference: "kubernetes.io: Using Node Authorization, KEP-1205", Evidence: on,
		})
		if field, name := secretOf(p); name != "" {
			add(analyze.Edge{
				To: analyze.Place{Kind: analyze.PlaceSecrets, Namespace: p.Namespace}, ID: "NodeReadsSecrets", Weak: true,
				Effect:    "reads the Secrets that the node's pods use; all of the namespace, if its pods use all",
				Reference: "kubernetes.io: Using Node Authorization", Evidence: analyze.About(h.snapshot, p, field, "uses Secret "+name),
			})
		}
	}
}

// credentials yields the identity of the node's kubelet.
func (h *holder) credentials(place analyze.Place, n *corev1.Node) {
	for _, name := range []string{"User system:node:" + place.Name, "Group system:nodes"} {
		h.add(analyze.Edge{
			From: place, To: analyze.Place{Kind: analyze.PlaceIdentity, Name: name}, ID: "NodeCredential", Guarantee: guarantee.API3,
			Effect: "uses the kubelet's client certificate", Reference: "ATT&CK T1552.004, kubernetes.io: Using Node Authorization",
			Fix:      "close the way onto the node; keep the Node authorizer and NodeRestriction on",
			Evidence: h.about(place.Name, n, "metadata.name", "its kubelet is system:node:"+place.Name),
		})
	}
}

// control yields the control plane, for a node that it runs on.
func (h *holder) control(place analyze.Place, n *corev1.Node, pods []*corev1.Pod) {
	e := analyze.Edge{
		From: place, To: analyze.Place{Kind: analyze.PlaceCluster}, ID: "NodeOfControlPlane", Guarantee: guarantee.API3,
		Effect: "reads the control plane's keys and etcd", Reference: "ATT&CK T1552.004, NSA/CISA: control plane hardening",
		Fix: "keep tenants' pods off the nodes of the control plane",
	}
	if n != nil {
		for _, label := range controlPlaneLabels {
			if _, ok := n.Labels[label]; ok {
				e.Evidence = h.about(place.Name, n, "metadata.labels["+label+"]", "marks a node of the control plane")
				h.add(e)
				return
			}
		}
	}
	for _, p := range pods {
		if p.Namespace == "kube-system" && mirror(p) && slices.ContainsFunc(controlPlanePods, func(c string) bool { return strings.HasPrefix(p.Name, c) }) {
			e.Evidence = analyze.About(h.snapshot, p, "metadata.annotations["+corev1.MirrorPodAnnotationKey+"]", "is a static pod of the control plane")
			h.add(e)
			return
		}
	}
}

// mirror reports whether a pod stands for a static one, which a file of the node makes.
func mirror(p *corev1.Pod) bool { return p.Annotations[corev1.MirrorPodAnnotationKey] != "" }

func accountOf(p *corev1.Pod) analyze.Place {
	name := p.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	return analyze.Place{Kind: analyze.PlaceIdentity, Namespace: p.Namespace, Name: name}
}
