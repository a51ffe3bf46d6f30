package netreach

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// index finds classes by namespace labels without asking each of them.
type index struct {
	classes []*Class
	spaces  map[string][]*Class // by namespace
	// posting lists the namespaces that carry a label ("key=value").
	posting map[string][]string
	sets    map[string]labels.Set
	names   []string
	found   map[string][]string // namespaces by selector
}

func newIndex(classes []*Class) *index {
	x := &index{
		classes: classes, spaces: map[string][]*Class{}, posting: map[string][]string{},
		sets: map[string]labels.Set{}, found: map[string][]string{},
	}
	for _, c := range classes {
		if _, ok := x.spaces[c.Namespace]; !ok {
			x.names = append(x.names, c.Namespace)
			x.sets[c.Namespace] = c.namespace
			for k, v := range c.namespace {
				x.posting[k+"="+v] = append(x.posting[k+"="+v], c.Namespace)
			}
		}
		x.spaces[c.Namespace] = append(x.spaces[c.Namespace], c)
	}
	return x
}

// matching lists the classes that a peer of a policy in that namespace stands for.
func (x *index) matching(namespace string, q *peer, blocks bool) []*Class {
	var out []*Class
	if q.block != nil {
		for _, c := range x.classes {
			if blocks && q.atom < len(c.blockBytes) && c.blockBytes[q.atom] == '1' {
				out = append(out, c)
			}
		}
		return out
	}
	names := []string{namespace}
	if q.namespaces != nil {
		names = x.namespaces(q.namespaces)
	}
	for _, n := range names {
		for _, c := range x.spaces[n] {
			if !c.HostNetwork && q.pods.Matches(c.Labels) {
				out = append(out, c)
			}
		}
	}
	return out
}

// namespaces lists those that a selector matches, beginning with the shortest posting
// list that must hold them all.
func (x *index) namespaces(s labels.Selector) []string {
	key := s.String()
	if known, ok := x.found[key]; ok {
		return known
	}
	candidates := x.names
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		switch r.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals:
			var listed []string
			for v := range r.Values() {
				listed = append(listed, x.posting[r.Key()+"="+v]...)
			}
			if len(listed) < len(candidates) {
				candidates = listed
			}
		}
	}
	var out []string
	for _, n := range candidates {
		if s.Matches(x.sets[n]) {
			out = append(out, n)
		}
	}
	x.found[key] = out
	return out
}
