package rbacreach

import (
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze"
)

// held is a right that an identity holds by a grant.
type held struct {
	grant *binding
	hit   *hit
	// own is false for what it holds as a member of a group, which has its own arcs.
	own bool
}

// holdings are all rights of an identity, by right.
type holdings [rightCount][]held

// expandIdentity adds what an identity may take: by its single rights, by those that
// only count together, and by the controllers that act on what it writes.
func (w *world) expandIdentity(id placeID, p analyze.Place) {
	if p == group(masters) || p.Namespace == "" && slices.Contains(controllers, strings.TrimPrefix(p.Name, userPrefix)) {
		w.add(id, w.controlPlane(), &cause{step: stepSuperUser})
	}
	if node, ok := strings.CutPrefix(p.Name, userPrefix+nodeUser); ok && p.Namespace == "" && node != "" {
		w.add(id, w.id(analyze.Place{Kind: analyze.PlaceNode, Name: node}), &cause{step: stepKubelet})
	}
	own := w.grants[id]
	var all holdings
	for _, g := range own {
		all.add(g, true)
	}
	for _, g := range implied(p) {
		gid, known := w.number[g]
		if !known {
			continue
		}
		w.add(id, gid, &cause{step: stepMember})
		for _, b := range w.grants[gid] {
			all.add(b, false)
		}
	}
	if len(own) == 0 {
		return // its groups' arcs are all it has
	}
	bound := w.bindRoles(&all)
	for i := range steps {
		w.takeStep(id, &steps[i], &all)
	}
	for _, b := range own {
		w.useDeputies(id, b)
	}
	for _, b := range bound {
		w.useDeputies(id, b)
	}
}

func (h *holdings) add(b *binding, own bool) {
	for i := range b.hits {
		hit := &b.hits[i]
		if rights[hit.right].Cluster && (b.namespace != "" || b.bare) {
			continue
		}
		h[hit.right] = append(h[hit.right], held{b, hit, own})
	}
}

// takeStep adds the arcs of one step, wherever all its rights overlap.
func (w *world) takeStep(id placeID, st *step, all *holdings) {
	first := all[st.By[0]]
	if len(first) == 0 || st.binds() {
		return
	}
	for _, need := range st.By[1:] {
		if len(all[need]) == 0 {
			return
		}
	}
	needs := scopesOf(st, all)
	for _, h := range first {
		if len(st.By) == 1 {
			if h.own {
				w.take(id, st, h, h.grant.namespace)
			}
			continue
		}
		for _, ns := range overlapping(h.grant.namespace, needs) {
			w.take(id, st, h, ns)
		}
	}
}

// scopes is where a right is held: everywhere, or in some namespaces.
type scopes struct {
	everywhere bool
	list       []string
	set        map[string]bool
}

// scopesOf is where the rights are held that a step needs beside its first.
func scopesOf(st *step, all *holdings) []scopes {
	out := make([]scopes, 0, len(st.By)-1)
	for _, need := range st.By[1:] {
		s := scopes{set: make(map[string]bool, len(all[need]))}
		for _, h := range all[need] {
			if ns := h.grant.namespace; ns == "" {
				s.everywhere = true
			} else if !s.set[ns] {
				s.set[ns] = true
				s.list = append(s.list, ns)
			}
		}
		out = append(out, s)
	}
	return out
}

// overlapping lists where a right held in a namespace (or, if that is empty, in all) holds
// together with the others.
func overlapping(ns string, needs []scopes) []string {
	at := []string{ns}
	for _, need := range needs {
		var next []string
		for _, here := range at {
			switch {
			case need.everywhere || need.set[here]:
				next = append(next, here)
			case here == "":
				next = append(next, need.list...)
			}
		}
		at = next
	}
	return at
}

// because is the cause of a step that a grant's rule gives. What a role gives that the
// identity binds itself to goes back to the rule that lets it do so.
func because(st *step, h held) *cause {
	if via := h.grant.via; via != nil {
		return &cause{step: via.step, binding: via.binding, rule: via.rule,
			effect: via.step.Effect + " (" + h.grant.role.String() + "), and so " + st.Effect}
	}
	return &cause{step: st, binding: h.grant, rule: h.hit.rule}
}

// take adds the arcs of a step whose rights hold in a namespace, or everywhere.
func (w *world) take(id placeID, st *step, h held, ns string) {
	why, names := because(st, h), h.hit.names
	switch st.To {
	case leadCluster:
		w.arcTo(id, st, why, w.controlPlane())
	case leadNamespace:
		w.arcTo(id, st, why, w.id(analyze.Place{Kind: analyze.PlaceNamespace, Namespace: ns}))
	case leadNode:
		w.takeNodes(id, st, why, names)
	case leadVolumes:
		if w.free != nil {
			w.arcTo(id, st, why, w.id(analyze.Place{Kind: analyze.PlaceNode}))
		}
	case leadSecrets:
		w.takeSecrets(id, st, why, scopeOf{ns, names})
	case leadAccounts:
		w.takeAccounts(id, st, why, scopeOf{ns, names})
	case leadWorkloads:
		w.takeWorkloads(id, st, why, scopeOf{ns, names})
	default:
		w.takeNamed(id, st, why, names)
	}
}

// arcTo adds an arc; a weak step stays weak when it is given by a role bound to.
func (w *world) arcTo(id placeID, st *step, why *cause, to placeID) {
	if id != to {
		w.out[id] = append(w.out[id], arc{to: to, weak: st.Weak, why: why})
	}
}

// scopeOf is a namespace, or all, and the names that a right is restricted to.
type scopeOf struct {
	namespace string
	names     []string
}
