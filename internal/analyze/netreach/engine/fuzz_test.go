package engine

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/snapshot"
)

// fuzzKinds are the kinds of policies that the fuzzer writes.
var fuzzKinds = []metav1.TypeMeta{
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
	{APIVersion: "policy.networking.k8s.io/v1alpha2", Kind: "ClusterNetworkPolicy"},
	{APIVersion: "policy.networking.k8s.io/v1alpha1", Kind: "AdminNetworkPolicy"},
	{APIVersion: "policy.networking.k8s.io/v1alpha1", Kind: "BaselineAdminNetworkPolicy"},
	{APIVersion: "cilium.io/v2", Kind: "CiliumNetworkPolicy"},
	{APIVersion: "cilium.io/v2", Kind: "CiliumClusterwideNetworkPolicy"},
}

// FuzzEngine: no policy of any kind, however it is written, makes the engine panic, say
// more for sure than it thinks possible, say one thing by flows and another by pairs, or
// leave a trace once it is gone.
func FuzzEngine(f *testing.F) {
	for seed := range uint64(8) {
		g := newGenerator(seed)
		np, _ := json.Marshal(g.policy("np").Spec)
		f.Add(np, uint8(0), uint8(seed), seed)
		tiered, _ := json.Marshal(g.tiered("cnp").Object["spec"])
		f.Add(tiered, uint8(1), uint8(seed), seed)
		cilium, _ := json.Marshal(g.cilium("cilium").Object["spec"])
		f.Add(cilium, uint8(4+seed%2), uint8(seed), seed)
	}
	f.Add([]byte(`{"priority":1,"subject":{"namespaces":{}},"egress":[{"action":"Pass","to":[{"namespaces":{}},{"networks":["0.0.0.0/0"]},{"nodes":{}}],"ports":[{"portNumber":{"port":80,"protocol":"TCP"}},{"namedPort":"web"},{"portRange":{"start":1,"end":2}}]}]}`), uint8(2), uint8(1), uint64(1))
	f.Add([]byte(`{"subject":{"pods":{"namespaceSelector":{},"podSelector":{}}},"ingress":[{"action":"Deny","from":[{"pods":{"namespaceSelector":{},"podSelector":{}}}]}]}`), uint8(3), uint8(1), uint64(2))
	f.Fuzz(func(t *testing.T, spec []byte, kind, mode uint8, seed uint64) {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		var value any
		if json.Unmarshal(spec, &value) != nil {
			t.Skip()
		}
		u.Object["spec"] = value
		u.SetName("fuzzed")
		if k := fuzzKinds[int(kind)%len(fuzzKinds)]; true {
			u.SetAPIVersion(k.APIVersion)
			u.SetKind(k.Kind)
			if k.Kind == "NetworkPolicy" || k.Kind == "CiliumNetworkPolicy" {
				u.SetNamespace("x")
			}
		}
		g := newGenerator(seed % 64)
		options := Options{BlocksMatchPods: Mode(mode % 3), NodeLocalExempt: No}
		without := g.mixed()
		with := without.With(u)
		verdictsOf(t, with, options)
		e := New(without, options)
		for _, o := range addedTo(without, with) {
			e.Apply(Event{Object: o})
			if got, want := described(t, e, with), described(t, New(with, options), with); got != want {
				t.Fatalf("after the policy\ngot\n%s\nwant\n%s", got, want)
			}
			e.Apply(Event{Object: o, Gone: true})
			if got, want := described(t, e, without), described(t, New(without, options), without); got != want {
				t.Fatalf("after it is gone\ngot\n%s\nwant\n%s", got, want)
			}
		}
	})
}

// addedTo are the objects of a snapshot that another has not, as they were read.
func addedTo(from, to *snapshot.Snapshot) (out []snapshot.Object) {
	known := map[snapshot.Object]bool{}
	for _, o := range objectsOf(from) {
		known[o] = true
	}
	for _, o := range objectsOf(to) {
		if !known[o] {
			out = append(out, o)
		}
	}
	return out
}
