// Package engine works out who reaches whom under all network policies of a snapshot:
// which pods no policy can tell apart, what every policy allows them in each direction,
// and what follows for pairs. It answers for single pods, for all pairs at a cost near
// that of the answer, and again after a change at the cost of what the change touches.
// It does not judge, and it follows no road round a policy (Services, hostnames).
package engine

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/analyze/netreach/slab"
	"watertight.dev/watertight/internal/snapshot"
)

// Mode answers a question on which engines differ.
type Mode int

// The modes; what is unknown makes the answers that depend on it unknown.
const (
	Unknown Mode = iota
	Yes
	No
)

// Options choose where engines differ, and what is asked beside the pods that exist.
type Options struct {
	// BlocksMatchPods says whether an ipBlock of a NetworkPolicy matches pods by their
	// addresses. Kubernetes leaves it to the engine.
	BlocksMatchPods Mode
	// NodeLocalExempt says whether a node always reaches the pods that it runs, as
	// kubernetes.io/docs/concepts/services-networking/network-policies promises of every
	// engine; so do pods on the host's network of that node. Unknown counts as Yes.
	NodeLocalExempt Mode
	// NotEnforced are kinds of policies that the network plugin does not know: an installed
	// CRD is no engine. They are Unread.
	NotEnforced []string
	// PodNetworks is where pods are whose address is not known yet; by default the private
	// networks (RFC 1918, RFC 6598, RFC 4193), from which installers take them.
	PodNetworks netset.Addresses
	// Hypothetical pods are reasoned about beside the real ones.
	Hypothetical []Hypothetical
	// Keys are labels that classes must keep apart though no policy asks for them.
	Keys []string
}

var privateNetworks = netset.Blocks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")

// Hypothetical is a pod that does not exist, to be reasoned about as if it did.
type Hypothetical struct {
	Namespace string
	// Tenant overrides who owns the namespace, for one that does not exist.
	Tenant string
	Labels map[string]string
}

// Reach is what one end may open to another. Sure ports are allowed; those that are in
// Possible only, perhaps (a condition, a construct or a mode that nobody knows); the rest
// is denied. Sure is always within Possible.
type Reach struct{ Sure, Possible netset.Ports }

// Unread is a policy, or a part of one, that the engine could not read.
type Unread struct {
	Object snapshot.Object
	// Field of the part, "" where it is the whole policy.
	Field string
	Why   string
}

// Engine answers who reaches whom. It may be changed by Apply; it is not safe for
// concurrent use.
type Engine struct {
	// Unread policies and parts of them, in the snapshot's order. What they open or close
	// is not in any answer, but for parts: the pods of their policy reach nothing surely,
	// and everything possibly.
	Unread []Unread

	options Options
	reader  *rules.Reader
	ports   *portTable
	spaces  spaceTable
	peers   peerTable
	nodes   map[string]*corev1.Node
	keys    keyTable
	// wide are the policies that are not of a single namespace.
	wide []*policy
	// homeless are policies of namespaces that are not there.
	homeless []*policy
	// cuts are the borders of all blocks that match pods; pods between the same two are
	// in the same blocks.
	cuts []netip.Addr
	// located are all pods' addresses, sorted; nil when they must be listed again.
	located []netip.Addr
	open    *grant
	plan    *plan // nil when it must be made again
	sorter  sorter
	// governing remembers, for one namespace, the grant for each list of policies.
	governing [2]map[string]*grant
	governors []*policy // of one grant, while it is made
	room      room
	one       [1]*rules.Policy // room for the policy of an object that has but one
	classes   []*Class
}

// room is where the engine's many small parts come from while New makes them all.
type room struct {
	policies slab.Of[policy]
	rules    slab.Of[boundRule]
	peers    slab.Of[boundPeer]
	grants   slab.Of[grant]
	classes  slab.Of[Class]
	govern   slab.Of[*policy]
	follow   slab.Of[*boundRule]
	ask      slab.Of[*peerSet]
}

// many prepares the engine for a snapshot of that size, until single.
func (e *Engine) many(policies, pods int) {
	some, classes := min(policies, 256), min(policies+pods, 256)
	e.room = room{
		policies: slab.Of[policy]{Size: some}, rules: slab.Of[boundRule]{Size: some}, peers: slab.Of[boundPeer]{Size: some},
		grants: slab.Of[grant]{Size: classes}, classes: slab.Of[Class]{Size: classes},
		govern: slab.Of[*policy]{Size: some}, follow: slab.Of[*boundRule]{Size: some}, ask: slab.Of[*peerSet]{Size: some},
	}
	e.peers.room.Size, e.spaces.room.Size = some, classes
	e.reader.Many(policies)
}

// single ends what many began: from now on parts come and go one by one.
func (e *Engine) single() {
	e.room = room{}
	e.peers.room.Stop()
	e.spaces.room.Stop()
	e.reader.Single()
}

// New reads the snapshot's policies and works out what they allow.
func New(s *snapshot.Snapshot, options Options) *Engine {
	if options.NodeLocalExempt == Unknown {
		options.NodeLocalExempt = Yes
	}
	if options.PodNetworks == nil {
		options.PodNetworks = privateNetworks
	}
	e := &Engine{
		options: options, reader: rules.NewReader(), ports: newPortTable(),
		spaces: newSpaceTable(), peers: newPeerTable(), nodes: map[string]*corev1.Node{},
		keys: newKeyTable(options.Keys),
	}
	e.open = &grant{def: [families]span{everything, everything, everything}, shape: openShape}
	for _, n := range s.Nodes {
		e.nodes[n.Name] = n
	}
	e.many(len(s.NetworkPolicies), len(s.Pods))
	e.readSpaces(s)
	e.readPolicies(s)
	e.cuts = e.peers.cuts()
	for _, sp := range e.spaces.list {
		e.sort(sp)
		e.grantAll(sp)
	}
	e.single()
	e.prepare()
	return e
}

// readSpaces takes the namespaces and their pods.
func (e *Engine) readSpaces(s *snapshot.Snapshot) {
	for _, name := range s.NamespaceNames() {
		sp := e.spaces.add(name, labelsOf(s, name), s.TenantOf(name))
		sp.pods = s.PodsIn(name) // never changed in place
	}
	for _, h := range e.options.Hypothetical {
		sp := e.spaces.byName[h.Namespace]
		if sp == nil {
			sp = e.spaces.add(h.Namespace, s.NamespaceLabels(h.Namespace), "")
		}
		sp.tenant = cmp.Or(sp.tenant, h.Tenant)
		sp.ghosts = append(sp.ghosts, h.Labels)
	}
	e.spaces.order()
}

// labelsOf are a namespace's labels; where the API server has given it its own, they are
// the namespace's map, which nobody changes.
func labelsOf(s *snapshot.Snapshot, name string) map[string]string {
	if ns := s.Namespace(name); ns != nil && ns.Labels[corev1.LabelMetadataName] == name {
		return ns.Labels
	}
	return s.NamespaceLabels(name)
}

// Classes are all classes of pods, by namespace.
func (e *Engine) Classes() []*Class {
	if e.classes == nil {
		for _, sp := range e.spaces.list {
			e.classes = append(e.classes, sp.classes...)
		}
		for i, c := range e.classes {
			c.id = i
		}
	}
	return e.classes
}

// ClassesIn are the classes of a namespace.
func (e *Engine) ClassesIn(namespace string) []*Class {
	if sp := e.spaces.byName[namespace]; sp != nil {
		return sp.classes
	}
	return nil
}

// ClassOf is the class of a pod, or nil where the engine does not know it.
func (e *Engine) ClassOf(pod *corev1.Pod) *Class {
	for _, c := range e.ClassesIn(pod.Namespace) {
		if slices.ContainsFunc(c.Pods, func(p *corev1.Pod) bool { return p == pod || p.Name == pod.Name }) {
			return c
		}
	}
	return nil
}

// Side is what a class is allowed with another in one direction, whatever the other end
// says.
func (e *Engine) Side(d rules.Direction, near, far *Class) Reach {
	return e.ports.reach(e.side(d, near, far))
}

// Between is what src may open to dst. Inside a class it is about two different pods.
func (e *Engine) Between(src, dst *Class) Reach { return e.ports.reach(e.between(src, dst)) }

// PodReach is what one pod may open to another; a pod always reaches itself, and so does
// a pod on a node's network the pods of that node unless the options say otherwise.
func (e *Engine) PodReach(src, dst *corev1.Pod) Reach {
	a, b := e.ClassOf(src), e.ClassOf(dst)
	if a == nil || b == nil {
		return Reach{}
	}
	if src.Namespace == dst.Namespace && src.Name == dst.Name || e.sameNode(src, dst) {
		return e.ports.reach(everything)
	}
	return e.Between(a, b)
}

// sameNode reports whether src is the node of dst to the network.
func (e *Engine) sameNode(src, dst *corev1.Pod) bool {
	return e.options.NodeLocalExempt == Yes && src.Spec.HostNetwork &&
		src.Spec.NodeName != "" && src.Spec.NodeName == dst.Spec.NodeName
}
