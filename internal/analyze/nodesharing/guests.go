package nodesharing

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/nodesharing/placement"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// guests are tenants' pods by where they are: on a node, or on none yet.
type guests struct {
	on       map[string][]*corev1.Pod
	unplaced []*corev1.Pod
	// classes of tenants that there are, by name.
	classes []*v1alpha1.TenantClass
	class   map[string]*v1alpha1.TenantClass
	// seen are the strangers of a class, which are the same for all of its tenants.
	seen map[*v1alpha1.TenantClass][]visit
}

// visit is a stranger on a node, or one that may come there.
type visit struct {
	pod  *corev1.Pod
	node *corev1.Node
}

func guestsOf(s *snapshot.Snapshot) *guests {
	g := &guests{on: map[string][]*corev1.Pod{}, class: map[string]*v1alpha1.TenantClass{}, seen: map[*v1alpha1.TenantClass][]visit{}}
	for _, t := range s.Tenants {
		c := s.ClassOf(t)
		g.class[t.Name] = c
		if c != nil && !slices.Contains(g.classes, c) {
			g.classes = append(g.classes, c)
		}
	}
	slices.SortFunc(g.classes, func(a, b *v1alpha1.TenantClass) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range s.Pods {
		switch {
		case over(p) || s.TenantOf(p.Namespace) == "":
		case p.Spec.NodeName == "":
			g.unplaced = append(g.unplaced, p)
		default:
			g.on[p.Spec.NodeName] = append(g.on[p.Spec.NodeName], p)
		}
	}
	return g
}

// stranger reports whether a pod has no business on a node of a class's pool: its own
// class is another one, and does not name that node either.
func (g *guests) stranger(s *snapshot.Snapshot, pool *v1alpha1.TenantClass, p *corev1.Pod, n *corev1.Node) bool {
	class := g.class[s.TenantOf(p.Namespace)]
	return class != pool && (class == nil || !invites(class, n))
}

// invites reports whether a class names a node as one of its own.
func invites(c *v1alpha1.TenantClass, n *corev1.Node) bool {
	selector := c.Spec.Kernel.Nodes.Selector
	return len(selector) > 0 && within(selector, n.Labels)
}

// strangers lists one stranger per node of the pool, and the first that may come.
func (j *judge) strangers(pool []*corev1.Node, g *guests) []visit {
	if found, ok := g.seen[j.class]; ok {
		return found
	}
	var out []visit
	for _, n := range pool {
		i := slices.IndexFunc(g.on[n.Name], func(p *corev1.Pod) bool { return g.stranger(j.snapshot, j.class, p, n) })
		if i >= 0 {
			out = append(out, visit{g.on[n.Name][i], n})
		}
	}
	for _, p := range g.unplaced {
		i := slices.IndexFunc(pool, func(n *corev1.Node) bool { return g.stranger(j.snapshot, j.class, p, n) && j.nodes.May(p, n) })
		if i >= 0 {
			out = append(out, visit{p, pool[i]})
			break
		}
	}
	g.seen[j.class] = out
	return out
}

// guests judges who else is on the pool's nodes, or may come there.
func (j *judge) guests(pool []*corev1.Node, g *guests) {
	for _, v := range j.strangers(pool, g) {
		who := fmt.Sprintf("%s of tenant %s", name(v.pod), j.snapshot.TenantOf(v.pod.Namespace))
		if v.pod.Spec.NodeName != "" {
			j.ledger.Break(guarantee.KRN5, "StrangerOnNode", fmt.Sprintf("%s runs on node %s, which class %s keeps for its tenants: move it, and taint the nodes", who, v.node.Name, j.class.Name),
				analyze.About(j.snapshot, v.pod, "spec.nodeName", "is "+v.node.Name))
			continue
		}
		j.ledger.Break(guarantee.KRN5, "StrangerMayCome", fmt.Sprintf("%s may come to node %s, which class %s keeps for its tenants: taint the nodes, and let the class tolerate the taint", who, v.node.Name, j.class.Name),
			analyze.About(j.snapshot, v.pod, "spec.nodeSelector", "lets it come to "+v.node.Name), analyze.About(j.snapshot, v.node, "spec.taints", "do not keep it out"))
	}
}

// classes judges the pods to come: those of a class that names no nodes go wherever no
// taint keeps them out.
func (j *judge) classes(pool []*corev1.Node, g *guests) {
	for _, c := range g.classes {
		if c == j.class || len(c.Spec.Kernel.Nodes.Selector) > 0 {
			continue
		}
		i := slices.IndexFunc(pool, func(n *corev1.Node) bool { return !keepsOut(n, c) })
		if i >= 0 {
			j.ledger.Break(guarantee.KRN5, "PoolOpen", fmt.Sprintf("nothing keeps pods of class %s off node %s, which class %s keeps for its tenants: taint the nodes, and let class %s tolerate the taint", c.Name, pool[i].Name, j.class.Name, j.class.Name),
				analyze.About(j.snapshot, pool[i], "spec.taints", "do not keep out pods of class "+c.Name))
		}
	}
}

// keepsOut reports whether a node has a taint that pods of a class may not tolerate.
func keepsOut(n *corev1.Node, c *v1alpha1.TenantClass) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Effect != corev1.TaintEffectPreferNoSchedule &&
			!slices.ContainsFunc(c.Spec.Kernel.Nodes.Tolerations, func(t corev1.Toleration) bool { return placement.Tolerates(t, taint) })
	})
}
