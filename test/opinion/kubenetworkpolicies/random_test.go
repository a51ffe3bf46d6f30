package kubenetworkpolicies

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
)

// dice makes small clusters out of everything on which both engines mean the same. Left
// out, each for a reason:
//
//   - pods on the host's network: the evaluator asks the container runtime for them.
//   - named ports of AdminNetworkPolicies: in v0.8.0 they match every port of a pod that
//     has the name, and in ingress of the source instead of the destination.
//   - nodes as peers: v0.8.0 matches the pods that run on the node, the API the node.
//   - domain names: they are unknown to us.
//   - pods with addresses of both families: TestTiersOfBothFamilies of our engine has them.
//   - equal priorities: unknown to us, since the API leaves them open; by name there.
//   - policyTypes, protocols and ports that are missing: an API server fills them in.
//   - "ingress: []": v0.8.0 takes a list that is empty, not nil, for everything; the API
//     server never hands one out.
type dice struct{ *rand.Rand }

func one[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// model is a cluster in objects that can be taken away one by one.
type model struct {
	namespaces []*corev1.Namespace
	pods       []*corev1.Pod
	policies   []*networkingv1.NetworkPolicy
	admins     []*policyv1alpha1.AdminNetworkPolicy
	baseline   []*policyv1alpha1.BaselineAdminNetworkPolicy
}

var spaces = []string{"x", "y", "z"}

func (d dice) model() model {
	var m model
	for i, ns := range spaces {
		m.namespaces = append(m.namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: ns, Labels: map[string]string{corev1.LabelMetadataName: ns, "parity": fmt.Sprint(i % 2)},
		}})
		for k := range 1 + d.IntN(2) {
			m.pods = append(m.pods, d.pod(ns, fmt.Sprintf("p%d", k), len(m.pods)))
		}
	}
	for i := range d.IntN(5) {
		m.policies = append(m.policies, d.networkPolicy(fmt.Sprintf("np%d", i)))
	}
	for i := range d.IntN(3) {
		m.admins = append(m.admins, d.admin(i))
	}
	if d.chance(60) {
		m.baseline = append(m.baseline, d.baseline())
	}
	return m
}

func (d dice) pod(namespace, name string, index int) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": one(d, "a", "b")}},
		Spec:       corev1.PodSpec{NodeName: "n0"},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{
			{IP: fmt.Sprintf("10.0.%d.%d", d.IntN(3), index+1)},
		}},
	}
	if d.chance(50) {
		p.Labels["tier"] = one(d, "a", "b")
	}
	var ports []corev1.ContainerPort
	for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
		if d.chance(60) {
			ports = append(ports, corev1.ContainerPort{Name: one(d, "web", "db"), Protocol: protocol, ContainerPort: one[int32](d, 80, 81)})
		}
	}
	p.Spec.Containers = []corev1.Container{{Name: "c", Ports: ports}}
	p.Status.PodIP = p.Status.PodIPs[0].IP
	return p
}

func (d dice) selector(keys ...string) metav1.LabelSelector {
	var s metav1.LabelSelector
	values := []string{"a", "b", "x", "y", "0", "1"}
	switch d.IntN(3) {
	case 0:
		s.MatchLabels = map[string]string{one(d, keys...): one(d, values...)}
	case 1:
		e := metav1.LabelSelectorRequirement{Key: one(d, keys...), Operator: one(d,
			metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpNotIn {
			e.Values = []string{one(d, values...), one(d, values...)}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

func (d dice) namespaces() *metav1.LabelSelector {
	s := d.selector(corev1.LabelMetadataName, "parity")
	return &s
}

func (d dice) labels() *metav1.LabelSelector {
	s := d.selector("app", "tier")
	return &s
}

func (d dice) networkPolicy(name string) *networkingv1.NetworkPolicy {
	const in, out = networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	p := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Namespace: one(d, spaces...), Name: name},
		Spec: networkingv1.NetworkPolicySpec{PodSelector: *d.labels(), PolicyTypes: one(d,
			[]networkingv1.PolicyType{in}, []networkingv1.PolicyType{out}, []networkingv1.PolicyType{in, out})},
	}
	for range d.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: d.peers(), Ports: d.ports()})
	}
	for range d.IntN(3) {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: d.peers(), Ports: d.ports()})
	}
	return p
}

func (d dice) peers() (out []networkingv1.NetworkPolicyPeer) {
	for range d.IntN(3) {
		var p networkingv1.NetworkPolicyPeer
		switch d.IntN(4) {
		case 0:
			p.PodSelector = d.labels()
		case 1:
			p.NamespaceSelector = d.namespaces()
		case 2:
			p.PodSelector, p.NamespaceSelector = d.labels(), d.namespaces()
		case 3:
			p.IPBlock = one(d, &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}, &networkingv1.IPBlock{CIDR: "fd00::/112"},
				&networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.0.1.0/24"}})
		}
		out = append(out, p)
	}
	return out
}

func (d dice) ports() (out []networkingv1.NetworkPolicyPort) {
	for range d.IntN(3) {
		protocol := d.protocol()
		p := networkingv1.NetworkPolicyPort{Protocol: &protocol}
		number, name, end := intstr.FromInt32(80), intstr.FromString(one(d, "web", "db")), int32(81)
		switch d.IntN(4) {
		case 0:
			p.Port = &number
		case 1:
			p.Port = &name
		case 2:
			p.Port, p.EndPort = &number, &end
		}
		if p.Port != nil {
			out = append(out, p)
		}
	}
	return out
}

func (d dice) protocol() corev1.Protocol {
	return one(d, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
}

func (d dice) subject() policyv1alpha1.AdminNetworkPolicySubject {
	if d.chance(50) {
		return policyv1alpha1.AdminNetworkPolicySubject{Namespaces: d.namespaces()}
	}
	return policyv1alpha1.AdminNetworkPolicySubject{Pods: d.namespacedPod()}
}

func (d dice) namespacedPod() *policyv1alpha1.NamespacedPod {
	return &policyv1alpha1.NamespacedPod{NamespaceSelector: *d.namespaces(), PodSelector: *d.labels()}
}

func (d dice) from() (out []policyv1alpha1.AdminNetworkPolicyIngressPeer) {
	for range 1 + d.IntN(2) {
		if d.chance(50) {
			out = append(out, policyv1alpha1.AdminNetworkPolicyIngressPeer{Namespaces: d.namespaces()})
		} else {
			out = append(out, policyv1alpha1.AdminNetworkPolicyIngressPeer{Pods: d.namespacedPod()})
		}
	}
	return out
}

func (d dice) networks() []policyv1alpha1.CIDR {
	return one(d, []policyv1alpha1.CIDR{"0.0.0.0/0"}, []policyv1alpha1.CIDR{"10.0.0.0/23"}, []policyv1alpha1.CIDR{"fd00::/112", "10.0.2.0/24"})
}

func (d dice) adminPorts() *[]policyv1alpha1.AdminNetworkPolicyPort {
	if d.chance(40) {
		return nil
	}
	var out []policyv1alpha1.AdminNetworkPolicyPort
	for range 1 + d.IntN(2) {
		if d.chance(50) {
			out = append(out, policyv1alpha1.AdminNetworkPolicyPort{PortNumber: &policyv1alpha1.Port{Protocol: d.protocol(), Port: one[int32](d, 80, 81)}})
		} else {
			out = append(out, policyv1alpha1.AdminNetworkPolicyPort{PortRange: &policyv1alpha1.PortRange{Protocol: d.protocol(), Start: one[int32](d, 1, 80), End: one[int32](d, 81, 65535)}})
		}
	}
	return &out
}

func (d dice) admin(i int) *policyv1alpha1.AdminNetworkPolicy {
	p := &policyv1alpha1.AdminNetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy.networking.k8s.io/v1alpha1", Kind: "AdminNetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("anp%d", i)},
		Spec:       policyv1alpha1.AdminNetworkPolicySpec{Priority: int32(10 * (3 - i)), Subject: d.subject()},
	}
	actions := []policyv1alpha1.AdminNetworkPolicyRuleAction{"Allow", "Deny", "Pass"}
	for range d.IntN(4) {
		p.Spec.Ingress = append(p.Spec.Ingress, policyv1alpha1.AdminNetworkPolicyIngressRule{Action: one(d, actions...), From: d.from(), Ports: d.adminPorts()})
	}
	for range d.IntN(4) {
		r := policyv1alpha1.AdminNetworkPolicyEgressRule{Action: one(d, actions...), Ports: d.adminPorts()}
		for range 1 + d.IntN(2) {
			peer := d.from()[0]
			r.To = append(r.To, one(d, policyv1alpha1.AdminNetworkPolicyEgressPeer{Namespaces: peer.Namespaces, Pods: peer.Pods}, policyv1alpha1.AdminNetworkPolicyEgressPeer{Networks: d.networks()}))
		}
		p.Spec.Egress = append(p.Spec.Egress, r)
	}
	return p
}

func (d dice) baseline() *policyv1alpha1.BaselineAdminNetworkPolicy {
	p := &policyv1alpha1.BaselineAdminNetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy.networking.k8s.io/v1alpha1", Kind: "BaselineAdminNetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec:       policyv1alpha1.BaselineAdminNetworkPolicySpec{Subject: d.subject()},
	}
	actions := []policyv1alpha1.BaselineAdminNetworkPolicyRuleAction{"Allow", "Deny"}
	for range d.IntN(4) {
		p.Spec.Ingress = append(p.Spec.Ingress, policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{Action: one(d, actions...), From: d.from(), Ports: d.adminPorts()})
	}
	for range d.IntN(4) {
		r := policyv1alpha1.BaselineAdminNetworkPolicyEgressRule{Action: one(d, actions...), Ports: d.adminPorts()}
		for range 1 + d.IntN(2) {
			peer := d.from()[0]
			r.To = append(r.To, one(d, policyv1alpha1.BaselineAdminNetworkPolicyEgressPeer{Namespaces: peer.Namespaces, Pods: peer.Pods}, policyv1alpha1.BaselineAdminNetworkPolicyEgressPeer{Networks: d.networks()}))
		}
		p.Spec.Egress = append(p.Spec.Egress, r)
	}
	return p
}
