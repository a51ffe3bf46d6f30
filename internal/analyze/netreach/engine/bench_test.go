package engine

import (
	"fmt"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/test/estate"
)

var sizes = []estate.Options{
	{Tenants: 1_000, PodsPerNamespace: 3, Mistakes: 0.04},
	{Tenants: 10_000, PodsPerNamespace: 4, Mistakes: 0.04},
	{Tenants: 10_000, PodsPerNamespace: 4, Mistakes: 0.04, Open: 0.5},
}

func sized(o estate.Options) string { return fmt.Sprintf("tenants=%d/open=%g", o.Tenants, o.Open) }

func loaded(o estate.Options) *snapshot.Snapshot {
	s := estate.New(o)
	s.NamespaceNames()
	return s
}

func BenchmarkBuild(b *testing.B) {
	for _, o := range sizes {
		s := loaded(o)
		b.Run(sized(o), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				New(s, Options{})
			}
		})
	}
}

func BenchmarkAllPairs(b *testing.B) {
	for _, o := range sizes {
		e := New(loaded(o), Options{})
		b.Run(sized(o), func(b *testing.B) {
			b.ReportAllocs()
			flows, pairs := 0, 0
			for b.Loop() {
				flows, pairs = 0, 0
				e.Flows(func(f Flow) bool {
					flows++
					pairs += f.PodPairs()
					return true
				})
			}
			b.ReportMetric(float64(flows), "flows")
			b.ReportMetric(float64(pairs), "podpairs")
		})
	}
}

func BenchmarkChange(b *testing.B) {
	for name, peer := range map[string]networkingv1.NetworkPolicyPeer{
		"local":       {PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "frontend"}}},
		"clusterwide": {NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "frontend"}}},
	} {
		s := loaded(sizes[1])
		e := New(s, Options{})
		policy := func(int) *networkingv1.NetworkPolicy {
			return &networkingv1.NetworkPolicy{
				ObjectMeta: metav1.ObjectMeta{Namespace: "t00007-backend", Name: "changing"},
				Spec: networkingv1.NetworkPolicySpec{
					PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
					Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{peer}}},
				},
			}
		}
		src, dst := s.PodsIn("t00009-frontend")[0], s.PodsIn("t00007-backend")[0]
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				e.Apply(Event{Object: policy(i), Gone: i%2 == 0})
				e.PodReach(src, dst)
			}
		})
	}
}
