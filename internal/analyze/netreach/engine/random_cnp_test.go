package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// dice makes small clusters that are likely to hit every part of the semantics.
type dice struct {
	*rand.Rand
	// certain leaves out what nobody can answer: equal priorities, domain names, pods
	// without addresses.
	certain bool
	// dual gives some pods an address of either family.
	dual bool
}

func roll(seed uint64, certain, dual bool) dice {
	return dice{rand.New(rand.NewPCG(seed, 7)), certain, dual}
}

func one[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// model is a cluster in objects that can be taken away one by one.
type model struct {
	namespaces []*corev1.Namespace
	nodes      []*corev1.Node
	pods       []*corev1.Pod
	policies   []*networkingv1.NetworkPolicy
	cluster    []*policyv1alpha2.ClusterNetworkPolicy
}

// spaces are the namespaces of every model.
var spaces = []string{"x", "y", "z"}

func (d dice) model() model {
	var m model
	for i, ns := range spaces {
		m.namespaces = append(m.namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: ns, Labels: map[string]string{"kubernetes.io/metadata.name": ns, "parity": fmt.Sprint(i % 2)},
		}})
		for k := range 1 + d.IntN(2) {
			m.pods = append(m.pods, d.pod(ns, fmt.Sprintf("p%d", k), len(m.pods)))
		}
	}
	for i, gpu := range []string{"yes", "no"} {
		m.nodes = append(m.nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i), Labels: map[string]string{"gpu": gpu}},
			Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.0.%d", i)}}},
		})
	}
	for i := range d.IntN(4) {
		m.policies = append(m.policies, d.networkPolicy(fmt.Sprintf("np%d", i)))
	}
	for i := range 1 + d.IntN(3) {
		m.cluster = append(m.cluster, d.clusterPolicy(i))
	}
	return m
}

func (d dice) pod(namespace, name string, index int) *corev1.Pod {
	node := d.IntN(2)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": one(d, "a", "b")}},
		Spec:       corev1.PodSpec{HostNetwork: d.chance(10), NodeName: fmt.Sprintf("n%d", node)},
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
	switch {
	case p.Spec.HostNetwork:
		p.Status.PodIPs = []corev1.PodIP{{IP: fmt.Sprintf("192.168.0.%d", node)}}
	case d.certain || d.chance(85):
		p.Status.PodIPs = []corev1.PodIP{{IP: fmt.Sprintf("10.0.%d.%d", d.IntN(3), index+1)}}
		if d.dual && d.chance(40) {
			p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: fmt.Sprintf("fd00::%d:%d", d.IntN(2), index+1)})
		}
	}
	if len(p.Status.PodIPs) > 0 {
		p.Status.PodIP = p.Status.PodIPs[0].IP
	}
	return p
}

func (d dice) selector(keys ...string) metav1.LabelSelector {
	var s metav1.LabelSelector
	if d.chance(35) {
		return s
	}
	values := []string{"a", "b", "x", "y", "0", "1", "yes"}
	if d.chance(60) {
		s.MatchLabels = map[string]string{one(d, keys...): one(d, values...)}
		return s
	}
	e := metav1.LabelSelectorRequirement{Key: one(d, keys...), Operator: one(d,
		metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
	if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpNotIn {
		e.Values = []string{one(d, values...), one(d, values...)}
	}
	s.MatchExpressions = append(s.MatchExpressions, e)
	return s
}

func (d dice) namespaces() metav1.LabelSelector {
	return d.selector("kubernetes.io/metadata.name", "parity")
}

func (d dice) labels() metav1.LabelSelector { return d.selector("app", "tier") }

func (d dice) clusterPolicy(i int) *policyv1alpha2.ClusterNetworkPolicy {
	p := &policyv1alpha2.ClusterNetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy.networking.k8s.io/v1alpha2", Kind: "ClusterNetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("cnp%d", i)},
		Spec: policyv1alpha2.ClusterNetworkPolicySpec{
			Tier: one(d, policyv1alpha2.AdminTier, policyv1alpha2.AdminTier, policyv1alpha2.BaselineTier), Priority: int32(10 * (3 - i)),
		},
	}
	if !d.certain && d.chance(40) {
		p.Spec.Priority = 10
	}
	if d.chance(50) {
		s := d.namespaces()
		p.Spec.Subject.Namespaces = &s
	} else {
		p.Spec.Subject.Pods = d.namespacedPod()
	}
	actions := []policyv1alpha2.ClusterNetworkPolicyRuleAction{"Accept", "Deny", "Pass"}
	for range d.IntN(4) {
		r := policyv1alpha2.ClusterNetworkPolicyIngressRule{Action: one(d, actions...), Protocols: d.protocols()}
		for range 1 + d.IntN(2) {
			peer := d.egressPeer(2, r.Action)
			r.From = append(r.From, policyv1alpha2.ClusterNetworkPolicyIngressPeer{Namespaces: peer.Namespaces, Pods: peer.Pods})
		}
		p.Spec.Ingress = append(p.Spec.Ingress, r)
	}
	for range d.IntN(4) {
		r := policyv1alpha2.ClusterNetworkPolicyEgressRule{Action: one(d, actions...), Protocols: d.protocols()}
		plain := true
		for range 1 + d.IntN(2) {
			peer := d.egressPeer(5, r.Action)
			plain = plain && (peer.Namespaces != nil || peer.Pods != nil)
			r.To = append(r.To, peer)
		}
		if !plain { // the API: no named ports of anything but pods
			for i := range r.Protocols {
				if r.Protocols[i].DestinationNamedPort != "" {
					r.Protocols = nil
					break
				}
			}
		}
		p.Spec.Egress = append(p.Spec.Egress, r)
	}
	return p
}

func (d dice) namespacedPod() *policyv1alpha2.NamespacedPod {
	return &policyv1alpha2.NamespacedPod{NamespaceSelector: d.namespaces(), PodSelector: d.labels()}
}

func (d dice) egressPeer(kinds int, action policyv1alpha2.ClusterNetworkPolicyRuleAction) (p policyv1alpha2.ClusterNetworkPolicyEgressPeer) {
	switch d.IntN(kinds) {
	case 0:
		s := d.namespaces()
		p.Namespaces = &s
	case 2:
		s := d.selector("gpu")
		p.Nodes = &s
	case 3:
		p.Networks = one(d, []policyv1alpha2.CIDR{"0.0.0.0/0"}, []policyv1alpha2.CIDR{"0.0.0.0/0", "::/0"},
			[]policyv1alpha2.CIDR{"10.0.0.0/23"}, []policyv1alpha2.CIDR{"fd00::/112", "10.0.2.0/24"}, []policyv1alpha2.CIDR{"192.168.0.0/32"})
	case 4:
		if !d.certain && action == "Accept" {
			p.DomainNames = []policyv1alpha2.DomainName{"a.example"}
			break
		}
		fallthrough
	default:
		p.Pods = d.namespacedPod()
	}
	return p
}

func (d dice) protocols() (out []policyv1alpha2.ClusterNetworkPolicyProtocol) {
	if d.chance(40) {
		return nil
	}
	for range 1 + d.IntN(2) {
		port := &policyv1alpha2.Port{Number: one[int32](d, 80, 81)}
		if d.chance(40) {
			port = &policyv1alpha2.Port{Range: &policyv1alpha2.PortRange{Start: one[int32](d, 1, 80), End: one[int32](d, 81, 65535)}}
		}
		var p policyv1alpha2.ClusterNetworkPolicyProtocol
		switch d.IntN(4) {
		case 0:
			p.TCP = &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: port}
		case 1:
			p.UDP = &policyv1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: port}
		case 2:
			p.SCTP = &policyv1alpha2.ClusterNetworkPolicyProtocolSCTP{DestinationPort: port}
		case 3:
			p.DestinationNamedPort = one(d, "web", "db")
		}
		out = append(out, p)
	}
	return out
}

func (d dice) networkPolicy(name string) *networkingv1.NetworkPolicy {
	const in, out = networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	p := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Namespace: one(d, spaces...), Name: name},
		Spec: networkingv1.NetworkPolicySpec{PodSelector: d.labels(), PolicyTypes: one(d,
			[]networkingv1.PolicyType{in}, []networkingv1.PolicyType{out}, []networkingv1.PolicyType{in, out})},
	}
	for range d.IntN(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: d.networkPeers(), Ports: d.networkPorts()})
	}
	for range d.IntN(3) {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: d.networkPeers(), Ports: d.networkPorts()})
	}
	return p
}

func (d dice) networkPeers() (out []networkingv1.NetworkPolicyPeer) {
	for range d.IntN(3) {
		var p networkingv1.NetworkPolicyPeer
		pods, spaces := d.labels(), d.namespaces()
		switch d.IntN(4) {
		case 0:
			p.PodSelector = &pods
		case 1:
			p.NamespaceSelector = &spaces
		case 2:
			p.PodSelector, p.NamespaceSelector = &pods, &spaces
		case 3:
			p.IPBlock = one(d, &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}, &networkingv1.IPBlock{CIDR: "fd00::/112"},
				&networkingv1.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.0.1.0/24"}})
		}
		out = append(out, p)
	}
	return out
}

func (d dice) networkPorts() (out []networkingv1.NetworkPolicyPort) {
	for range d.IntN(3) {
		protocol := one(d, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
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
		out = append(out, p)
	}
	return out
}

// snapshot loads the model's objects.
func (m model) snapshot() *snapshot.Snapshot {
	var objects []runtime.Object
	for _, n := range m.namespaces {
		objects = append(objects, n)
	}
	for _, n := range m.nodes {
		objects = append(objects, n)
	}
	for _, p := range m.pods {
		objects = append(objects, p)
	}
	for _, p := range m.policies {
		objects = append(objects, p)
	}
	for _, p := range m.cluster {
		data, err := json.Marshal(p)
		if err != nil {
			panic(err)
		}
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(data); err != nil {
			panic(err)
		}
		objects = append(objects, u)
	}
	return load.Objects(objects...)
}

// yaml prints the model's pods and policies, for a person who looks for the difference.
func (m model) yaml() string {
	var parts []string
	add := func(object any) {
		data, err := yaml.Marshal(object)
		if err != nil {
			panic(err)
		}
		parts = append(parts, string(data))
	}
	for _, p := range m.pods {
		add(p)
	}
	for _, p := range m.policies {
		add(p)
	}
	for _, p := range m.cluster {
		add(p)
	}
	return strings.Join(parts, "---\n")
}
