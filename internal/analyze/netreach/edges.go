package netreach

import (
	"fmt"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Edges are the connections between pods of different owners that are surely allowed, as
// steps that expose a workload. Pods that no policy tells apart meet at a place of their
// own, and crowds at one for each flow, so that an open cluster has no more steps than pods.
func Edges(s *snapshot.Snapshot, yield func(analyze.Edge) bool) {
	r := &roads{snapshot: s, engine: engine.New(s, DetectPlugin(s).Options), seen: map[analyze.Place]bool{}, yield: yield, going: true}
	flows := 0
	r.engine.Flows(func(f engine.Flow) bool {
		if f.Sure.Empty() {
			return true
		}
		if len(f.From.Groups) == 1 && len(f.To.Groups) == 1 {
			r.pairs(f)
		} else {
			flows++
			r.crowd(f, flows)
		}
		return r.going
	})
}

// reachID is the ID of all steps of this package.
const reachID = "NetworkReach"

const reachReference = "kubernetes.io/docs/concepts/services-networking/network-policies"

// roads yields steps, those of a class's own pods once.
type roads struct {
	snapshot *snapshot.Snapshot
	engine   *engine.Engine
	seen     map[analyze.Place]bool
	yield    func(analyze.Edge) bool
	going    bool
}

func (r *roads) emit(e analyze.Edge) {
	if !r.going {
		return
	}
	e.ID, e.Guarantee, e.Effect, e.Reference = reachID, guarantee.NET1, "sends packets to", reachReference
	r.going = r.yield(e)
}

func (r *roads) pairs(f engine.Flow) {
	for src, dst := range f.Pairs {
		if src.Tenant() == dst.Tenant() || len(src.Pods) == 0 || len(dst.Pods) == 0 {
			continue
		}
		causes := r.engine.Causes(rules.Egress, src, dst)
		r.emit(analyze.Edge{
			From: r.out(src), To: r.in(dst), Fix: fix(causes), Evidence: about(r.snapshot, src, rules.Egress, causes[0]),
		})
	}
}

// crowd joins all of a flow at one place.
func (r *roads) crowd(f engine.Flow, number int) {
	hub := analyze.Place{Kind: analyze.PlaceNetwork, Name: fmt.Sprintf("flow %d", number)}
	owners := map[string]bool{}
	var to []*engine.Class
	for _, g := range f.To.Groups {
		if f.Excepts(g) {
			continue
		}
		for _, c := range g.Classes {
			if len(c.Pods) > 0 {
				owners[c.Tenant()] = true
				to = append(to, c)
			}
		}
	}
	for _, g := range f.From.Groups {
		for _, c := range g.Classes {
			if len(c.Pods) == 0 || len(to) == 0 || len(owners) == 1 && owners[c.Tenant()] {
				continue
			}
			causes := r.engine.Causes(rules.Egress, c, to[0])
			r.emit(analyze.Edge{From: r.out(c), To: hub, Fix: fix(causes), Evidence: about(r.snapshot, c, rules.Egress, first(causes))})
		}
	}
	for _, c := range to {
		evidence := analyze.AboutNamespace(r.snapshot, c.Namespace(), "admits "+f.Sure.String())
		r.emit(analyze.Edge{From: hub, To: r.in(c), Fix: "add a default-deny NetworkPolicy", Evidence: evidence})
	}
}

func first(causes []engine.Cause) engine.Cause {
	if len(causes) == 0 {
		return engine.Cause{}
	}
	return causes[0]
}

func fix(causes []engine.Cause) string {
	if why := first(causes); why.Policy != nil {
		return "remove the rule"
	}
	return "add a default-deny NetworkPolicy"
}

// out is the place from which a class's pods send, with the steps that lead there.
func (r *roads) out(c *engine.Class) analyze.Place {
	hub := analyze.Place{Kind: analyze.PlaceNetwork, Namespace: c.Namespace(), Name: "from " + id(c)}
	if !r.seen[hub] {
		r.seen[hub] = true
		for _, p := range c.Pods {
			r.emit(analyze.Edge{
				From: analyze.Place{Kind: analyze.PlaceWorkload, Namespace: p.Namespace, Name: p.Name}, To: hub,
				Fix: "add a default-deny NetworkPolicy", Evidence: analyze.About(r.snapshot, p, "", "sends from its namespace"),
			})
		}
	}
	return hub
}

// in is the place at which a class's pods receive, with the steps that lead to them.
func (r *roads) in(c *engine.Class) analyze.Place {
	hub := analyze.Place{Kind: analyze.PlaceNetwork, Namespace: c.Namespace(), Name: "to " + id(c)}
	if !r.seen[hub] {
		r.seen[hub] = true
		for _, p := range c.Pods {
			r.emit(analyze.Edge{
				From: hub, To: analyze.Place{Kind: analyze.PlaceWorkload, Namespace: p.Namespace, Name: p.Name}, Weak: true,
				Fix: "add a default-deny NetworkPolicy", Evidence: analyze.About(r.snapshot, p, "", "receives in its namespace"),
			})
		}
	}
	return hub
}

// id names a class inside its namespace: by its first pod, which is of no other class.
func id(c *engine.Class) string { return c.Pods[0].Name }
