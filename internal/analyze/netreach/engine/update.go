package engine

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/snapshot"
)

// Event is a change of one object: it was made or changed, or it is gone.
type Event struct {
	Object snapshot.Object
	Gone   bool
}

// Apply takes a change in, at the cost of what it touches: a policy touches the pods of
// the namespaces that it governs, a pod or a label of a namespace that namespace. A label
// that no selector asked for before touches the namespaces whose pods carry it; a block
// with a border between pods' addresses touches all of them. Objects of other kinds are
// passed over.
func (e *Engine) Apply(events ...Event) {
	for _, event := range events {
		switch o := event.Object.(type) {
		case *corev1.Pod:
			e.applyPod(o, event.Gone)
		case *corev1.Namespace:
			e.applyNamespace(o, event.Gone)
		case *corev1.Node:
			e.applyNode(o, event.Gone)
		case *unstructured.Unstructured:
			if governs(o) {
				e.applyPolicy(event)
			}
		default:
			e.applyPolicy(event)
		}
	}
}

func (e *Engine) applyPod(pod *corev1.Pod, gone bool) {
	sp := e.spaces.byName[pod.Namespace]
	if sp == nil {
		if gone {
			return
		}
		sp = e.newSpace(pod.Namespace, nil)
	}
	at, found := slices.BinarySearchFunc(sp.pods, pod.Name, func(p *corev1.Pod, name string) int { return strings.Compare(p.Name, name) })
	if !found { // lists of a snapshot need not be in order
		at = slices.IndexFunc(sp.pods, func(p *corev1.Pod) bool { return p.Name == pod.Name })
	}
	switch {
	case gone && at >= 0:
		sp.pods = slices.Delete(slices.Clone(sp.pods), at, at+1)
	case gone:
		return
	case at >= 0:
		sp.pods = slices.Clone(sp.pods)
		sp.pods[at] = pod
	default:
		sp.pods = append(slices.Clip(sp.pods), pod)
	}
	e.located = nil
	e.renew(sp)
}

// renew makes a namespace's classes and grants anew.
func (e *Engine) renew(sp *space) {
	e.sort(sp)
	e.grantAll(sp)
}

// newSpace adds a namespace that was not there.
func (e *Engine) newSpace(name string, labels map[string]string) *space {
	all := maps.Clone(labels)
	if all == nil {
		all = map[string]string{}
	}
	all[corev1.LabelMetadataName] = name
	sp := e.spaces.add(name, all, "")
	e.spaces.order()
	e.homeless = slices.DeleteFunc(e.homeless, func(p *policy) bool { // they may have come before it
		if p.Subject.Namespace == name {
			sp.policies = append(sp.policies, p)
		}
		return p.Subject.Namespace == name
	})
	e.rewide(sp)
	return sp
}

// rewide finds the cluster-wide policies of a namespace anew.
func (e *Engine) rewide(sp *space) {
	sp.wide = nil
	for _, p := range e.wide {
		if p.spaces == nil || p.spaces.has(sp) {
			sp.wide = append(sp.wide, p)
		}
	}
}

func (e *Engine) applyNamespace(ns *corev1.Namespace, gone bool) {
	sp := e.spaces.byName[ns.Name]
	switch {
	case gone && sp == nil:
		return
	case gone && len(sp.pods)+len(sp.ghosts)+len(sp.policies) == 0:
		e.spaces.remove(sp)
		e.changed()
		return
	case gone: // what is in it goes by events of its own
		e.spaces.relabel(sp, map[string]string{corev1.LabelMetadataName: ns.Name})
	case sp == nil:
		e.renew(e.newSpace(ns.Name, ns.Labels))
		return
	default:
		labels := maps.Clone(ns.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[corev1.LabelMetadataName] = ns.Name
		e.spaces.relabel(sp, labels)
	}
	e.rewide(sp)
	e.grantAll(sp)
}

func (e *Engine) applyNode(n *corev1.Node, gone bool) {
	if gone {
		delete(e.nodes, n.Name)
	} else {
		e.nodes[n.Name] = n
	}
	e.changed()
}

func (e *Engine) applyPolicy(event Event) {
	key := keyOf(event.Object)
	clear(e.keys.gained)
	e.peers.grown = e.peers.grown[:0]
	old := e.of(key)
	e.Unread = slices.DeleteFunc(e.Unread, func(u Unread) bool { return snapshot.KeyOf(u.Object) == key })
	var touched []*space
	if !event.Gone { // before the old goes, so that what both ask for stays
		for _, p := range e.add(event.Object, nil) {
			touched = append(touched, e.governed(p)...)
		}
	}
	touched = append(touched, e.remove(old)...)
	if e.divides(e.peers.grown) {
		e.cuts = e.peers.cuts()
		touched = append(slices.Clone(e.spaces.list), touched...)
		for _, sp := range e.spaces.list {
			e.sort(sp)
		}
	} else {
		for _, sp := range e.carrying() {
			e.sort(sp)
			touched = append(touched, sp)
		}
	}
	seen := map[*space]bool{}
	for _, sp := range touched {
		if !seen[sp] {
			seen[sp] = true
			e.grantAll(sp)
		}
	}
}

// governed are the namespaces that a policy's subject takes in.
func (e *Engine) governed(p *policy) []*space {
	switch {
	case p.Subject.Namespace != "":
		if sp := e.spaces.byName[p.Subject.Namespace]; sp != nil {
			return []*space{sp}
		}
		return nil
	case p.spaces == nil:
		return e.spaces.list
	}
	return slices.Collect(e.spaces.spaces(p.spaces))
}

// divides takes the borders of new blocks among the cuts, and reports whether any of them
// lies between addresses that nothing divided so far. Borders that are gone do no harm.
func (e *Engine) divides(blocks []netset.Addresses) bool {
	divided := false
	for _, border := range borders(blocks) {
		at, found := slices.BinarySearchFunc(e.cuts, border, netip.Addr.Compare)
		if found {
			continue
		}
		if e.located == nil {
			e.locate()
		}
		lo, hi := 0, len(e.located)
		if at > 0 {
			lo, _ = slices.BinarySearchFunc(e.located, e.cuts[at-1], netip.Addr.Compare)
		}
		if at < len(e.cuts) {
			hi, _ = slices.BinarySearchFunc(e.located, e.cuts[at], netip.Addr.Compare)
		}
		mid, _ := slices.BinarySearchFunc(e.located, border, netip.Addr.Compare)
		divided = divided || lo < mid && mid < hi || len(e.cuts) == 0
		e.cuts = slices.Insert(e.cuts, at, border)
	}
	return divided
}

// locate lists the addresses of all pods.
func (e *Engine) locate() {
	e.located = []netip.Addr{}
	var addresses []netip.Addr
	for _, sp := range e.spaces.list {
		for _, p := range sp.pods {
			addresses = appendAddresses(addresses[:0], p)
			e.located = append(e.located, addresses...)
		}
	}
	slices.SortFunc(e.located, netip.Addr.Compare)
}

// carrying are the namespaces with pods that have one of the labels, or ports of the
// names, that came up where they count.
func (e *Engine) carrying() []*space {
	var out []*space
	wide := false
	for g := range e.keys.gained {
		wide = wide || g.namespace == ""
	}
	if wide {
		for _, sp := range e.spaces.list {
			if e.gained(sp) {
				out = append(out, sp)
			}
		}
		return out
	}
	for g := range e.keys.gained {
		if sp := e.spaces.byName[g.namespace]; sp != nil && !slices.Contains(out, sp) && e.gained(sp) {
			out = append(out, sp)
		}
	}
	return out
}

// gained reports whether a key or name that came up tells a namespace's pods apart.
func (e *Engine) gained(sp *space) bool {
	for g := range e.keys.gained {
		if g.namespace != "" && g.namespace != sp.name {
			continue
		}
		has := func(p *corev1.Pod) bool {
			_, ok := value(g.key, p.Labels, p)
			return ok || hasPort(p, g.key)
		}
		ghostHas := func(l map[string]string) bool { _, ok := value(g.key, l, nil); return ok }
		if slices.ContainsFunc(sp.pods, has) || slices.ContainsFunc(sp.ghosts, ghostHas) {
			return true
		}
	}
	return false
}

func hasPort(p *corev1.Pod, name string) bool {
	named := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool { return port.Name == name })
	}
	return slices.ContainsFunc(p.Spec.Containers, named) || slices.ContainsFunc(p.Spec.InitContainers, named)
}
