package analyze

import (
	"cmp"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// PlaceKind is a kind of vertex of the attack graph.
type PlaceKind string

// The kinds of places. An attacker who holds a place can do whatever it can.
const (
	// PlaceWorkload is a running pod, or all pods that a workload's template makes: an
	// attacker runs code in it. Namespace and Name are the pod's or the workload's.
	PlaceWorkload PlaceKind = "Workload"
	// PlaceIdentity is a user, group or ServiceAccount (that one with Namespace): an
	// attacker holds its credentials. Name of users and groups carries a prefix "User "
	// or "Group ".
	PlaceIdentity PlaceKind = "Identity"
	// PlaceNamespace is the power to create pods in a namespace, and so to become any of
	// its ServiceAccounts and read whatever its pods may mount.
	PlaceNamespace PlaceKind = "Namespace"
	// PlaceSecrets is the content of all Secrets of a namespace; with an empty Namespace,
	// of the cluster.
	PlaceSecrets PlaceKind = "Secrets"
	// PlaceNode is root on a node. An empty Name is any node of the cluster.
	PlaceNode PlaceKind = "Node"
	// PlaceCluster is the control plane: everything falls with it.
	PlaceCluster PlaceKind = "ControlPlane"
	// PlaceNetwork is a meeting point of traffic that would be too many edges otherwise:
	// whoever reaches it reaches all that it leads to. It is no prize of its own.
	PlaceNetwork PlaceKind = "Network"
)

// Place is a vertex of the attack graph.
type Place struct {
	Kind      PlaceKind `json:"kind"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name,omitempty"`
}

// String prints "Kind namespace/name".
func (p Place) String() string {
	switch {
	case p.Kind == PlaceCluster:
		return "the control plane"
	case p.Namespace == "" && p.Name == "":
		return "any " + string(p.Kind)
	case p.Namespace == "":
		return string(p.Kind) + " " + p.Name
	case p.Name == "":
		return string(p.Kind) + " " + p.Namespace
	}
	return string(p.Kind) + " " + p.Namespace + "/" + p.Name
}

// Compare orders places.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Kind, q.Kind), cmp.Compare(p.Namespace, q.Namespace), cmp.Compare(p.Name, q.Name))
}

// Edge is a step of an attack: whoever holds From can take To.
type Edge struct {
	From, To Place
	// ID is the stable CamelCase name of the rule that gives the step ("PodsExec").
	ID string
	// Guarantee that the step breaks where From and To belong to different tenants.
	Guarantee guarantee.ID
	// Effect is the step in words ("enters the pods of namespace b").
	Effect string
	// Reference is where the step is documented (CVE, KEP, page).
	Reference string
	// Fix is the change that removes the step, in words ("remove the rule").
	Fix string
	// Evidence is the object and field that give the step.
	Evidence guarantee.Evidence
	// Weak marks a step that needs more than what is seen (a kernel flaw, a sandbox
	// escape, a server that trusts its neighbours): reported, and not counted as falling.
	Weak bool
}

// Edges yields the steps of an attack that one question finds, in a stable order.
type Edges func(*snapshot.Snapshot, func(Edge) bool)
