package netreach

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/guarantee"
)

// doubtUndeclared notes that a rule selects namespaces by labels while there are pods in
// namespaces of which nobody has seen the labels: a folder need not declare them.
func (j *judge) doubtUndeclared(l *analyze.Ledger) {
	if j.undeclared == nil {
		j.undeclared = []string{}
		for _, ns := range j.snapshot.NamespaceNames() {
			if j.snapshot.Namespace(ns) == nil && len(j.snapshot.PodsIn(ns)) > 0 {
				j.undeclared = append(j.undeclared, ns)
			}
		}
	}
	if len(j.undeclared) == 0 {
		return
	}
	for _, ns := range j.snapshot.NamespacesOf(l.Tenant) {
		for _, p := range j.engine.PoliciesIn(ns) {
			peer := labelPeer(p)
			if peer == nil {
				continue
			}
			message := fmt.Sprintf("%s selects namespaces by %q, and the labels of namespace %s, which has pods, are not known: declare it among the manifests", peer.Field, peer.Pods.Namespaces, j.undeclared[0])
			for _, id := range []guarantee.ID{guarantee.NET1, guarantee.NET3, guarantee.NET4, guarantee.NET8} {
				l.Doubt(id, "NamespaceNotDeclared", message, analyze.About(j.snapshot, p.Object, peer.Field, "selects by labels"))
			}
			return
		}
	}
}

// labelPeer is a peer that selects namespaces by other labels than their names.
func labelPeer(p *rules.Policy) *rules.Peer {
	for d := range p.Rules {
		for i := range p.Rules[d] {
			for k := range p.Rules[d][i].Peers {
				if peer := &p.Rules[d][i].Peers[k]; peer.Pods != nil && peer.Pods.Namespace == "" && byLabel(peer.Pods.Namespaces) {
					return peer
				}
			}
		}
	}
	return nil
}

// byLabel reports whether only labels tell whether a namespace matches: a name does where
// it is asked for.
func byLabel(s *rules.Selector) bool {
	for _, r := range s.Requirements() {
		if r.Key == corev1.LabelMetadataName && r.Operator == metav1.LabelSelectorOpIn {
			return false
		}
	}
	return !s.Empty()
}

// secondaryNetworks is the annotation that joins a pod to further networks
// (github.com/k8snetworkplumbingwg/multi-net-spec), which no NetworkPolicy governs.
const secondaryNetworks = "k8s.v1.cni.cncf.io/networks"

// doubtSecondary notes pods on further networks.
func (j *judge) doubtSecondary(l *analyze.Ledger) {
	for _, ns := range j.snapshot.NamespacesOf(l.Tenant) {
		for _, p := range j.snapshot.PodsIn(ns) {
			if p.Annotations[secondaryNetworks] == "" {
				continue
			}
			for _, id := range []guarantee.ID{guarantee.NET1, guarantee.NET3, guarantee.NET4} {
				l.Doubt(id, "SecondaryNetwork", "a pod is on further networks, which NetworkPolicies do not govern: who else is there is unknown; remove the annotation, or keep such networks to one tenant",
					analyze.About(j.snapshot, p, "metadata.annotations["+secondaryNetworks+"]", "joins further networks"))
			}
			return
		}
	}
}
