package netreach

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/snapshot"
)

// Group is one end of a summary line: pods that no policy can tell apart, or CIDRs.
type Group struct {
	// Name for people.
	Name string
	// Members are the pods ("namespace/name") or CIDRs.
	Members []string
}

// Line is what one group may open to another.
type Line struct {
	From, To Group
	Ports    Ports
}

// Summary yields what is allowed between classes that have pods, and from them to
// addresses outside the cluster.
func (r *Reach) Summary(yield func(Line) bool) {
	groups := make([]Group, len(r.Classes))
	for i, c := range r.Classes {
		groups[i] = c.group()
	}
	going := true
	r.Pairs(func(src, dst *Class, ports Ports) bool {
		alone := src == dst && len(src.Pods) < 2
		if len(src.Pods) > 0 && len(dst.Pods) > 0 && !alone {
			going = yield(Line{groups[src.id], groups[dst.id], ports})
		}
		return going
	})
	for i := 0; i < len(r.Classes) && going; i++ {
		if len(r.Classes[i].Pods) == 0 {
			continue
		}
		for _, g := range r.EgressTo(r.Classes[i]) {
			going = going && yield(Line{groups[i], addressGroup(g.Addresses), g.Ports})
		}
	}
}

func (c *Class) group() Group {
	var g Group
	for _, p := range c.Pods {
		g.Members = append(g.Members, podName(p))
	}
	if len(g.Members) == 0 {
		return g
	}
	g.Name = g.Members[0]
	if more := len(g.Members) - 1; more > 0 {
		g.Name += fmt.Sprintf(" and %d more", more)
	}
	return g
}

func addressGroup(a Addresses) Group {
	g := Group{Name: a.String()}
	for _, p := range a.Prefixes() {
		g.Members = append(g.Members, p.String())
	}
	return g
}

// foreignPolicies are kinds that open or close traffic and that this package does not
// read yet.
var foreignPolicies = map[string]bool{
	"AdminNetworkPolicy": true, "BaselineAdminNetworkPolicy": true, "ClusterNetworkPolicy": true,
	"CiliumNetworkPolicy": true, "CiliumClusterwideNetworkPolicy": true,
	"GlobalNetworkPolicy": true,
}

// Foreign lists the snapshot's policies of kinds that this package does not read and
// that could open traffic, or close it, beside NetworkPolicies.
func Foreign(s *snapshot.Snapshot) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range s.Others {
		calico := o.GetKind() == "NetworkPolicy" // of a group that is not Kubernetes'
		if foreignPolicies[o.GetKind()] || calico {
			out = append(out, o)
		}
	}
	return out
}
