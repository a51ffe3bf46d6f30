package blast

import (
	"encoding/json"
	"slices"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// Chain leads from what an attacker holds to what falls. Chains of one report share
// their beginnings.
type Chain struct {
	ways *ways
	// at is the position where it ends, last a step that goes on from there, or none.
	at, last int32
}

// Step is one step of a chain.
type Step struct {
	From      analyze.Place      `json:"from"`
	To        analyze.Place      `json:"to"`
	ID        string             `json:"id"`
	Guarantee guarantee.ID       `json:"guarantee,omitempty"`
	Effect    string             `json:"effect"`
	Reference string             `json:"reference,omitempty"`
	Fix       string             `json:"fix,omitempty"`
	Evidence  guarantee.Evidence `json:"evidence,omitzero"`
	// Weak marks a step that needs something unseen to fail, or that only sends packets.
	Weak bool `json:"weak,omitempty"`
}

// Steps lists the steps, first to last. A chain without steps ends where it starts.
func (c Chain) Steps() []Step {
	if c.ways == nil {
		return nil
	}
	var steps []Step
	if c.last != none {
		steps = append(steps, c.ways.step(c.last))
	}
	for at := c.at; c.ways.up[at] != none; at = c.ways.up[at] {
		steps = append(steps, c.ways.step(c.ways.via[at]))
	}
	slices.Reverse(steps)
	return steps
}

// MarshalJSON writes the list of steps.
func (c Chain) MarshalJSON() ([]byte, error) { return json.Marshal(c.Steps()) }

func (w *ways) step(edge int32) Step {
	e := w.graph.edge(edge)
	return Step{
		From: e.From, To: e.To, ID: e.ID, Guarantee: e.Guarantee, Effect: e.Effect, Reference: e.Reference,
		Fix: e.Fix, Evidence: e.Evidence, Weak: weak(e),
	}
}

// exposures lists the tenants to whose workloads packets come from what has fallen
// without a weak step, the tenant's own included. It is asked before walkWeak.
func (t *tree) exposures(s *scratch) []Exposure {
	g := t.graph
	var out []Exposure
	for i := range t.strong {
		edges, to := g.weak.from(t.node[i])
		for k, v := range to {
			owner := g.tenant[v]
			if !g.packets[edges[k]] || owner == none || s.seen[v] != 0 || s.reached[v] {
				continue
			}
			s.reached[v] = true
			s.touched = append(s.touched, v)
			if s.exposure[owner] == 0 {
				out = append(out, Exposure{Tenant: g.tenants[owner], Chain: Chain{ways: t.ways, at: int32(i), last: edges[k]}})
				s.exposure[owner] = int32(len(out))
			}
			out[s.exposure[owner]-1].Workloads++
		}
	}
	for _, v := range s.touched {
		s.reached[v], s.exposure[g.tenant[v]] = false, 0
	}
	s.touched = s.touched[:0]
	slices.SortFunc(out, func(a, b Exposure) int {
		if a.Tenant < b.Tenant {
			return -1
		}
		return 1 // each tenant once
	})
	return out
}
