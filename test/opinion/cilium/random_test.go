package cilium

import (
	"fmt"
	"math/rand/v2"
)

// dice makes scenes; the same seed makes the same.
type dice struct{ *rand.Rand }

type object = map[string]any

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// pick takes one of a list.
func pick[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

// list is one or two of what makes them.
func (d dice) list(one func() any) (out []any) {
	for range 1 + d.IntN(2) {
		out = append(out, one())
	}
	return out
}

// scene is three namespaces with two pods each, one on another node's network, and a few
// policies.
func (d dice) scene() scene {
	out := scene{}
	for i, name := range []string{"a", "b", "c"} {
		labels := object{"kubernetes.io/metadata.name": name}
		if i > 0 {
			labels["team"] = pick(d, "x", "y")
		}
		out = append(out, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": labels}})
		for k := range 2 {
			out = append(out, d.pod(name, fmt.Sprintf("p%d", k)))
		}
	}
	host := d.pod("c", "host")
	spec := host["spec"].(object)
	spec["hostNetwork"], spec["nodeName"] = true, "elsewhere"
	out = append(out, host)
	for i := range 1 + d.IntN(3) {
		out = append(out, d.policy(fmt.Sprintf("policy-%d", i)))
	}
	return out
}

func (d dice) pod(namespace, name string) object {
	labels := object{}
	for _, k := range []string{"app", "tier", "pod-template-hash"} {
		if d.chance(70) {
			labels[k] = pick(d, "a", "b")
		}
	}
	container := object{"name": "c", "image": "i"}
	if d.chance(60) {
		container["ports"] = []any{
			object{"name": "http", "protocol": "TCP", "containerPort": pick[int64](d, 80, 8080)},
			object{"name": "dns", "protocol": "UDP", "containerPort": pick[int64](d, 53, 9090)},
		}
	}
	return object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name, "namespace": namespace, "labels": labels},
		"spec": object{"containers": []any{container}, "serviceAccountName": pick(d, "default", "robot"), "nodeName": "here"},
	}
}

func (d dice) policy(name string) object {
	switch n := d.IntN(10); {
	case n < 2:
		return d.networkPolicy(name)
	case n < 5:
		return d.cilium(name, "CiliumClusterwideNetworkPolicy", "")
	}
	return d.cilium(name, "CiliumNetworkPolicy", pick(d, "a", "b", "c"))
}

func (d dice) cilium(name, kind, namespace string) object {
	out := object{"apiVersion": "cilium.io/v2", "kind": kind, "metadata": object{"name": name}}
	if namespace != "" {
		out["metadata"] = object{"name": name, "namespace": namespace}
	}
	if d.chance(85) {
		out["spec"] = d.spec()
	} else {
		out["specs"] = d.list(func() any { return d.spec() })
	}
	return out
}

func (d dice) spec() object {
	out := object{"endpointSelector": d.selector(true)}
	if d.chance(3) {
		out["nodeSelector"] = object{}
		if d.chance(60) {
			delete(out, "endpointSelector")
		}
	}
	for i, name := range []string{"ingress", "ingressDeny", "egress", "egressDeny"} {
		from, deny := i < 2, i%2 == 1
		if deny && !d.chance(25) || !deny && !d.chance(55) {
			continue
		}
		out[name] = d.list(func() any { return d.rule(from, deny) })
		if d.chance(5) {
			out[name] = []any{}
		}
	}
	if d.chance(20) {
		out["enableDefaultDeny"] = object{pick(d, "ingress", "egress"): d.chance(40)}
	}
	return out
}

// selector is an EndpointSelector; now and then one with a key of Cilium's.
func (d dice) selector(subject bool) object {
	out := object{}
	source := pick(d, "", "", "k8s:", "any:")
	if d.chance(55) {
		out["matchLabels"] = object{source + pick(d, "app", "tier"): pick(d, "a", "b")}
	}
	if d.chance(25) {
		out["matchExpressions"] = []any{d.expression(pick(d, "app", "tier", "none"), "a", "b")}
	}
	percent := 35
	if subject {
		percent = 15
	}
	if !d.chance(percent) {
		return out
	}
	key := source + pick(d, "io.kubernetes.pod.namespace", "io.kubernetes.pod.namespace", "io.cilium.k8s.namespace.labels.team",
		"io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", "io.cilium.k8s.policy.serviceaccount",
		"io.cilium.k8s.policy.cluster", "pod-template-hash")
	switch {
	case d.chance(12):
		reserved := pick(d, "reserved:", "reserved:", "reserved:", "$") + pick(d, "host", "remote-node", "world", "health", "init", "kube-apiserver", "none", "all")
		if d.chance(70) {
			return object{"matchLabels": object{reserved: ""}}
		}
		out["matchExpressions"] = []any{object{"key": reserved, "operator": pick(d, "Exists", "DoesNotExist")}}
	case d.chance(60):
		labels, _ := out["matchLabels"].(object)
		if labels == nil {
			labels = object{}
		}
		labels[key] = pick(d, "a", "b", "x", "robot", "default")
		out["matchLabels"] = labels
	default:
		out["matchExpressions"] = []any{d.expression(key, "a", "b", "x", "robot", "default")}
	}
	return out
}

func (d dice) expression(key string, values ...string) object {
	operator := pick(d, "In", "NotIn", "Exists", "DoesNotExist")
	out := object{"key": key, "operator": operator}
	if operator == "In" || operator == "NotIn" {
		out["values"] = d.list(func() any { return pick(d, values...) })
	}
	return out
}

// rule has peers of one kind, ports, and now and then something that Cilium refuses.
func (d dice) rule(from, deny bool) object {
	out := object{}
	d.peers(out, from, deny)
	if d.chance(2) {
		d.peers(out, from, deny)
	}
	if d.chance(60) {
		out["toPorts"] = d.list(func() any { return d.portRule(from, deny) })
		if d.chance(5) {
			out["toPorts"] = []any{}
		}
	}
	if d.chance(4) {
		out["icmps"] = []any{object{"fields": []any{object{"type": int64(8), "family": "IPv4"}}}}
	}
	if !deny && d.chance(3) {
		out["authentication"] = object{"mode": pick(d, "required", "disabled")}
	}
	return out
}

func (d dice) peers(out object, from, deny bool) {
	prefix := "to"
	if from {
		prefix = "from"
	}
	switch n := d.IntN(100); {
	case n < 12: // none
	case n < 55:
		out[prefix+"Endpoints"] = d.list(func() any { return d.selector(false) })
	case n < 75:
		out[prefix+"Entities"] = d.list(func() any {
			return pick(d, "all", "world", "world", "cluster", "cluster", "host", "remote-node", "kube-apiserver", "init", "health",
				"unmanaged", "ingress", "none", "world-ipv4", "world-ipv6", "cluster-mesh")
		})
	case n < 82:
		out[prefix+"CIDR"] = d.list(func() any { return pick(d, "10.0.0.0/8", "0.0.0.0/0", "192.0.2.1", "::/0", "192.0.2.0/24") })
	case n < 90:
		out[prefix+"CIDRSet"] = d.list(func() any {
			return pick(d, object{"cidr": "10.0.0.0/8", "except": []any{"10.1.0.0/16"}}, object{"cidr": "0.0.0.0/0"},
				object{"cidr": "0.0.0.0/0", "except": []any{"10.0.0.0/8", "192.0.2.1/32"}}, object{"cidrGroupRef": "office"})
		})
	case n < 94:
		out[prefix+pick(d, "Endpoints", "Entities", "CIDR", "CIDRSet", "Nodes")] = []any{}
	case n < 95:
		out[prefix+"Entities"] = []any{"moon"}
	case n < 96:
		out[prefix+"Nodes"] = []any{object{}}
	case n < 97:
		out[prefix+"Groups"] = []any{object{"aws": object{"region": "eu"}}}
	case !from && n < 98:
		out["toServices"] = []any{object{"k8sService": object{"serviceName": "none", "namespace": "a"}}} // there is none
	case !from && !deny:
		out["toFQDNs"] = []any{object{"matchName": "a.example"}}
	}
}

func (d dice) portRule(from, deny bool) object {
	out := object{"ports": d.list(func() any { return d.port() })}
	switch {
	case d.chance(3):
		out["ports"] = []any{}
	case deny:
	case d.chance(4):
		out["ports"] = []any{object{"port": "80", "protocol": "TCP"}}
		out["rules"] = object{"http": []any{object{"method": "GET"}}}
	case d.chance(3):
		out["serverNames"] = []any{"a.example"}
	case d.chance(2):
		out["rules"] = object{"dns": []any{object{"matchPattern": "*"}}}
	}
	return out
}

func (d dice) port() object {
	out := object{"port": pick(d, "80", "80", "81", "8080", "53", "0", "http", "dns", "HTTP", "none")}
	if d.chance(75) {
		out["protocol"] = pick(d, "TCP", "TCP", "UDP", "SCTP", "ANY")
	}
	if d.chance(15) {
		out["endPort"] = pick[int64](d, 79, 81, 9000)
	}
	if d.chance(2) {
		out["port"], out["protocol"] = pick(d, "0", "", "5"), "GRE"
		delete(out, "endPort")
	}
	if d.chance(2) {
		out["port"] = pick(d, "0100", "65536", "a--b", "")
	}
	return out
}

// networkPolicy is one of Kubernetes', to stand beside Cilium's.
func (d dice) networkPolicy(name string) object {
	peers := func() any {
		return pick(d, object{"podSelector": object{"matchLabels": object{"app": "a"}}}, object{"namespaceSelector": object{}},
			object{"namespaceSelector": object{"matchLabels": object{"team": "x"}}, "podSelector": object{}},
			object{"ipBlock": object{"cidr": "10.0.0.0/8", "except": []any{"10.1.0.0/16"}}})
	}
	rules := func(end string) []any {
		return d.list(func() any {
			out := object{}
			if d.chance(80) {
				out[end] = d.list(peers)
			}
			if d.chance(60) {
				out["ports"] = []any{pick(d, object{"port": int64(80)}, object{"port": "http"}, object{"port": "dns", "protocol": "UDP"},
					object{"port": int64(80), "endPort": int64(9000), "protocol": "TCP"}, object{"protocol": "SCTP"})}
			}
			return out
		})
	}
	spec := object{"podSelector": pick(d, object{}, object{"matchLabels": object{"tier": "a"}}), "policyTypes": []any{"Ingress", "Egress"}}
	if d.chance(70) {
		spec["ingress"] = rules("from")
	}
	if d.chance(70) {
		spec["egress"] = rules("to")
	}
	return object{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": object{"name": name, "namespace": pick(d, "a", "b", "c")}, "spec": spec,
	}
}
