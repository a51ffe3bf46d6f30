package netreach

import (
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// Options choose where engines differ.
type Options struct {
	// IPBlocksMatchPods lets ipBlock peers match pods by their addresses. Most engines
	// do not promise it, and some do it.
	IPBlocksMatchPods bool
	// Hypothetical pods to reason about beside the real ones.
	Hypothetical []Hypothetical
	// Keys are labels that classes must keep apart though no policy asks for them.
	Keys []string
}

// Reach answers who reaches whom under the NetworkPolicies of a snapshot.
type Reach struct {
	// Classes of pods.
	Classes []*Class
	// Invalid are policies that could not be read, with the reason. They are left out.
	Invalid map[*networkingv1.NetworkPolicy]error

	policies map[string][]*policy
	// welcoming are the classes that admit somebody without naming him; admitting, for
	// each class, those that name it.
	welcoming []*Class
	admitting map[int][]*Class
}

// grant is what policies allow one class in one direction.
type grant struct {
	// policies that select the class; none means that everything is allowed.
	policies []*policy
	// wide ports are allowed with every other end, addresses included.
	wide Ports
	// with is what is allowed with single classes, by their id.
	with map[int]Ports
}

// open reports whether no policy isolates the class in this direction.
func (g *grant) open() bool { return len(g.policies) == 0 }

// ports is what is allowed with the other end.
func (g *grant) ports(other *Class) Ports {
	if g.open() {
		return AllPorts()
	}
	return g.wide.Union(g.with[other.id])
}

// New reads the snapshot's policies and works out what they allow.
func New(s *snapshot.Snapshot, options Options) *Reach {
	b := newBuilder(s, options)
	r := &Reach{Classes: classify(s, b), Invalid: b.invalid, policies: b.policies, admitting: map[int][]*Class{}}
	x := newIndex(r.Classes)
	for _, c := range r.Classes {
		for d := range c.grants {
			c.grants[d] = b.grant(x, c, direction(d))
		}
	}
	for _, c := range r.Classes {
		in := &c.grants[ingress]
		if in.open() || !in.wide.Empty() {
			r.welcoming = append(r.welcoming, c)
		}
		for id := range in.with {
			r.admitting[id] = append(r.admitting[id], c)
		}
	}
	return r
}

// Egress is the ports that src may open to dst, whatever dst admits.
func (r *Reach) Egress(src, dst *Class) Ports { return src.grants[egress].ports(dst) }

// Ingress is the ports that dst admits from src, whatever src may open.
func (r *Reach) Ingress(src, dst *Class) Ports { return dst.grants[ingress].ports(src) }

// Ports is the ports of dst that src reaches. Inside a class it is about two different
// pods: a pod always reaches itself.
func (r *Reach) Ports(src, dst *Class) Ports {
	return r.Egress(src, dst).Intersect(r.Ingress(src, dst))
}

// Pairs yields each pair of classes of which the first reaches the second, with the
// ports, in order. Its cost is that of the answer, not that of all pairs.
func (r *Reach) Pairs(yield func(src, dst *Class, ports Ports) bool) {
	for _, src := range r.Classes {
		for _, dst := range r.candidates(src) {
			if ports := r.Ports(src, dst); !ports.Empty() && !yield(src, dst, ports) {
				return
			}
		}
	}
}

// candidates are the classes that src could reach, in order.
func (r *Reach) candidates(src *Class) []*Class {
	out := &src.grants[egress]
	ids := map[int]bool{}
	if out.open() || !out.wide.Empty() {
		for _, c := range r.welcoming {
			ids[c.id] = true
		}
		for _, c := range r.admitting[src.id] {
			ids[c.id] = true
		}
	}
	for id := range out.with {
		ids[id] = true
	}
	classes := make([]*Class, 0, len(ids))
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		classes = append(classes, r.Classes[id])
	}
	return classes
}

// EgressTo is the addresses outside the cluster that a class may open connections to, as
// policies name them: disjoint sets, each with its ports.
func (r *Reach) EgressTo(c *Class) []AddressPorts { return subtract(c.addressGrants(egress), nil) }

// IngressFrom is the addresses that a class admits connections from.
func (r *Reach) IngressFrom(c *Class) []AddressPorts { return subtract(c.addressGrants(ingress), nil) }

func (c *Class) addressGrants(d direction) []AddressPorts {
	var out []AddressPorts
	for _, cause := range c.addressCauses(d) {
		out = append(out, AddressPorts{cause.addresses, cause.ports})
	}
	return out
}
