package engine

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
)

// policy is a policy with its peers bound to the engine's sets.
type policy struct {
	*rules.Policy
	key snapshot.ObjectKey
	// spaces are those that the subject takes in, nil for every one; a policy of a single
	// namespace stands in that one.
	spaces *spaceSet
	bound  [2][]boundRule
}

// boundRule is a rule whose peers are bound, in the rule's order.
type boundRule struct {
	policy *policy
	rule   *rules.Rule
	peers  []boundPeer
	// fixed are the ports that do not depend on the destination; names, those that do.
	fixed portID
	names []portName
}

// readPolicies takes every policy of the snapshot that is of a kind we read.
func (e *Engine) readPolicies(s *snapshot.Snapshot) {
	var added []*policy
	for _, p := range s.NetworkPolicies {
		added = e.add(p, added[:0])
	}
	for _, o := range s.Others {
		if governs(o) {
			added = e.add(o, added[:0])
		}
	}
}

// readKinds are the kinds that readOther reads, with their groups.
var readKinds = map[string]string{
	"AdminNetworkPolicy": "policy.networking.k8s.io", "BaselineAdminNetworkPolicy": "policy.networking.k8s.io",
	"ClusterNetworkPolicy": "policy.networking.k8s.io",
	"CiliumNetworkPolicy":  "cilium.io", "CiliumClusterwideNetworkPolicy": "cilium.io",
}

// otherKinds are policies of other engines (Calico, Antrea and their like, whatever their
// group): they are not read, so that what they open or close is unknown.
var otherKinds = []string{"NetworkPolicy", "GlobalNetworkPolicy", "ClusterNetworkPolicy"}

// governs reports whether an object governs traffic: a policy of any engine.
func governs(o *unstructured.Unstructured) bool {
	return readable(o) || slices.Contains(otherKinds, o.GetKind())
}

// readable reports whether an object is of a kind that readOther reads.
func readable(o *unstructured.Unstructured) bool {
	group, ok := readKinds[o.GetKind()]
	return ok && o.GroupVersionKind().Group == group
}

// read gives an object's policies; several for those of Cilium.
func (e *Engine) read(object snapshot.Object) ([]*rules.Policy, error) {
	switch o := object.(type) {
	case *unstructured.Unstructured:
		return e.readOther(o)
	case *networkingv1.NetworkPolicy:
		p, err := e.reader.NetworkPolicy(o)
		return append(e.one[:0], p), err
	}
	return nil, nil
}

// keyOf names an object; nearly all are NetworkPolicies.
func keyOf(object snapshot.Object) snapshot.ObjectKey {
	if np, ok := object.(*networkingv1.NetworkPolicy); ok {
		return snapshot.ObjectKey{Group: networkingv1.GroupName, Kind: "NetworkPolicy", Namespace: np.Namespace, Name: np.Name}
	}
	return snapshot.KeyOf(object)
}

// add reads an object, puts its policies where they govern and appends them to out. It
// does not make the grants of the pods anew.
func (e *Engine) add(object snapshot.Object, out []*policy) []*policy {
	key := keyOf(object)
	if slices.Contains(e.options.NotEnforced, key.Kind) {
		e.Unread = append(e.Unread, Unread{Object: object, Why: "the network plugin that is seen does not enforce policies of kind " + key.Kind})
		return out
	}
	read, err := e.read(object)
	if err != nil {
		e.Unread = append(e.Unread, Unread{Object: object, Why: err.Error()})
		return out
	}
	for _, r := range read {
		p := e.room.policies.One()
		p.Policy, p.key, out = r, key, append(out, p)
		for _, d := range r.Doubts {
			e.Unread = append(e.Unread, Unread{Object: object, Field: d.Field, Why: d.Why})
		}
		e.bindRules(p)
		e.keys.count(r, 1)
		if r.Subject.Namespace == "" {
			e.addWide(p)
		} else if sp := e.spaces.byName[r.Subject.Namespace]; sp != nil {
			sp.policies = append(sp.policies, p)
		} else {
			e.homeless = append(e.homeless, p)
		}
	}
	return out
}

// of finds an object's policies.
func (e *Engine) of(key snapshot.ObjectKey) []*policy {
	lists := [][]*policy{e.wide, e.homeless}
	if sp := e.spaces.byName[key.Namespace]; sp != nil {
		lists = append(lists, sp.policies)
	}
	var out []*policy
	for _, list := range lists {
		for _, p := range list {
			if p.key == key {
				out = append(out, p)
			}
		}
	}
	return out
}

func (e *Engine) addWide(p *policy) {
	at, _ := slices.BinarySearchFunc(e.wide, p, compareOrder)
	e.wide = slices.Insert(e.wide, at, p)
	spaces := e.spaces.list
	if !p.Subject.Namespaces.Empty() {
		p.spaces = e.spaces.match(p.Subject.Namespaces)
		spaces = slices.Collect(e.spaces.spaces(p.spaces))
	}
	for _, sp := range spaces {
		sp.addWide(p)
	}
}

func (sp *space) addWide(p *policy) {
	at, _ := slices.BinarySearchFunc(sp.wide, p, compareOrder)
	sp.wide = slices.Insert(sp.wide, at, p)
}

// compareOrder is the order of evaluation: by tier and priority. The API leaves equal
// priorities open; the name decides then, and an overlap is the judge's to report.
func compareOrder(a, b *policy) int {
	return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Priority, b.Priority), a.key.Compare(b.key))
}

func (e *Engine) bindRules(p *policy) {
	for d := range p.Rules {
		if len(p.Rules[d]) == 0 {
			continue
		}
		p.bound[d] = e.room.rules.Take(len(p.Rules[d]))
		for i := range p.Rules[d] {
			r := &p.Rules[d][i]
			b := boundRule{policy: p, rule: r, fixed: allPorts}
			if len(r.Ports) > 0 {
				b.fixed = noPorts
			}
			for k := range r.Ports {
				if r.Ports[k].Name != "" {
					b.names = append(b.names, portName{r.Ports[k].Name, r.Ports[k].Protocol})
					continue
				}
				b.fixed = e.ports.union(b.fixed, e.ports.id(r.Ports[k].Ports))
			}
			b.peers = e.room.peers.Take(len(r.Peers))
			for k := range r.Peers {
				b.peers[k] = e.bind(&r.Peers[k])
			}
			p.bound[d][i] = b
		}
	}
}

// remove takes policies out again and returns the namespaces that they governed.
func (e *Engine) remove(policies []*policy) []*space {
	var touched []*space
	for _, p := range policies {
		same := func(o *policy) bool { return o == p }
		e.keys.count(p.Policy, -1)
		touched = append(touched, e.governed(p)...)
		if p.Subject.Namespace != "" {
			if sp := e.spaces.byName[p.Subject.Namespace]; sp != nil {
				sp.policies = slices.DeleteFunc(sp.policies, same)
			}
			e.homeless = slices.DeleteFunc(e.homeless, same)
		} else {
			for _, sp := range e.governed(p) {
				sp.wide = slices.DeleteFunc(sp.wide, same)
			}
			e.wide = slices.DeleteFunc(e.wide, same)
			e.spaces.release(p.spaces)
		}
		for d := range p.bound {
			for i := range p.bound[d] {
				for _, b := range p.bound[d][i].peers {
					e.release(b)
				}
			}
		}
	}
	return touched
}

// portsAt are the ports of a rule at a destination.
func (r *boundRule) portsAt(t *portTable, destination *Class) portID {
	out := r.fixed
	for _, n := range r.names {
		if named, ok := destination.named[n]; ok {
			out = t.union(out, named)
		}
	}
	return out
}
