// Package nodesharing asks whether tenants share nodes only as their class says (KRN-5):
// whether a tenant's pods keep to the class's pool of nodes, and who else comes there.
// Pods that are no tenant's are the platform's own and are not judged.
package nodesharing

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/nodesharing/placement"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{guarantee.KRN5}

// podKinds are the kinds without which the pods are not all known.
var podKinds = []string{
	"Tenant", "TenantClass", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job",
	"CronJob", "ReplicationController",
}

// Analyzer judges KRN-5.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "nodesharing", Guarantees: slices.Clone(answered), Run: Run}
}

// judge is what the judgements of one tenant share.
type judge struct {
	snapshot   *snapshot.Snapshot
	nodes      *placement.Nodes
	tenant     *v1alpha1.Tenant
	class      *v1alpha1.TenantClass
	namespaces []string
	ledger     *analyze.Ledger
	pods       int
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	nodes := placement.In(s)
	guests := guestsOf(s)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := &judge{
			snapshot: s, nodes: nodes, tenant: t, class: s.ClassOf(t),
			namespaces: s.NamespacesOf(t.Name), ledger: analyze.NewLedger(s, t.Name),
		}
		switch {
		case j.class == nil:
			j.ledger.Doubt(guarantee.KRN5, "ClassNotFound", fmt.Sprintf("TenantClass %s of tenant %s does not exist: create it or correct spec.className", t.Spec.ClassName, t.Name),
				analyze.AboutTenant(s, t.Name, "spec.className", t.Spec.ClassName))
		case len(j.class.Spec.Kernel.Nodes.Selector) == 0:
			j.ledger.NotPromised(guarantee.KRN5, "class "+j.class.Name+" has no nodes of its own (kernel.nodes.selector is empty)")
		default:
			j.judge(guests)
		}
		findings = append(findings, j.ledger.Close(answered)...)
	}
	return findings
}

func (j *judge) judge(guests *guests) {
	for _, ns := range j.namespaces {
		for _, p := range j.snapshot.PodsIn(ns) {
			if over(p) {
				continue
			}
			j.pods++
			j.place(p)
			j.tolerations(p)
		}
	}
	pool := j.pool()
	if len(pool) == 0 {
		j.ledger.Doubt(guarantee.KRN5, "PoolNotSeen", fmt.Sprintf("no node with the labels %s is in the picture: who else may come there is unknown", j.labels()),
			analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.className", "class "+j.class.Name+" names nodes "+j.labels()))
	}
	j.guests(pool, guests)
	j.classes(pool, guests)
	j.ledger.NeedsNamespaces(answered)
	j.ledger.Needs(answered, append(slices.Clone(podKinds), "Node", "Guard", "MutatingAdmissionPolicyBinding")...)
	j.ledger.Hold(guarantee.KRN5, "PoolKept", fmt.Sprintf("its %d pods keep to the %d nodes of class %s (%s), and no pod of another class may come there", j.pods, len(pool), j.class.Name, j.labels()),
		analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.className", "class "+j.class.Name+" names nodes "+j.labels()))
}

func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// labels prints the class's node selector.
func (j *judge) labels() string { return labels.Set(j.class.Spec.Kernel.Nodes.Selector).String() }

// pool is the class's nodes.
func (j *judge) pool() []*corev1.Node {
	var out []*corev1.Node
	for _, n := range j.snapshot.Nodes {
		if j.inPool(n) {
			out = append(out, n)
		}
	}
	return out
}

func (j *judge) inPool(n *corev1.Node) bool {
	return within(j.class.Spec.Kernel.Nodes.Selector, n.Labels)
}

func within(wanted, have map[string]string) bool {
	for k, v := range wanted {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// place judges where one of the tenant's pods is, or may come to.
func (j *judge) place(p *corev1.Pod) {
	nodes, known := j.nodes.Of(p)
	outside := func(n *corev1.Node) bool { return !j.inPool(n) }
	switch i := slices.IndexFunc(nodes, outside); {
	case p.Spec.NodeName != "" && !known:
		j.ledger.Doubt(guarantee.KRN5, "NodeNotSeen", fmt.Sprintf("%s is on node %s, which is not in the picture: whether that is one of class %s is unknown", name(p), p.Spec.NodeName, j.class.Name),
			analyze.About(j.snapshot, p, "spec.nodeName", "is "+p.Spec.NodeName))
	case p.Spec.NodeName != "" && i >= 0:
		j.ledger.Break(guarantee.KRN5, "OutsidePool", fmt.Sprintf("%s runs on node %s, which is not one of class %s (%s): delete the pod, and let the scheduler place it by spec.nodeSelector", name(p), p.Spec.NodeName, j.class.Name, j.labels()),
			analyze.About(j.snapshot, p, "spec.nodeName", "is "+p.Spec.NodeName), analyze.About(j.snapshot, nodes[i], "metadata.labels", "lack "+j.labels()))
	case p.Spec.NodeName != "" || within(j.class.Spec.Kernel.Nodes.Selector, j.nodes.Selector(p)):
	case i >= 0:
		j.ledger.Break(guarantee.KRN5, "MayLeavePool", fmt.Sprintf("%s may come to node %s, which is not one of class %s: set spec.nodeSelector to %s", name(p), nodes[i].Name, j.class.Name, j.labels()),
			analyze.About(j.snapshot, p, "spec.nodeSelector", "does not name "+j.labels()), analyze.About(j.snapshot, nodes[i], "metadata.labels", "lack "+j.labels()))
	case !known:
		j.ledger.Break(guarantee.KRN5, "MayLeavePool", fmt.Sprintf("%s names no nodes of class %s, and may come to any: set spec.nodeSelector to %s", name(p), j.class.Name, j.labels()),
			analyze.About(j.snapshot, p, "spec.nodeSelector", "does not name "+j.labels()))
	}
}

// conditions is the prefix of the taints that Kubernetes itself sets on a node's troubles.
const conditions = "node.kubernetes.io/"

// tolerations judges what carries a pod onto nodes that are kept for others.
func (j *judge) tolerations(p *corev1.Pod) {
	for i, t := range p.Spec.Tolerations {
		if strings.HasPrefix(t.Key, conditions) || slices.ContainsFunc(j.class.Spec.Kernel.Nodes.Tolerations, func(a corev1.Toleration) bool { return covers(a, t) }) {
			continue
		}
		j.ledger.Break(guarantee.KRN5, "TolerationForbidden", fmt.Sprintf("%s tolerates taints that class %s does not (%s): remove the toleration", name(p), j.class.Name, describe(t)),
			analyze.About(j.snapshot, p, fmt.Sprintf("spec.tolerations[%d]", i), "tolerates "+describe(t)))
	}
}

// covers reports whether the class's toleration allows a pod's: the same, or narrower in
// its effect.
func covers(class, pod corev1.Toleration) bool {
	operator := func(t corev1.Toleration) corev1.TolerationOperator {
		if t.Operator == "" {
			return corev1.TolerationOpEqual
		}
		return t.Operator
	}
	return class.Key == pod.Key && class.Value == pod.Value && operator(class) == operator(pod) &&
		(class.Effect == "" || class.Effect == pod.Effect)
}

func describe(t corev1.Toleration) string {
	text := t.Key
	if text == "" {
		text = "every key"
	}
	if t.Value != "" {
		text += "=" + t.Value
	}
	if t.Effect != "" {
		text += ":" + string(t.Effect)
	}
	return text
}

func name(p *corev1.Pod) string { return snapshot.KeyOf(p).String() }
