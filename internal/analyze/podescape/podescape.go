// Package podescape lists the ways out of a pod onto its node, and from a node onto all
// that it holds, as edges of the attack graph. Each way is data, weighed by the sandbox
// the pod runs behind. It gives no verdicts: podsecurity and nodesharing judge.
package podescape

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/podescape/sandbox"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Analyzer finds edges only: it answers no guarantee.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{
		Name:  "podescape",
		Run:   func(*snapshot.Snapshot) []guarantee.Finding { return nil },
		Edges: Edges,
	}
}

// Edges yields the ways from pods to their nodes, then those from nodes to what they
// hold (KubeHound's container escape and volume edges are the floor of the list).
func Edges(s *snapshot.Snapshot, yield func(analyze.Edge) bool) {
	if !escapes(s, yield) {
		return
	}
	holdings(s, yield)
}

// escapes yields the ways out of every running pod.
func escapes(s *snapshot.Snapshot, yield func(analyze.Edge) bool) bool {
	sandboxes, volumes := sandbox.In(s), volumesOf(s)
	for _, p := range s.Pods {
		if over(p) {
			continue
		}
		t := &subject{
			snapshot: s, pod: p, sandbox: sandboxes.Of(p), containers: containersOf(p),
			mapped: p.Spec.HostUsers != nil && !*p.Spec.HostUsers,
		}
		t.mounts = volumes.mounts(t)
		for i := range rules {
			for _, spot := range rules[i].find(t) {
				if !yield(t.edge(&rules[i], spot)) {
					return false
				}
			}
		}
	}
	return true
}

// over reports whether a pod has come to its end: nothing runs in it.
func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// edge weighs one way out: what the rule, the spot, the user namespace or the sandbox
// holds back is weak, and the effect says why.
func (t *subject) edge(r *rule, s spot) analyze.Edge {
	e := analyze.Edge{
		From: workload(t.pod), To: nodeOf(t.pod), ID: r.id, Guarantee: cmp.Or(s.guarantee, r.guarantee),
		Effect: cmp.Or(s.effect, r.effect), Reference: r.reference, Fix: r.fix, Evidence: s.evidence,
	}
	reasons := []string{r.weak, s.weak, barriers[r.means][t.sandbox.Kind]}
	if t.mapped {
		reasons = append(reasons, r.mapped)
	}
	if i := slices.IndexFunc(reasons, func(why string) bool { return why != "" }); i >= 0 {
		e.Weak = true
		e.Effect += ", if " + reasons[i]
	}
	return e
}

// workload is the place of a pod.
func workload(p *corev1.Pod) analyze.Place {
	return analyze.Place{Kind: analyze.PlaceWorkload, Namespace: p.Namespace, Name: p.Name}
}

// nodeOf is the place of a pod's node: any node, where it is not known.
func nodeOf(p *corev1.Pod) analyze.Place {
	return analyze.Place{Kind: analyze.PlaceNode, Name: p.Spec.NodeName}
}
