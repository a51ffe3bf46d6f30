package main

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
)

// change is a policy that comes and goes, and a pair of pods whose reach it decides.
type change struct {
	what     string
	policy   snapshot.Object
	src, dst *corev1.Pod
	aim      time.Duration
	times    int
}

// at is the namespace whose policies change.
const at = "t00007-backend"

// changes measures what it costs to take a change in: with a question about a pair of
// pods after it, and with all pairs worked out again.
func (b *bench) changes(what string, s *snapshot.Snapshot, e *engine.Engine) error {
	for _, c := range b.changesOf(s, e) {
		point, err := b.measure(c.times, func() error { return c.comeAndGo(e) })
		if err != nil {
			return err
		}
		b.timed(what+c.what+", then a pair of pods", half(point), c.aim, "")
		again, err := b.measure(1, func() error {
			e.Apply(engine.Event{Object: c.policy})
			allPairs(e)
			e.Apply(engine.Event{Object: c.policy, Gone: true})
			allPairs(e)
			return nil
		})
		if err != nil {
			return err
		}
		b.timed(what+c.what+", then all pairs", half(again), 0, "")
	}
	return nil
}

func half(c cost) cost {
	for i := range c.user {
		c.user[i] /= 2
	}
	return c
}

// comeAndGo makes two changes, and fails where the answer does not change with each.
func (c change) comeAndGo(e *engine.Engine) error {
	e.Apply(engine.Event{Object: c.policy})
	with := e.PodReach(c.src, c.dst)
	e.Apply(engine.Event{Object: c.policy, Gone: true})
	if without := e.PodReach(c.src, c.dst); without.Sure.Equal(with.Sure) {
		return fmt.Errorf("%s does not change what %s reaches of %s: %s", c.what, c.src.Name, c.dst.Name, with.Sure)
	}
	return nil
}

func (b *bench) changesOf(s *snapshot.Snapshot, e *engine.Engine) []change {
	backend, frontend, ingress := s.PodsIn(at), s.PodsIn("t00007-frontend"), s.PodsIn("ingress-nginx")
	same := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "backend"}}}
	wide := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"backend", "database"}}}}}
	const local, clusterWide = time.Millisecond, 50 * time.Millisecond
	out := []change{}
	if len(e.PoliciesIn(at)) > 0 {
		out = append(out,
			change{"a policy with a local selector changes", opening(same), backend[0], backend[1], local, 500},
			change{"a policy with a cluster-wide selector changes", opening(wide), ingress[0], backend[0], clusterWide, 50})
	} else {
		out = append(out, change{"a policy changes that isolates an open namespace", isolating(), frontend[0], backend[0], local, 500})
	}
	return append(out, change{"a ClusterNetworkPolicy changes that governs every pod", governing(), ingress[0], s.PodsIn("t00007-frontend")[0], clusterWide, 1})
}

func policy(spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: at, Name: "changing"}, Spec: spec}
}

// opening opens both directions.
func opening(peer networkingv1.NetworkPolicyPeer) *networkingv1.NetworkPolicy {
	peers := []networkingv1.NetworkPolicyPeer{peer}
	return policy(networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: peers}},
		Egress:      []networkingv1.NetworkPolicyEgressRule{{To: peers}},
	})
}

func isolating() *networkingv1.NetworkPolicy {
	return policy(networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}})
}

// governing denies every pod what the namespaces of databases and of the ingress
// controllers send.
func governing() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
		"metadata": map[string]any{"name": "changing"},
		"spec": map[string]any{
			"tier": "Admin", "priority": int64(10), "subject": map[string]any{"namespaces": map[string]any{}},
			"ingress": []any{map[string]any{"name": "none", "action": "Deny", "from": []any{
				map[string]any{"namespaces": map[string]any{"matchExpressions": []any{
					map[string]any{"key": "tier", "operator": "NotIn", "values": []any{"frontend", "backend"}}}}}}}},
		},
	}}
}
