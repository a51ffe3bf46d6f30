package services

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func prefixes(text ...string) (out []netip.Prefix) {
	for _, t := range text {
		out = append(out, prefix(t))
	}
	return out
}

func nodes(addresses ...string) *snapshot.Snapshot {
	s := new(snapshot.Snapshot)
	for i, a := range addresses {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i)}}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: a}}
		s.Nodes = append(s.Nodes, n)
	}
	return s
}

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// shops makes tenants with three namespaces each, and in each a Service with three pods,
// its slice, an Ingress, a route on the platform's Gateway and a policy. None is wrong.
func shops(tenants int) *snapshot.Snapshot {
	class := &v1alpha1.TenantClass{ObjectMeta: named("", "c")}
	class.Spec.Network.Hostnames = []string{"*.{tenant}.example"}
	class.Spec.Network.ServiceTypes = []corev1.ServiceType{corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort}
	objects := []runtime.Object{class, gatewayAPI("Gateway", "infra", "edge", map[string]any{
		"listeners": []any{map[string]any{"name": "all", "protocol": "HTTPS", "hostname": "*.example", "allowedRoutes": map[string]any{"namespaces": map[string]any{"from": "All"}}}},
	})}
	for i := range tenants {
		t := &v1alpha1.Tenant{ObjectMeta: named("", fmt.Sprint("t", i))}
		t.Spec.ClassName = "c"
		for k := range 3 {
			short := fmt.Sprint("n", k)
			t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: short})
			objects = append(objects, shop(t.Name, v1alpha1.NamespaceName(t.Name, short), 3*i+k)...)
		}
		objects = append(objects, t)
	}
	return load.Objects(objects...)
}

func gatewayAPI(kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
		"metadata": map[string]any{"namespace": namespace, "name": name}, "spec": spec,
	}}
}

func shop(tenant, ns string, number int) []runtime.Object {
	objects := []runtime.Object{&corev1.Namespace{ObjectMeta: named("", ns)}}
	label := map[string]string{"app": "web"}
	svc := &corev1.Service{ObjectMeta: named(ns, "web"), Spec: corev1.ServiceSpec{
		Selector: label, Type: corev1.ServiceTypeNodePort, ClusterIP: netip.AddrFrom4([4]byte{10, 96, byte(number >> 8), byte(number)}).String(),
	}}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: named(ns, "web-x")}
	for i := range 3 {
		pod := &corev1.Pod{ObjectMeta: named(ns, fmt.Sprint("web-", i))}
		pod.Labels = label
		pod.Status.PodIP = netip.AddrFrom4([4]byte{10, byte(i), byte(number >> 8), byte(number)}).String()
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{pod.Status.PodIP}})
		objects = append(objects, pod)
	}
	ingress := &networkingv1.Ingress{ObjectMeta: named(ns, "web")}
	ingress.Spec.Rules = []networkingv1.IngressRule{{Host: ns + "." + tenant + ".example"}}
	route := gatewayAPI("HTTPRoute", ns, "web", map[string]any{
		"hostnames": []any{"gw-" + ns + "." + tenant + ".example"}, "parentRefs": []any{map[string]any{"name": "edge", "namespace": "infra"}},
		"rules": []any{map[string]any{"backendRefs": []any{map[string]any{"name": "web", "port": int64(80)}}}},
	})
	policy := &networkingv1.NetworkPolicy{ObjectMeta: named(ns, "deny")}
	return append(objects, svc, slice, ingress, route, policy)
}
