package netreach

import (
	"fmt"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/snapshot"
)

// builder turns policies into grants.
type builder struct {
	options  Options
	policies map[string][]*policy
	invalid  map[*networkingv1.NetworkPolicy]error
}

func newBuilder(s *snapshot.Snapshot, options Options) *builder {
	b := &builder{
		options: options, policies: map[string][]*policy{},
		invalid: map[*networkingv1.NetworkPolicy]error{},
	}
	for _, object := range s.NetworkPolicies {
		p, err := newPolicy(object)
		if err != nil {
			b.invalid[object] = err
			continue
		}
		b.policies[object.Namespace] = append(b.policies[object.Namespace], p)
	}
	return b
}

// peers calls visit for every peer of every policy, in order.
func (b *builder) peers(visit func(*peer)) {
	for _, namespace := range slices.Sorted(maps.Keys(b.policies)) {
		for _, p := range b.policies[namespace] {
			for d := range p.rules {
				for i := range p.rules[d] {
					for j := range p.rules[d][i].peers {
						visit(&p.rules[d][i].peers[j])
					}
				}
			}
		}
	}
}

// labelKeys are the labels of pods that some selector asks for.
func (b *builder) labelKeys() map[string]bool {
	keys := map[string]bool{}
	add := func(s labels.Selector) {
		requirements, _ := s.Requirements()
		for _, r := range requirements {
			keys[r.Key()] = true
		}
	}
	for _, policies := range b.policies {
		for _, p := range policies {
			add(p.selector)
		}
	}
	b.peers(func(q *peer) {
		if q.block == nil {
			add(q.pods)
		}
	})
	for _, k := range b.options.Keys {
		keys[k] = true
	}
	return keys
}

// podBlocks are the ipBlocks that tell pods apart: none unless ipBlocks match pods.
func (b *builder) podBlocks() []Addresses {
	if !b.options.IPBlocksMatchPods {
		return nil
	}
	var out []Addresses
	seen := map[string]int{}
	b.peers(func(q *peer) {
		if q.block == nil {
			return
		}
		key := fmt.Sprint(q.block)
		if _, ok := seen[key]; !ok {
			seen[key] = len(out)
			out = append(out, q.block)
		}
		q.atom = seen[key]
	})
	return out
}

// grant works out what a class is allowed in one direction.
func (b *builder) grant(x *index, c *Class, d direction) grant {
	g := grant{with: map[int]Ports{}}
	if c.HostNetwork {
		return g
	}
	for _, p := range b.policies[c.Namespace] {
		if !p.isolates[d] || !p.selector.Matches(c.Labels) {
			continue
		}
		g.policies = append(g.policies, p)
		for _, r := range p.rules[d] {
			b.addRule(x, c, &g, ruleIn{p, r, d})
		}
	}
	return g
}

// ruleIn is a rule, the policy it stands in and its direction.
type ruleIn struct {
	policy *policy
	rule   rule
	d      direction
}

func (b *builder) addRule(x *index, c *Class, g *grant, in ruleIn) {
	if in.rule.everyone {
		if in.d == ingress {
			g.wide = g.wide.Union(in.rule.at(c))
			return
		}
		g.wide = g.wide.Union(in.rule.fixed())
		if in.rule.named() {
			for _, dst := range x.classes {
				g.add(dst, in.rule.at(dst))
			}
		}
		return
	}
	for _, q := range in.rule.peers {
		for _, other := range x.matching(in.policy.object.Namespace, &q, b.options.IPBlocksMatchPods) {
			destination := other
			if in.d == ingress {
				destination = c
			}
			g.add(other, in.rule.at(destination))
		}
	}
}

func (g *grant) add(other *Class, ports Ports) {
	if !ports.Empty() {
		g.with[other.id] = g.with[other.id].Union(ports)
	}
}
