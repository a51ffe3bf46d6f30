package engine

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// tree is JSON as Go has it.
type tree = map[string]any

func toObject(apiVersion, kind, namespace, name string, spec tree) *unstructured.Unstructured {
	meta := tree{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	u := &unstructured.Unstructured{}
	data, err := json.Marshal(tree{"apiVersion": apiVersion, "kind": kind, "metadata": meta, "spec": spec})
	if err == nil {
		err = u.UnmarshalJSON(data)
	}
	if err != nil {
		panic(err)
	}
	return u
}

// mixed is a cluster with policies of every kind.
func (g generator) mixed() *snapshot.Snapshot {
	objects := []runtime.Object{g.node("n0"), g.node("n1")}
	for i := range g.IntN(3) {
		objects = append(objects, g.tiered(fmt.Sprintf("cnp%d", i)))
	}
	for i := range g.IntN(3) {
		objects = append(objects, g.cilium(fmt.Sprintf("cilium%d", i)))
	}
	for i, ns := range testNamespaces {
		objects = append(objects, g.dualPod(ns, fmt.Sprintf("p%d", i)))
	}
	return g.cluster().With(objects...)
}

func (g generator) node(name string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"gpu": pick(g, "a", "b")}},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.0.%d", g.IntN(4))}}},
	}
}

// dualPod may have addresses of both families.
func (g generator) dualPod(namespace, name string) *corev1.Pod {
	p := g.pod(namespace, name)
	if p.Status.PodIP != "" && g.chance(50) {
		p.Status.PodIP = fmt.Sprintf("10.0.%d.%d", g.IntN(4), g.IntN(256))
		p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}, {IP: fmt.Sprintf("fd00::%x", g.IntN(65536))}}
	}
	if g.chance(10) {
		p.Spec.ServiceAccountName = "robot"
	}
	return p
}

func (g generator) tiered(name string) *unstructured.Unstructured {
	spec := tree{"tier": pick(g, "Admin", "Baseline"), "priority": pick(g, 1, 2, 2, 3)}
	if g.chance(50) {
		spec["subject"] = tree{"namespaces": g.selector("ns", "parity")}
	} else {
		spec["subject"] = tree{"pods": g.namespaced()}
	}
	for _, ends := range []string{"from", "to"} {
		var list []any
		for range g.IntN(4) {
			rule := tree{"action": pick(g, "Accept", "Deny", "Pass")}
			var peers []any
			pods := true
			for range 1 + g.IntN(2) {
				peer := pick(g, tree{"namespaces": g.selector("ns", "parity")}, tree{"pods": g.namespaced()})
				if ends == "to" && g.chance(40) {
					pods = false
					peer = pick(g, tree{"nodes": g.selector("gpu")}, tree{"networks": []string{pick(g, "10.0.2.0/23", "10.0.1.64/26", "0.0.0.0/0", "fd00::/113", "::/0")}})
					if g.chance(10) && rule["action"] == "Accept" {
						peer = tree{"domainNames": []string{"a.example"}}
					}
				}
				peers = append(peers, peer)
			}
			rule[ends] = peers
			if protocols := g.protocols(pods); len(protocols) > 0 {
				rule["protocols"] = protocols
			}
			list = append(list, rule)
		}
		if len(list) > 0 {
			spec[map[string]string{"from": "ingress", "to": "egress"}[ends]] = list
		}
	}
	return toObject("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "", name, spec)
}

func (g generator) namespaced() tree {
	return tree{"namespaceSelector": g.selector("ns", "parity"), "podSelector": g.selector("app", "tier")}
}

func (g generator) protocols(names bool) (out []any) {
	for range g.IntN(3) {
		port := pick(g, tree{"number": pick(g, 80, 81)}, tree{"range": tree{"start": pick(g, 1, 80), "end": pick(g, 81, 65535)}})
		p := tree{pick(g, "tcp", "udp", "sctp"): tree{"destinationPort": port}}
		if names && g.chance(30) {
			p = tree{"destinationNamedPort": pick(g, "web", "db")}
		}
		out = append(out, p)
	}
	return out
}

func (g generator) cilium(name string) *unstructured.Unstructured {
	namespace := pick(g, append([]string{""}, testNamespaces...)...)
	spec := tree{"endpointSelector": g.endpoints(namespace == "")}
	for _, field := range []string{"ingress", "ingressDeny", "egress", "egressDeny"} {
		var list []any
		for range g.IntN(2) + g.IntN(2) {
			list = append(list, g.ciliumRule(field))
		}
		if len(list) > 0 {
			spec[field] = list
		}
	}
	if len(spec) == 1 {
		spec["ingress"] = []any{g.ciliumRule("ingress")}
	}
	if g.chance(15) {
		spec["enableDefaultDeny"] = tree{pick(g, "ingress", "egress"): false}
	}
	if namespace == "" {
		return toObject("cilium.io/v2", "CiliumClusterwideNetworkPolicy", "", name, spec)
	}
	return toObject("cilium.io/v2", "CiliumNetworkPolicy", namespace, name, spec)
}

// endpoints is an endpointSelector; namespaces are selected by their labels.
func (g generator) endpoints(wide bool) *metav1.LabelSelector {
	if wide && g.chance(40) {
		return g.selector("k8s:io.cilium.k8s.namespace.labels.parity", "k8s:io.kubernetes.pod.namespace", "app")
	}
	return g.selector("app", "tier", "k8s:app")
}

func (g generator) ciliumRule(field string) tree {
	ends := "from"
	if field[0] == 'e' {
		ends = "to"
	}
	rule := tree{}
	switch g.IntN(5) {
	case 0:
		rule[ends+"Entities"] = []string{pick(g, "all", "cluster", "world", "host", "remote-node")}
	case 1:
		rule[ends+"CIDR"] = []string{pick(g, "10.0.0.0/8", "0.0.0.0/0", "fd00::/16")}
	case 2:
		rule[ends+"CIDRSet"] = []any{tree{"cidr": "10.0.0.0/8", "except": []string{"10.0.1.0/24"}}}
	case 3, 4:
		rule[ends+"Endpoints"] = []any{g.endpoints(true)}
	}
	if g.chance(50) {
		port := tree{"port": pick(g, "80", "81", "web"), "protocol": pick(g, "TCP", "UDP", "ANY")}
		if port["port"] == "80" && g.chance(40) {
			port["endPort"] = 81
		}
		ports := tree{"ports": []any{port}}
		if field == "ingress" && g.chance(20) && port["protocol"] == "TCP" && port["endPort"] == nil {
			ports["rules"] = tree{"http": []any{tree{"path": "/"}}}
		}
		rule["toPorts"] = []any{ports}
	}
	return rule
}

// objects are all objects of a snapshot.
func objectsOf(s *snapshot.Snapshot) (out []snapshot.Object) {
	for _, k := range snapshot.Kinds() {
		out = append(out, k.Of(s)...)
	}
	for _, o := range s.Others {
		out = append(out, o)
	}
	return out
}

// pictured makes a snapshot of objects.
func pictured(objects []snapshot.Object) *snapshot.Snapshot {
	list := make([]runtime.Object, len(objects))
	for i, o := range objects {
		list[i] = o
	}
	return load.Objects(list...)
}
