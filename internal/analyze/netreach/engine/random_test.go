package engine

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// generator makes small clusters that are likely to hit every part of the semantics.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

var testNamespaces = []string{"x", "z", "w"}

// cluster is a few namespaces, pods and policies.
func (g generator) cluster() *snapshot.Snapshot {
	var objects []runtime.Object
	for i, ns := range testNamespaces {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: ns, Labels: map[string]string{"ns": ns, "parity": fmt.Sprint(i % 2)},
		}})
		for k := range 1 + g.IntN(3) {
			objects = append(objects, g.pod(ns, fmt.Sprintf("p%d", k)))
		}
	}
	for i := range g.IntN(5) {
		objects = append(objects, g.policy(fmt.Sprintf("np%d", i)))
	}
	return load.Objects(objects...)
}

func (g generator) pod(namespace, name string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"unasked": name}},
		Spec:       corev1.PodSpec{HostNetwork: g.chance(5)},
	}
	p.Spec.NodeName = pick(g, "", "n0", "n1")
	for _, k := range []string{"app", "tier"} {
		if g.chance(70) {
			p.Labels[k] = pick(g, "a", "b", "c")
		}
	}
	var ports []corev1.ContainerPort
	for _, protocol := range netset.Protocols {
		if g.chance(60) {
			ports = append(ports, corev1.ContainerPort{Name: pick(g, "web", "db"), Protocol: protocol, ContainerPort: pick[int32](g, 80, 81, 5432)})
		}
	}
	p.Spec.Containers = []corev1.Container{{Name: "c", Ports: ports}}
	if g.chance(90) {
		p.Status.PodIP = pick(g, fmt.Sprintf("10.0.%d.%d", g.IntN(4), g.IntN(256)), fmt.Sprintf("fd00::%x", g.IntN(65536)))
	}
	return p
}

func (g generator) policy(name string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: pick(g, testNamespaces...), Name: name},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: *g.selector("app", "tier")},
	}
	const in, out = networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	p.Spec.PolicyTypes = pick(g, nil, []networkingv1.PolicyType{in}, []networkingv1.PolicyType{out}, []networkingv1.PolicyType{in, out})
	for range g.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
	}
	for range g.IntN(3) {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
	}
	return p
}

func (g generator) selector(keys ...string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	if g.chance(30) {
		return s
	}
	values := []string{"a", "b", "c", "x", "z", "0", "1"}
	if g.chance(50) {
		s.MatchLabels = map[string]string{pick(g, keys...): pick(g, values...)}
	}
	if g.chance(50) {
		e := metav1.LabelSelectorRequirement{Key: pick(g, keys...), Operator: pick(g,
			metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpNotIn {
			e.Values = []string{pick(g, values...), pick(g, values...)}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

func (g generator) peers() []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for range g.IntN(3) {
		var p networkingv1.NetworkPolicyPeer
		switch g.IntN(4) {
		case 0:
			p.PodSelector = g.selector("app", "tier")
		case 1:
			p.NamespaceSelector = g.selector("ns", "parity", corev1.LabelMetadataName)
		case 2:
			p.PodSelector, p.NamespaceSelector = g.selector("app", "tier"), g.selector("ns", "parity", corev1.LabelMetadataName)
		case 3:
			p.IPBlock = pick(g,
				&networkingv1.IPBlock{CIDR: "0.0.0.0/0"},
				&networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.0.1.0/24", "10.0.2.128/25"}},
				&networkingv1.IPBlock{CIDR: "10.0.2.0/23", Except: []string{"10.0.2.0/23"}},
				&networkingv1.IPBlock{CIDR: "fd00::/17"},
			)
		}
		out = append(out, p)
	}
	return out
}

func (g generator) ports() []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for range g.IntN(3) {
		var p networkingv1.NetworkPolicyPort
		if g.chance(70) {
			protocol := pick(g, netset.Protocols...)
			p.Protocol = &protocol
		}
		switch g.IntN(4) {
		case 0:
			port := intstr.FromInt32(pick[int32](g, 80, 81, 5432))
			p.Port = &port
		case 1:
			port := intstr.FromString(pick(g, "web", "db", "none"))
			p.Port = &port
		case 2:
			port, end := intstr.FromInt32(pick[int32](g, 1, 79, 80)), pick[int32](g, 80, 81, 65535)
			p.Port, p.EndPort = &port, &end
		}
		out = append(out, p)
	}
	return out
}
