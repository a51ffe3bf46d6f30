package meshidentity

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/meshidentity/istio"
	"watertight.dev/watertight/internal/snapshot"
)

// TestFunctions: what others may ask, over the smallest mesh there is.
func TestFunctions(t *testing.T) {
	pod := func(ns, account string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: account},
			Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "istio-proxy"}}},
		}
	}
	policy := func(kind string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": map[string]any{"namespace": "a", "name": "p"}, "spec": spec,
		}}
	}
	s := (&snapshot.Snapshot{}).With(
		policy("PeerAuthentication", map[string]any{"mtls": map[string]any{"mode": "STRICT"}}),
		policy("AuthorizationPolicy", map[string]any{"rules": []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{"namespaces": []any{"b"}}}}}}}),
	)
	if got := Modes(s, pod("a", "web")).At(80); got != istio.Strict {
		t.Errorf("mode is %s", got)
	}
	if got := Authorised(s, pod("b", "x"), pod("a", "web"), 80); got.Decision != istio.Allowed {
		t.Errorf("b is %s (%s)", got.Decision, got.Reason)
	}
	if got := Authorised(s, pod("c", "x"), pod("a", "web"), 80); got.Decision != istio.Denied {
		t.Errorf("c is %s (%s)", got.Decision, got.Reason)
	}
	if got := Authorised(s, pod("c", "x"), pod("b", "web"), 80); got.Decision != istio.Allowed {
		t.Errorf("where no policy is, c is %s (%s)", got.Decision, got.Reason)
	}
}
