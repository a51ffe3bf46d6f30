package rbacreach

import (
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze"
)

// The signers whose certificates are credentials.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
const (
	signerClient  = "kubernetes.io/kube-apiserver-client"
	signerKubelet = "kubernetes.io/kube-apiserver-client-kubelet"
	signerAll     = "kubernetes.io/*"
)

func (w *world) takeNodes(id placeID, st *step, why *cause, names []string) {
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		w.arcTo(id, st, why, w.id(analyze.Place{Kind: analyze.PlaceNode, Name: name}))
	}
}

// takeSecrets leads to the Secrets of a scope, or, where single ones are named, to the
// accounts whose tokens they are.
func (w *world) takeSecrets(id placeID, st *step, why *cause, at scopeOf) {
	if len(at.names) == 0 {
		w.arcTo(id, st, why, w.id(analyze.Place{Kind: analyze.PlaceSecrets, Namespace: at.namespace}))
		return
	}
	for _, t := range w.tokens.list {
		if (at.namespace == "" || at.namespace == t.namespace) && slices.Contains(at.names, t.name) {
			w.arcTo(id, st, why, t.account)
		}
	}
	if w.tokens.unseen {
		to := w.id(analyze.Place{Kind: analyze.PlaceSecrets, Namespace: at.namespace})
		w.out[id] = append(w.out[id], arc{to: to, weak: true, why: why})
	}
}

// takeAccounts leads to the ServiceAccounts of a scope. All those of the whole cluster, or
// of kube-system, are the control plane.
func (w *world) takeAccounts(id placeID, st *step, why *cause, at scopeOf) {
	switch {
	case len(at.names) == 0 && (at.namespace == "" || at.namespace == controlNamespace):
		w.arcTo(id, st, why, w.controlPlane())
	case len(at.names) == 0:
		w.id(account(at.namespace, defaultAccount))
		for _, to := range slices.Clone(w.accounts[at.namespace]) {
			w.arcTo(id, st, why, to)
		}
	case at.namespace == "":
		for _, name := range at.names {
			for _, to := range w.named[name] {
				w.arcTo(id, st, why, to)
			}
		}
	default:
		for _, name := range at.names {
			w.arcToKnown(id, st, why, account(at.namespace, name))
		}
	}
}

func (w *world) takeWorkloads(id placeID, st *step, why *cause, at scopeOf) {
	switch {
	case len(at.names) == 0 && (at.namespace == "" || at.namespace == controlNamespace):
		w.arcTo(id, st, why, w.controlPlane())
	case len(at.names) == 0:
		for _, to := range w.pods[at.namespace] {
			w.arcTo(id, st, why, to)
		}
	default:
		for _, name := range at.names {
			for _, to := range w.podsNamed[name] {
				if at.namespace == "" || at.namespace == w.places[to].Namespace {
					w.arcTo(id, st, why, to)
				}
			}
		}
	}
}

// takeNamed leads to what is cluster-scoped and goes by name.
func (w *world) takeNamed(id placeID, st *step, why *cause, names []string) {
	switch st.To {
	case leadUsers:
		w.takeUsers(id, st, why, names)
	case leadGroups:
		if len(names) == 0 || slices.Contains(names, masters) {
			w.arcTo(id, st, why, w.controlPlane())
		}
		for _, name := range names {
			w.arcToKnown(id, st, why, group(name))
		}
	case leadSigner:
		if len(names) == 0 || slices.Contains(names, signerClient) || slices.Contains(names, signerAll) {
			w.arcTo(id, st, why, w.controlPlane())
		}
		if slices.Contains(names, signerKubelet) {
			w.arcTo(id, st, why, w.id(analyze.Place{Kind: analyze.PlaceNode}))
		}
	case leadTenants:
		for _, t := range w.s.Tenants {
			if len(names) > 0 && !slices.Contains(names, t.Name) {
				continue
			}
			for _, ns := range w.s.NamespacesOf(t.Name) {
				w.arcTo(id, st, why, w.id(analyze.Place{Kind: analyze.PlaceNamespace, Namespace: ns}))
			}
		}
	}
}

// takeUsers leads to users. A ServiceAccount is impersonated by the right on
// serviceaccounts, never by its user name.
func (w *world) takeUsers(id placeID, st *step, why *cause, names []string) {
	if len(names) == 0 {
		w.arcTo(id, st, why, w.controlPlane())
	}
	for _, name := range names {
		p := user(name)
		switch {
		case p.Namespace != "":
		case slices.Contains(controllers, name), strings.HasPrefix(name, nodeUser):
			w.arcTo(id, st, why, w.id(p))
		default:
			w.arcToKnown(id, st, why, p)
		}
	}
}

// arcToKnown adds an arc to a place that something else names too; of others nothing is
// known that could be taken.
func (w *world) arcToKnown(id placeID, st *step, why *cause, p analyze.Place) {
	if to, ok := w.number[p]; ok {
		w.arcTo(id, st, why, to)
	}
}
