// Package estate makes large clusters for benchmarks and tests: tenants of three tiers
// with pods, policies and rights, some of them with mistakes, some without any policy. What
// it makes depends on its options alone.
package estate

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// Options say how large the cluster is.
type Options struct {
	Tenants int
	// PodsPerNamespace, in each of a tenant's three namespaces.
	PodsPerNamespace int
	// Mistakes is the share of tenants that have one policy too many, from 0 to 1.
	Mistakes float64
	// Open is the share of tenants without any policy, from 0 to 1.
	Open float64
	// RBAC gives tenants owners, ServiceAccounts, roles and bindings, and to the share of
	// Mistakes a right too many.
	RBAC bool
	Seed uint64
}

// tiers are a tenant's namespaces, and the port at which each is served.
var tiers = []struct {
	name string
	port int32
}{{"frontend", 8080}, {"backend", 9090}, {"database", 5432}}

// New makes a cluster, as if it had been loaded.
func New(o Options) *snapshot.Snapshot {
	m := &maker{options: o, dice: rand.New(rand.NewPCG(o.Seed, 1)), out: &snapshot.Snapshot{}}
	m.out.TenantClasses = []*v1alpha1.TenantClass{{
		ObjectMeta: metav1.ObjectMeta{Name: "standard"},
		Spec: v1alpha1.TenantClassSpec{Network: v1alpha1.NetworkClass{
			IngressFrom: []v1alpha1.PeerSelector{{Namespace: "ingress-nginx"}},
		}},
	}}
	m.system()
	if o.RBAC {
		m.access()
	}
	for i := range o.Tenants {
		m.tenant(i)
	}
	return m.out
}

type maker struct {
	options Options
	dice    *rand.Rand
	out     *snapshot.Snapshot
	pods    int
}

func (m *maker) namespace(name string, labels map[string]string) {
	labels[corev1.LabelMetadataName] = name
	m.out.Namespaces = append(m.out.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
}

func (m *maker) pod(namespace, name string, labels map[string]string, port int32) {
	m.pods++
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("node-%d", m.pods%100), ServiceAccountName: m.runsAs(namespace),
			Containers: []corev1.Container{{Name: "main", Ports: []corev1.ContainerPort{{Name: "main", ContainerPort: port}}}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.%d.%d.%d", m.pods>>16&255, m.pods>>8&255, m.pods&255)},
	}
	p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	m.out.Pods = append(m.out.Pods, p)
}

// runsAs is the ServiceAccount of a namespace's pods.
func (m *maker) runsAs(namespace string) string {
	if m.options.RBAC && namespace != "kube-system" && namespace != "ingress-nginx" {
		return workerRole
	}
	return "default"
}

// system is two resolvers and two ingress controllers.
func (m *maker) system() {
	m.namespace("kube-system", map[string]string{})
	m.namespace("ingress-nginx", map[string]string{})
	for i := range 2 {
		m.pod("kube-system", fmt.Sprintf("coredns-%d", i), map[string]string{"k8s-app": "kube-dns"}, 53)
		m.pod("ingress-nginx", fmt.Sprintf("controller-%d", i), map[string]string{"app": "ingress"}, 8443)
	}
}

func tenantName(i int) string { return fmt.Sprintf("t%05d", i) }

func (m *maker) tenant(i int) {
	name := tenantName(i)
	t := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.TenantSpec{ClassName: "standard"}}
	open := m.dice.Float64() < m.options.Open
	for k, tier := range tiers {
		t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: tier.name})
		ns := v1alpha1.NamespaceName(name, tier.name)
		m.namespace(ns, map[string]string{v1alpha1.LabelTenant: name, "tier": tier.name})
		for p := range m.options.PodsPerNamespace {
			m.pod(ns, fmt.Sprintf("%s-%d", tier.name, p), map[string]string{"app": tier.name, "pod-template-hash": fmt.Sprint(p)}, tier.port)
		}
		from := v1alpha1.FlowEnd{Ingress: true}
		if k > 0 {
			from = v1alpha1.FlowEnd{Namespace: tiers[k-1].name}
		}
		t.Spec.Network.Flows = append(t.Spec.Network.Flows, v1alpha1.Flow{
			From: from, To: v1alpha1.FlowEnd{Namespace: tier.name}, Ports: []v1alpha1.FlowPort{{Port: tier.port, Protocol: corev1.ProtocolTCP}},
		})
		if !open {
			m.policies(name, ns, k)
		}
	}
	m.out.Tenants = append(m.out.Tenants, t)
	if !open && m.dice.Float64() < m.options.Mistakes {
		m.mistake(name)
	}
	if m.options.RBAC {
		m.rights(t)
		if m.dice.Float64() < m.options.Mistakes {
			m.excess(name)
		}
	}
}

const (
	in  = networkingv1.PolicyTypeIngress
	out = networkingv1.PolicyTypeEgress
)

// policies of a namespace: a default deny, the way to DNS, and its halves of the flows.
func (m *maker) policies(tenant, ns string, k int) {
	m.policy(ns, "default-deny", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in, out}})
	dns := named("kube-system")
	dns.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}}
	m.policy(ns, "dns", egress(port(corev1.ProtocolUDP, 53), dns))
	from := named("ingress-nginx")
	if k > 0 {
		from = named(v1alpha1.NamespaceName(tenant, tiers[k-1].name))
	}
	m.policy(ns, "in", ingress(port(corev1.ProtocolTCP, tiers[k].port), from))
	if k+1 < len(tiers) {
		m.policy(ns, "out", egress(port(corev1.ProtocolTCP, tiers[k+1].port), named(v1alpha1.NamespaceName(tenant, tiers[k+1].name))))
	}
}

// mistake adds one of the policies that people write and regret.
func (m *maker) mistake(tenant string) {
	ns := v1alpha1.NamespaceName(tenant, tiers[m.dice.IntN(len(tiers))].name)
	foreign := v1alpha1.NamespaceName(tenantName(m.dice.IntN(m.options.Tenants)), tiers[m.dice.IntN(len(tiers))].name)
	any := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{}}
	var spec networkingv1.NetworkPolicySpec
	switch m.dice.IntN(6) {
	case 0:
		spec = ingress(nil, any)
	case 1:
		spec = egress(nil, block("0.0.0.0/1"), block("128.0.0.0/1"))
	case 2:
		spec = ingress(nil, named(foreign))
	case 3:
		spec = egress(nil, networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: v1alpha1.LabelTenant, Operator: metav1.LabelSelectorOpNotIn, Values: []string{tenant}}},
		}})
	case 4:
		spec = networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{out}, Egress: []networkingv1.NetworkPolicyEgressRule{{}}}
	case 5:
		any.NamespaceSelector.MatchLabels = map[string]string{"tier": "frontend"}
		spec = ingress(port(corev1.ProtocolTCP, 9090), any)
	}
	m.policy(ns, "mistake", spec)
}

func (m *maker) policy(namespace, name string, spec networkingv1.NetworkPolicySpec) {
	m.out.NetworkPolicies = append(m.out.NetworkPolicies, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec,
	})
}

func named(namespace string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}}
}

func block(cidr string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}}
}

func port(protocol corev1.Protocol, number int32) []networkingv1.NetworkPolicyPort {
	p := intstr.FromInt32(number)
	return []networkingv1.NetworkPolicyPort{{Protocol: &protocol, Port: &p}}
}

func ingress(ports []networkingv1.NetworkPolicyPort, from ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{in},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: from, Ports: ports}},
	}
}

func egress(ports []networkingv1.NetworkPolicyPort, to ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{out},
		Egress:      []networkingv1.NetworkPolicyEgressRule{{To: to, Ports: ports}},
	}
}
