package engine

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/snapshot/load"
)

// TestAllowWithoutIsolation: an allow of a policy that switches the default deny off closes
// nothing (docs.cilium.io, Policy Enforcement Modes: enableDefaultDeny).
func TestAllowWithoutIsolation(t *testing.T) {
	pod := func(name string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: name, Labels: map[string]string{"app": name}}}
	}
	for deny, want := range map[bool]bool{false: true, true: false} {
		policy := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
			"metadata": map[string]any{"name": "p", "namespace": "x"},
			"spec": map[string]any{
				"endpointSelector":  map[string]any{},
				"enableDefaultDeny": map[string]any{"egress": deny},
				"egress": []any{map[string]any{"toEndpoints": []any{map[string]any{
					"matchLabels": map[string]any{"app": "b"},
				}}}},
			},
		}}
		a, c := pod("a"), pod("c")
		e := New(load.Objects(a, pod("b"), c, policy), Options{})
		if got := e.PodReach(a, c).Sure.All(); got != want || len(e.Unread) > 0 {
			t.Errorf("default deny %t: a reaches c is %t, want %t (unread: %v)", deny, got, want, e.Unread)
		}
	}
}
