package compile_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
)

// dice make clusters of tenants that talk to each other, as a person could declare them:
// what the CRD refuses is not made.
type dice struct {
	*rand.Rand
	// wide lets flows name blocks in which pods without an address may turn out to be.
	wide bool
}

func one[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// world is what people declare, and the pods that run.
type world struct {
	classes []*v1alpha1.TenantClass
	tenants []*v1alpha1.Tenant
	nodes   []*corev1.Node
	// platform are namespaces of no tenant.
	platform []*corev1.Namespace
	pods     []*corev1.Pod
	// rejected counts the tenants that compile refuses; they are not in tenants any more.
	rejected int
}

// tenantNames and spaceNames can make one namespace in two ways: t + a-b is t-a + b.
var (
	tenantNames   = []string{"t", "t-a", "u", "v", "w"}
	spaceNames    = []string{"a", "b", "a-b", "c"}
	platformNames = []string{"kube-system", "ingress", "dns", "other"}
)

func (d dice) world() *world {
	w := &world{classes: []*v1alpha1.TenantClass{d.class("standard"), d.class("strict")}}
	for i, name := range tenantNames[:2+d.IntN(len(tenantNames)-1)] {
		w.tenants = append(w.tenants, d.tenant(name, i))
	}
	for _, t := range w.tenants {
		for n := range one(d, 3, 8, 60) {
			if n < 2 || d.chance(80) {
				t.Spec.Network.Flows = append(t.Spec.Network.Flows, d.flow(t))
			}
		}
	}
	w.agree(d)
	for i := range 2 {
		w.nodes = append(w.nodes, node(i))
	}
	for _, name := range platformNames {
		w.platform = append(w.platform, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "platform"}}})
	}
	return w
}

// node has blocks of both families for its pods.
func node(i int) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i)}}
	n.Spec.PodCIDRs = []string{fmt.Sprintf("10.0.%d.0/24", i), fmt.Sprintf("fd00:0:0:%d::/64", i)}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.0.%d", i+1)}}
	return n
}

func (d dice) class(name string) *v1alpha1.TenantClass {
	c := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n := &c.Spec.Network
	n.Floor = one(d, "", v1alpha1.FloorAuto, v1alpha1.FloorClusterNetworkPolicy)
	for range d.IntN(3) {
		n.IngressFrom = append(n.IngressFrom, v1alpha1.PeerSelector{Namespace: one(d, "ingress", "other"), Pods: d.pods(50)})
	}
	if d.chance(40) {
		n.DNS = []v1alpha1.PeerSelector{{Namespace: "dns", Pods: d.pods(50)}, {Namespace: "kube-system", Pods: map[string]string{"k8s-app": "kube-dns"}}}
	}
	n.DNSPorts = one(d, nil, []int32{53}, []int32{53, 5353})
	if d.chance(20) {
		n.EgressCIDRs = []string{"203.0.113.0/24", "2001:db8::/32"}
	}
	return c
}

// pods are labels of pods, none where the dice say so.
func (d dice) pods(percent int) map[string]string {
	if !d.chance(percent) {
		return nil
	}
	out := map[string]string{"app": one(d, "a", "b")}
	if d.chance(25) {
		out["tier"] = one(d, "a", "b")
	}
	return out
}

func (d dice) tenant(name string, age int) *v1alpha1.Tenant {
	t := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.Unix(int64(age), 0)}}
	t.Spec.ClassName = one(d, "standard", "standard", "strict")
	if d.chance(15) {
		t.Annotations = map[string]string{"author": "stubborn"} // who mends nothing
	}
	for _, i := range d.Perm(len(spaceNames))[:1+d.IntN(len(spaceNames))] {
		t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: spaceNames[i]})
	}
	return t
}

func (d dice) own(t *v1alpha1.Tenant) v1alpha1.FlowEnd {
	return v1alpha1.FlowEnd{Namespace: t.Spec.Namespaces[d.IntN(len(t.Spec.Namespaces))].Name, Pods: d.pods(30)}
}

func (d dice) flow(t *v1alpha1.Tenant) v1alpha1.Flow {
	f := v1alpha1.Flow{From: d.own(t), To: d.own(t), Ports: d.ports()}
	foreign := v1alpha1.FlowEnd{Tenant: one(d, tenantNames...), Pods: d.pods(30)}
	if d.chance(70) {
		foreign.Namespace = one(d, spaceNames...)
	}
	if foreign.Tenant == t.Name && d.chance(95) {
		foreign.Tenant = "gone"
	}
	switch d.IntN(12) {
	case 0:
		f.From = v1alpha1.FlowEnd{Ingress: true}
	case 1:
		f.To = d.block()
	case 2:
		f.From = d.block()
	case 3, 4, 5:
		f.From = foreign
	case 6, 7, 8:
		f.To = foreign
	}
	return f
}

// block is a block of addresses; one that holds the clouds' metadata or the cluster must
// leave them out, or compile refuses it.
func (d dice) block() v1alpha1.FlowEnd {
	if d.wide && d.chance(50) {
		return one(d, v1alpha1.FlowEnd{CIDR: "0.0.0.0/0", Except: []string{"169.254.0.0/16", "127.0.0.0/8", "168.63.129.16/32", "100.100.100.200/32"}},
			v1alpha1.FlowEnd{CIDR: "0.0.0.0/1", Except: []string{"127.0.0.0/8", "100.64.0.0/10", "10.128.0.0/9"}},
			v1alpha1.FlowEnd{CIDR: "192.168.0.0/16"}, v1alpha1.FlowEnd{CIDR: "fd00::/48"}, v1alpha1.FlowEnd{CIDR: "0.0.0.0/0"})
	}
	return one(d, v1alpha1.FlowEnd{CIDR: "203.0.113.0/24"}, v1alpha1.FlowEnd{CIDR: "203.0.113.7/32"},
		v1alpha1.FlowEnd{CIDR: "203.0.112.0/23", Except: []string{"203.0.113.128/25", "203.0.112.0/26"}},
		v1alpha1.FlowEnd{CIDR: "2001:db8::/33", Except: []string{"2001:db8:1::/48"}})
}

func (d dice) ports() (out []v1alpha1.FlowPort) {
	for range d.IntN(3) {
		p := v1alpha1.FlowPort{Port: one[int32](d, 53, 80, 443, 8080), Protocol: one(d, "", corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)}
		if d.chance(40) {
			last := one(d, p.Port, p.Port+10, 65535)
			p.EndPort = &last
		}
		out = append(out, p)
	}
	return out
}

// agree gives many of the halves of shares their other half, often not quite the same.
func (w *world) agree(d dice) {
	byName := map[string]*v1alpha1.Tenant{}
	for _, t := range w.tenants {
		byName[t.Name] = t
	}
	for _, t := range w.tenants {
		for _, f := range slices.Clone(t.Spec.Network.Flows) {
			out := f.To.Tenant != ""
			near, far := f.To, f.From
			if out {
				near, far = f.From, f.To
			}
			partner := byName[far.Tenant]
			if partner == nil || partner == t || !d.chance(60) {
				continue
			}
			mine, theirs := v1alpha1.FlowEnd{Tenant: t.Name, Namespace: one(d, "", near.Namespace), Pods: near.Pods}, d.own(partner)
			if far.Namespace != "" && d.chance(80) {
				theirs = v1alpha1.FlowEnd{Namespace: far.Namespace, Pods: far.Pods}
			}
			half := v1alpha1.Flow{From: mine, To: theirs, Ports: one(d, f.Ports, d.ports(), nil)}
			if !out {
				half.From, half.To = theirs, mine
			}
			partner.Spec.Network.Flows = append(partner.Spec.Network.Flows, half)
		}
	}
}

// populate runs pods in every namespace.
func (w *world) populate(d dice) {
	owners := w.owners()
	for _, ns := range append(slices.Sorted(maps.Keys(owners)), platformNames...) {
		for k := range 1 + d.IntN(3) {
			p := d.pod(ns, k, len(w.pods))
			if p.Spec.HostNetwork = owners[ns] == "" && d.chance(10); p.Spec.HostNetwork {
				p.Status.PodIPs = []corev1.PodIP{{IP: w.nodes[len(w.pods)%2].Status.Addresses[0].Address}}
				p.Status.PodIP = p.Status.PodIPs[0].IP
			}
			w.pods = append(w.pods, p)
		}
	}
}

func (d dice) pod(namespace string, k, index int) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("p%d", k), Labels: d.pods(80)}}
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	if d.chance(30) {
		p.Labels["k8s-app"] = "kube-dns"
	}
	// A tenant may write any label on its pods.
	p.Labels[v1alpha1.LabelTenant], p.Labels[corev1.LabelMetadataName] = one(d, tenantNames...), one(d, "t-a", "u-b", "dns")
	p.Spec.NodeName = fmt.Sprintf("n%d", index%2)
	p.Spec.Containers = []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}
	v4, v6 := fmt.Sprintf("10.0.%d.%d", index%2, index+1), fmt.Sprintf("fd00:0:0:%d::%x", index%2, index+1)
	for _, ip := range one(d, []string{v4}, []string{v4}, []string{v6}, []string{v4, v6}) {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	p.Status.PodIP = p.Status.PodIPs[0].IP
	return p
}

// owners is who owns which namespace, as the Tenants say.
func (w *world) owners() map[string]string {
	out := map[string]string{}
	for _, t := range w.tenants {
		for _, n := range t.Spec.Namespaces {
			out[t.Name+"-"+n.Name] = t.Name
		}
	}
	return out
}
