// Package placement tells to which nodes a pod may come, by what the scheduler must
// obey: the node named, node selector, required affinity and taints. It does not know
// what the scheduler may also weigh (free room, spreading, preferences).
package placement

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// Nodes are the nodes of a snapshot.
type Nodes struct {
	list   []*corev1.Node
	byName map[string]*corev1.Node
	// guarded are the labels that admission adds to a folder's pods, by namespace.
	guarded map[string]map[string]string
}

// In reads the nodes of a snapshot.
func In(s *snapshot.Snapshot) *Nodes {
	x := &Nodes{list: s.Nodes, byName: map[string]*corev1.Node{}, guarded: map[string]map[string]string{}}
	for _, n := range s.Nodes {
		x.byName[n.Name] = n
	}
	if len(s.MutationBindings) > 0 {
		for _, g := range s.Guards {
			x.guarded[g.Namespace] = g.Spec.NodeSelector
		}
	}
	return x
}

// Of lists the nodes that a pod is on or may come to. It is not known where the snapshot
// has no nodes, or not the one that the pod names.
func (x *Nodes) Of(p *corev1.Pod) (nodes []*corev1.Node, known bool) {
	if p.Spec.NodeName != "" {
		n := x.byName[p.Spec.NodeName]
		if n == nil {
			return nil, false
		}
		return []*corev1.Node{n}, true
	}
	for _, n := range x.list {
		if x.May(p, n) {
			nodes = append(nodes, n)
		}
	}
	return nodes, len(x.list) > 0
}

// Selector is the pod's node selector, with what admission adds to a pod of a folder.
func (x *Nodes) Selector(p *corev1.Pod) map[string]string {
	added := x.guarded[p.Namespace]
	if !snapshot.Synthetic(p) || len(added) == 0 {
		return p.Spec.NodeSelector
	}
	selector := maps.Clone(added)
	maps.Copy(selector, p.Spec.NodeSelector)
	return selector
}

// May reports whether a pod is or may come on a node. A node that takes no pods for now
// counts as one that does.
func (x *Nodes) May(p *corev1.Pod, n *corev1.Node) bool {
	if p.Spec.NodeName != "" {
		return p.Spec.NodeName == n.Name
	}
	for k, v := range x.Selector(p) {
		if have, ok := n.Labels[k]; !ok || have != v {
			return false
		}
	}
	return affine(p, n) && tolerates(p, n)
}

// affine matches the terms of the required node affinity; they are alternatives.
func affine(p *corev1.Pod, n *corev1.Node) bool {
	if p.Spec.Affinity == nil || p.Spec.Affinity.NodeAffinity == nil {
		return true
	}
	required := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return true
	}
	return slices.ContainsFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		if len(t.MatchExpressions)+len(t.MatchFields) == 0 {
			return false // an empty term matches no node
		}
		for _, r := range t.MatchExpressions {
			if !matches(r, n.Labels) {
				return false
			}
		}
		for _, r := range t.MatchFields {
			if !matches(r, map[string]string{"metadata.name": n.Name}) {
				return false
			}
		}
		return true
	})
}

// matches follows k8s.io: NodeSelectorRequirement. What is not understood may match.
func matches(r corev1.NodeSelectorRequirement, labels map[string]string) bool {
	have, ok := labels[r.Key]
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		return ok && slices.Contains(r.Values, have)
	case corev1.NodeSelectorOpNotIn:
		return !ok || !slices.Contains(r.Values, have)
	case corev1.NodeSelectorOpExists:
		return ok
	case corev1.NodeSelectorOpDoesNotExist:
		return !ok
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(r.Values) != 1 {
			return false
		}
		a, errA := strconv.ParseInt(have, 10, 64)
		b, errB := strconv.ParseInt(r.Values[0], 10, 64)
		if !ok || errA != nil || errB != nil {
			return false
		}
		return r.Operator == corev1.NodeSelectorOpGt && a > b || r.Operator == corev1.NodeSelectorOpLt && a < b
	}
	return true
}

func tolerates(p *corev1.Pod, n *corev1.Node) bool {
	for _, taint := range n.Spec.Taints {
		if taint.Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		if !slices.ContainsFunc(p.Spec.Tolerations, func(t corev1.Toleration) bool { return Tolerates(t, taint) }) {
			return false
		}
	}
	return true
}

// Tolerates matches a toleration with a taint (kubernetes.io: Taints and Tolerations). An
// operator that is not understood may tolerate.
func Tolerates(t corev1.Toleration, taint corev1.Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
		return false
	}
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		return t.Key != "" && t.Value == taint.Value
	}
	return true
}
