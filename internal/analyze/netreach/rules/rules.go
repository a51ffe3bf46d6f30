// Package rules reads network policies of every kind into one form: who is governed, in
// which tier, what each rule does with which peers and ports. It resolves nothing against
// a cluster and combines nothing: that is the engine's work.
package rules

import (
	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/snapshot"
)

// Direction is ingress or egress; it indexes the arrays below.
type Direction int

// The directions.
const (
	Ingress Direction = iota
	Egress
)

// String prints the direction as policyTypes does, in lower case.
func (d Direction) String() string {
	if d == Egress {
		return "egress"
	}
	return "ingress"
}

// Tier is where in the order of evaluation a policy stands. The first tier that decides,
// decides.
type Tier int

// The tiers, in order of evaluation.
//
// TierAdmin and TierBaseline (KEP-2091, network-policy-api): rules in order of priority,
// the first match decides; Pass leaves the tier. TierNamespace (NetworkPolicy v1, and
// Cilium's policies): order does not matter; a Deny that matches outranks every Allow;
// a pod that a policy isolates is denied what no rule allows.
const (
	TierAdmin Tier = iota
	TierNamespace
	TierBaseline
)

// Action is what a rule does with the connections that it matches.
type Action int

// The actions. Pass is known to TierAdmin and TierBaseline only.
const (
	Allow Action = iota
	Deny
	Pass
)

// String prints the action in lower case.
func (a Action) String() string { return [...]string{"allow", "deny", "pass"}[a] }

// Policy is a network policy of any kind.
type Policy struct {
	// Object it was read from; findings name it.
	Object snapshot.Object
	Tier   Tier
	// Priority orders policies of TierAdmin and TierBaseline: lower comes first. Order
	// inside a policy is that of its rules.
	Priority int32
	// Subject is the pods that are governed. Host-network pods never are.
	Subject Pods
	// Isolates says, for TierNamespace, in which directions the subject's pods are denied
	// what no rule allows.
	Isolates [2]bool
	Rules    [2][]Rule
	// Doubts are the parts of the policy that could not be read, each with its field
	// path: what they open or close is unknown. Rules that could be read partly stand
	// in Rules with Unsure set.
	Doubts []Doubt
}

// Doubt is a part of a policy that this package does not understand.
type Doubt struct {
	// Field is the path inside the object ("spec.egress[0].toGroups").
	Field string
	// Why it is not understood, in words.
	Why string
}

// Rule is one rule of a policy. Of an empty list of peers nothing matches; a rule that
// matches everybody says so by a peer with Everyone set.
type Rule struct {
	// Field is the rule's path inside the object ("spec.ingress[0]").
	Field  string
	Action Action
	Peers  []Peer
	// Ports; none means every port of every protocol. A rule about nothing but protocols
	// without ports (ICMP) is left out by the reader.
	Ports []Port
	// Unsure says, where it is not empty, why the rule may match less than its peers and
	// ports say (conditions on HTTP requests, a field that is not understood). Such a
	// rule never proves that something is allowed, nor that it is denied.
	Unsure string
}

// Port is ports of one protocol: a set, or a name that each destination pod resolves by
// its containers' ports.
type Port struct {
	Name     string
	Protocol corev1.Protocol
	Ports    netset.Ports
}

// Peer is one peer of a rule: exactly one of Everyone, Pods, Addresses, Nodes and
// Unknown is set.
type Peer struct {
	// Field is the peer's path ("spec.ingress[0].from[0]").
	Field string
	// Everyone is any pod, node and address.
	Everyone bool
	// Pods are pods of the cluster, without those on the host's network.
	Pods *Pods
	// Addresses are a block of addresses, nil where there is none; an empty one is not
	// nil. MatchesPods says whether it also matches pods by their addresses.
	Addresses   netset.Addresses
	MatchesPods MatchesPods
	// Nodes are the nodes that a selector of their labels matches: their addresses, and
	// the pods on their network.
	Nodes *Selector
	// Unknown says why nobody can tell whom the peer matches (a domain name, a cloud's
	// security group). With Outside set it can only be addresses outside the cluster.
	Unknown string
	Outside bool
}

// MatchesPods says whether a block of addresses matches pods by their addresses.
type MatchesPods int

// NetworkPolicy v1 leaves it to the engine; the Admin and Baseline tiers promise it;
// Cilium never does it.
const (
	AsEngineDoes MatchesPods = iota
	Always
	Never
)

// Pods selects pods by namespace and labels.
type Pods struct {
	// Namespace is the one namespace, where the policy names it; else Namespaces selects
	// by the namespaces' labels, nil standing for every namespace.
	Namespace  string
	Namespaces *Selector
	// Labels selects by the pods' labels; nil stands for every pod. The pseudo-label
	// LabelServiceAccount holds the pod's ServiceAccount.
	Labels *Selector
}

// LabelServiceAccount is the key under which selectors find a pod's ServiceAccount. No
// label can be called so.
const LabelServiceAccount = "watertight:serviceaccount"
