package blast

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// randomGraph makes three tenants with two namespaces each, owners that they sometimes
// share, two nodes, a platform namespace, and edges among all kinds of places.
func randomGraph(r *rand.Rand) (*snapshot.Snapshot, []analyze.Edge) {
	objects := []runtime.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}},
	}
	owners := []v1alpha1.Owner{
		{Kind: "Group", Name: "ops"}, {Kind: "User", Name: "ann"},
		{Kind: "ServiceAccount", Name: "sa", Namespace: "b-x"}, {Kind: "ServiceAccount", Name: "sa", Namespace: "kube-system"},
	}
	for _, name := range []string{"a", "b", "c"} {
		tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
		tenant.Spec.Namespaces = []v1alpha1.TenantNamespace{{Name: "x"}, {Name: "y"}}
		for _, o := range owners {
			if r.IntN(8) == 0 {
				tenant.Spec.Owners = append(tenant.Spec.Owners, o)
			}
		}
		objects = append(objects, tenant)
	}
	s := (&snapshot.Snapshot{}).With(objects...)
	places := randomPlaces()
	var edges []analyze.Edge
	for range 3 + r.IntN(40) {
		edges = append(edges, randomEdge(r, places))
	}
	return s, edges
}

func randomPlaces() []analyze.Place {
	places := []analyze.Place{
		{Kind: analyze.PlaceCluster}, {Kind: analyze.PlaceSecrets}, {Kind: analyze.PlaceNode},
		{Kind: analyze.PlaceNode, Name: "n1"}, {Kind: analyze.PlaceNode, Name: "n2"},
		{Kind: analyze.PlaceNetwork, Name: "hub"}, {Kind: analyze.PlaceNetwork, Name: "other hub"},
		{Kind: analyze.PlaceIdentity, Namespace: "watertight-system", Name: "owner-c"},
	}
	for _, name := range []string{"Group ops", "User ann", "User eve", "Group system:authenticated", "Group system:serviceaccounts", "Group system:serviceaccounts:c-x", "User system:anonymous"} {
		places = append(places, analyze.Place{Kind: analyze.PlaceIdentity, Name: name})
	}
	for _, ns := range []string{"a-x", "b-x", "b-y", "c-x", "kube-system"} {
		places = append(places,
			analyze.Place{Kind: analyze.PlaceWorkload, Namespace: ns, Name: "w"}, analyze.Place{Kind: analyze.PlaceWorkload, Namespace: ns, Name: "v"},
			analyze.Place{Kind: analyze.PlaceIdentity, Namespace: ns, Name: "sa"},
			analyze.Place{Kind: analyze.PlaceNamespace, Namespace: ns}, analyze.Place{Kind: analyze.PlaceSecrets, Namespace: ns})
	}
	return places
}

func randomEdge(r *rand.Rand, places []analyze.Place) analyze.Edge {
	e := analyze.Edge{
		From: places[r.IntN(len(places))], To: places[r.IntN(len(places))],
		ID: fmt.Sprint("Rule", r.IntN(3)), Guarantee: guarantee.API3, Weak: r.IntN(3) == 0,
	}
	if r.IntN(3) == 0 {
		e.Guarantee = guarantee.NET1
	}
	if r.IntN(5) > 0 {
		e.Fix = "remove it"
		e.Evidence = guarantee.Evidence{Object: guarantee.Ref{Kind: "Role", Name: fmt.Sprint("r", r.IntN(8))}, Field: fmt.Sprintf("rules[%d]", r.IntN(2))}
	}
	return e
}

// disagree says where a report differs from what the oracle finds.
func (o oracle) disagree(r Report) (complaints []string) {
	say := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	if want := o.radius(r.Tenant, 0); r.Radius != want {
		say("radius %+v, want %+v", r.Radius, want)
	}
	if want := o.radius(r.Tenant, 1000); r.IfUnseen.Radius != want && !r.Radius.ControlPlane {
		say("radius of weak steps %+v, want %+v", r.IfUnseen.Radius, want)
	}
	costs := o.costs(r.Tenant)
	strong := o.prizesAt(r.Tenant, costs, 0)
	complaints = append(complaints, o.disagreeOnChains(r.Tenant, r.Falls, strong)...)
	if !r.Radius.ControlPlane {
		weak := o.prizesAt(r.Tenant, costs, 1000)
		for key := range weak {
			ns, secrets := strings.CutPrefix(key, "secrets ")
			if _, fallen := strong[key]; fallen || secrets && o.s.TenantOf(ns) != "" {
				delete(weak, key)
			}
		}
		complaints = append(complaints, o.disagreeOnChains(r.Tenant, r.IfUnseen.Falls, weak)...)
	}
	complaints = append(complaints, o.disagreeOnFix(r)...)
	return append(complaints, o.disagreeOnReach(r, costs)...)
}

// disagreeOnChains: every prize has one chain, which is a chain and none shorter exists.
func (o oracle) disagreeOnChains(tenant string, f Falls, want map[string]cost) (complaints []string) {
	edges := o.all()
	got := map[string]Fall{}
	if f.ControlPlane != nil {
		got["plane"] = *f.ControlPlane
	}
	for _, x := range f.Tenants {
		got["tenant "+x.Tenant] = x
	}
	for _, x := range f.Nodes {
		got["node "+x.Place.Name] = x
	}
	for _, x := range f.Secrets {
		got["secrets "+x.Place.Namespace] = x
	}
	for _, x := range f.Platform {
		got["platform "+namespaceOf(x.Place)] = x
	}
	if len(got) != len(want) {
		complaints = append(complaints, fmt.Sprintf("%d things fall, want %v", len(got), want))
	}
	for key, fall := range got {
		at, held := cost{}, true
		steps := fall.Chain.Steps()
		for i, step := range steps {
			held = held && (i > 0 || o.held(tenant, step.From)) && (i == 0 || steps[i-1].To == step.From) &&
				slices.ContainsFunc(edges, func(e analyze.Edge) bool {
					return e.From == step.From && e.To == step.To && isWeak(e) == step.Weak && e.Evidence.Object == step.Evidence.Object
				})
			if at.steps++; step.Weak {
				at.weak++
			}
		}
		if !held || len(steps) == 0 || steps[len(steps)-1].To != fall.Place || at != want[key] {
			complaints = append(complaints, fmt.Sprintf("chain to %s costs %v, want %v, or is none: %v", key, at, want[key], steps))
		}
	}
	return complaints
}

// disagreeOnFix removes each change in turn and counts again.
func (o oracle) disagreeOnFix(r Report) (complaints []string) {
	without := func(ev guarantee.Evidence) Radius {
		return oracle{s: o.s, edges: o.edges, removed: &ev}.radius(r.Tenant, 0)
	}
	best := r.Radius
	for _, e := range o.all() {
		if e.Fix != "" {
			if after := without(e.Evidence); after.Compare(best) < 0 {
				best = after
			}
		}
	}
	switch {
	case r.Fix == nil && best != r.Radius:
		complaints = append(complaints, fmt.Sprintf("no fix, but one leaves %+v", best))
	case r.Fix != nil && (r.Fix.Radius != best || without(r.Fix.Evidence) != best):
		complaints = append(complaints, fmt.Sprintf("fix %+v leaves %+v, the best leaves %+v", r.Fix, without(r.Fix.Evidence), best))
	}
	return complaints
}

// disagreeOnReach: packets come from whatever falls, over at most one meeting point, and
// count where they reach a workload that does not fall.
func (o oracle) disagreeOnReach(r Report, costs map[analyze.Place]cost) (complaints []string) {
	reached := map[analyze.Place]bool{}
	for _, e := range o.all() {
		from, taken := costs[e.From]
		to, falls := costs[e.To]
		network := isWeak(e) && e.Guarantee == guarantee.NET1
		if network && e.From.Kind != "ControlPlane" && e.To.Kind == "Workload" && taken && from.weak == 0 && !(falls && to.weak == 0) && len(o.belongs(e.To)) == 1 {
			reached[e.To] = true
		}
	}
	got := 0
	for _, x := range r.Reached {
		got += x.Workloads
		steps := x.Chain.Steps()
		if len(steps) == 0 || !reached[steps[len(steps)-1].To] {
			complaints = append(complaints, fmt.Sprintf("reaches %s by %v", x.Tenant, steps))
		}
	}
	if got != len(reached) {
		complaints = append(complaints, fmt.Sprintf("reaches %d workloads, want %v", got, reached))
	}
	return complaints
}
