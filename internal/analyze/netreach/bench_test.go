package netreach

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// tiers makes tenants of three namespaces with three pods and three policies each.
func tiers(tenants int) *snapshot.Snapshot {
	objects := []runtime.Object{
		&v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "c"}},
	}
	names := []string{"front", "back", "data"}
	for i := range tenants {
		t := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("t%d", i)}, Spec: v1alpha1.TenantSpec{ClassName: "c"}}
		for k, n := range names {
			t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: n})
			ns := v1alpha1.NamespaceName(t.Name, n)
			objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{v1alpha1.LabelTenant: t.Name}}})
			for p := range 3 {
				objects = append(objects, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprint("p", p), Labels: map[string]string{"app": n}}})
			}
			objects = append(objects, tierPolicies(t.Name, ns, k, names)...)
			if k > 0 {
				t.Spec.Network.Flows = append(t.Spec.Network.Flows, v1alpha1.Flow{
					From: v1alpha1.FlowEnd{Namespace: names[k-1]}, To: v1alpha1.FlowEnd{Namespace: n}, Ports: []v1alpha1.FlowPort{{Port: 80, Protocol: "TCP"}}})
			}
		}
		objects = append(objects, t)
	}
	return load.Objects(objects...)
}

func tierPolicies(tenant, ns string, k int, names []string) []runtime.Object {
	peer := func(n string) []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: v1alpha1.NamespaceName(tenant, n)}}}}
	}
	port := intstr.FromInt32(80)
	ports := []networkingv1.NetworkPolicyPort{{Port: &port}}
	policy := func(name string, spec networkingv1.NetworkPolicySpec) runtime.Object {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Spec: spec}
	}
	in, out := networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	list := []runtime.Object{policy("deny", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in, out}})}
	if k > 0 {
		list = append(list, policy("in", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: peer(names[k-1]), Ports: ports}}}))
	}
	if k+1 < len(names) {
		list = append(list, policy("out", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{out},
			Egress: []networkingv1.NetworkPolicyEgressRule{{To: peer(names[k+1]), Ports: ports}}}))
	}
	return list
}

// TestTiersHold proves that the benchmark's clusters are what they should be.
func TestTiersHold(t *testing.T) {
	for _, f := range Run(tiers(20)) {
		if f.Verdict == guarantee.Broken {
			t.Errorf("%s %s: %s", f.Tenant, f.Guarantee, f.Message)
		}
	}
}

func BenchmarkReach(b *testing.B) {
	s := tiers(1000)
	s.NamespaceNames()
	b.ReportAllocs()
	for b.Loop() {
		pairs := 0
		New(s, Options{}).Pairs(func(_, _ *Class, _ Ports) bool {
			pairs++
			return true
		})
		if pairs != 2000 {
			b.Fatalf("%d pairs", pairs)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	s := tiers(1000)
	b.ReportAllocs()
	for b.Loop() {
		Run(s)
	}
}
