package cilium

import (
	"strings"
	"testing"
)

// town is a small cluster: web in namespace a, db and cache in b.
const town = `apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {kubernetes.io/metadata.name: a, team: red}}
---
apiVersion: v1
kind: Namespace
metadata: {name: b, labels: {kubernetes.io/metadata.name: b, team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web, pod-template-hash: "1"}}
spec: {serviceAccountName: robot, nodeName: here, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: b, labels: {app: db}}
spec: {serviceAccountName: default, nodeName: here, containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080, protocol: TCP}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cache, namespace: b, labels: {app: cache}}
spec: {serviceAccountName: default, nodeName: here, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: b}
spec: {hostNetwork: true, serviceAccountName: default, nodeName: elsewhere, containers: [{name: c, image: i}]}
---
`

// in makes a policy of namespace b, wide one of the whole cluster.
func in(spec string) string { return policyOf("CiliumNetworkPolicy", "namespace: b, ", spec) }

func wide(spec string) string { return policyOf("CiliumClusterwideNetworkPolicy", "", spec) }

func policyOf(kind, namespace, spec string) string {
	return "apiVersion: cilium.io/v2\nkind: " + kind + "\nmetadata: {" + namespace + "name: p}\nspec: " + spec + "\n"
}

// fact is a point on which one could think otherwise.
type fact struct {
	name, policy string
	// flow is "FROM TO PROTOCOL PORT".
	flow    string
	allowed bool
	// open: we cannot tell, and say so.
	open bool
}

var facts = []fact{
	{"no policy, no isolation", in(`{endpointSelector: {matchLabels: {app: none}}, ingress: [{}]}`), "a/web b/db TCP 80", true, false},
	{"an empty rule isolates", in(`{endpointSelector: {}, ingress: [{}]}`), "a/web b/db TCP 80", false, false},
	{"and leaves the other direction", in(`{endpointSelector: {}, ingress: [{}]}`), "b/db a/web TCP 80", true, false},
	{"an empty list is refused, and does nothing", in(`{endpointSelector: {}, ingress: []}`), "a/web b/db TCP 80", true, false},
	{"an empty list beside another", in(`{endpointSelector: {}, ingress: [], egress: [{}]}`), "a/web b/db TCP 80", true, false},
	{"enableDefaultDeny without rules of the direction", in(`{endpointSelector: {}, enableDefaultDeny: {egress: true}, ingress: [{}]}`), "b/db a/web TCP 80", true, false},
	{"a denial isolates", in(`{endpointSelector: {}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: none}}]}]}`), "a/web b/db TCP 80", false, false},
	{"unless told not to", in(`{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingressDeny: [{toPorts: [{ports: [{port: "80"}]}]}]}`), "a/web b/db TCP 81", true, false},
	{"and still denies", in(`{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingressDeny: [{toPorts: [{ports: [{port: "80"}]}]}]}`), "a/web b/db TCP 80", false, false},
	{"a denial outranks an allow", in(`{endpointSelector: {}, ingress: [{fromEntities: [all]}], ingressDeny: [{fromEntities: [cluster]}]}`), "a/web b/db TCP 80", false, false},
	{"ports without peers are everybody's", in(`{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]}`), "192.0.2.1 b/db TCP 80", true, false},
	{"an empty list of peers is nobody", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]}`), "b/cache b/db TCP 80", false, false},
	{"an empty list of ports is all of them", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [{}], toPorts: []}]}`), "b/cache b/db TCP 80", true, false},
	{"a list of nothing is none of them", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [{}], toPorts: [{}]}]}`), "b/cache b/db TCP 80", false, false},
	{"ICMP opens no port", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [{}], icmps: [{fields: [{type: 8}]}]}]}`), "b/cache b/db TCP 80", false, false},
	{"a namespaced policy means its own pods", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}`), "a/web b/db TCP 80", false, false},
	{"a cluster-wide one all", wide(`{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}`), "a/web b/db TCP 80", true, false},
	{"and nobody outside", wide(`{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}`), "192.0.2.1 b/db TCP 80", false, false},
	{"namespaces by label", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {io.cilium.k8s.namespace.labels.team: red}}]}]}`), "a/web b/db TCP 80", true, false},
	{"namespaces by name", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": a}}]}]}`), "a/web b/db TCP 80", true, false},
	{"ServiceAccounts", wide(`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.serviceaccount: robot}}]}]}`), "a/web b/db TCP 80", true, false},
	{"the subject's namespace is replaced where it has a source", in(`{endpointSelector: {matchLabels: {"k8s:io.kubernetes.pod.namespace": a}}, ingress: [{}]}`), "a/web b/db TCP 80", false, false},
	{"and not where it has none", in(`{endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: a}}, ingress: [{}]}`), "a/web b/db TCP 80", true, false},
	{"labels that are in no identity", wide(`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {pod-template-hash: "1"}}]}]}`), "a/web b/db TCP 80", false, true},
	{"the cluster's name", wide(`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.cluster: default}}]}]}`), "a/web b/db TCP 80", true, true},
	{"a denied reserved label is everybody else", in(`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchExpressions: [{key: "reserved:host", operator: DoesNotExist}]}]}]}`), "192.0.2.1 b/db TCP 80", true, true},
	{"cluster is all pods", in(`{endpointSelector: {}, ingress: [{fromEntities: [cluster]}]}`), "a/web b/db TCP 80", true, false},
	{"and all nodes", in(`{endpointSelector: {}, ingress: [{fromEntities: [cluster]}]}`), "b/agent b/db TCP 80", true, false},
	{"world is no pod", in(`{endpointSelector: {}, ingress: [{fromEntities: [world]}]}`), "a/web b/db TCP 80", false, false},
	{"world is every address", in(`{endpointSelector: {}, ingress: [{fromEntities: [world]}]}`), "2001:db8::1 b/db TCP 80", true, false},
	{"a CIDR is no pod", in(`{endpointSelector: {}, ingress: [{fromCIDR: [0.0.0.0/0]}]}`), "a/web b/db TCP 80", false, false},
	{"nor a node", in(`{endpointSelector: {}, ingress: [{fromCIDR: [0.0.0.0/0]}]}`), "b/agent b/db TCP 80", false, false},
	{"except", in(`{endpointSelector: {}, egress: [{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}]}`), "b/db 10.1.2.3 TCP 80", false, false},
	{"beside it", in(`{endpointSelector: {}, egress: [{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}]}`), "b/db 10.2.0.1 TCP 80", true, false},
	{"a service that does not exist leaves its ports to everybody", in(`{endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: none}}], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]}`), "b/db 192.0.2.1 TCP 80", true, true},
	{"no protocol is all three", in(`{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "80"}]}]}]}`), "a/web b/db SCTP 80", true, false},
	{"port 0 is all of them, whatever endPort says", in(`{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "0", endPort: 80, protocol: TCP}]}]}]}`), "a/web b/db TCP 9090", true, false},
	{"an endPort below is none", in(`{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "81", endPort: 80, protocol: TCP}]}]}]}`), "a/web b/db TCP 80", false, false},
	{"numbers as in C", in(`{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "0120", protocol: TCP}]}]}]}`), "a/web b/db TCP 80", true, false},
	{"names in capitals", in(`{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: HTTP, protocol: TCP}]}]}]}`), "a/web b/db TCP 8080", true, false},
	{"names at the other end", wide(`{endpointSelector: {matchLabels: {app: web}}, egress: [{toPorts: [{ports: [{port: http, protocol: TCP}]}], toEndpoints: [{}]}]}`), "a/web b/db TCP 8080", true, false},
	{"names that the other end does not have", wide(`{endpointSelector: {matchLabels: {app: web}}, egress: [{toPorts: [{ports: [{port: http, protocol: TCP}]}], toEndpoints: [{}]}]}`), "a/web b/cache TCP 8080", false, false},
	{"some requests", in(`{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}]}]}`), "a/web b/db TCP 80", true, true},
	{"two entities that cannot be in one rule", in(`{endpointSelector: {}, ingress: [{fromEntities: [cluster], fromCIDR: [10.0.0.0/8]}]}`), "a/web b/db TCP 80", true, false},
}

// TestFacts holds both engines to what the documentation and the source of Cilium say, on
// points that one could think otherwise of.
func TestFacts(t *testing.T) {
	for _, c := range facts {
		t.Run(c.name, func(t *testing.T) {
			s, err := parseScene(town + c.policy)
			if err != nil {
				t.Fatal(err)
			}
			_, differences, err := judge(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences {
				t.Error(d)
			}
			theirs, open, err := askOne(s, c.flow)
			if err != nil {
				t.Fatal(err)
			}
			if theirs != c.allowed || open != c.open {
				t.Errorf("Cilium allows: %v, want %v; we cannot tell: %v, want %v", theirs, c.allowed, open, c.open)
			}
		})
	}
}

// askOne asks both about one flow of a scene.
func askOne(s scene, flow string) (allowed, open bool, err error) {
	only := strings.Fields(flow)
	j, err := newJudgement(s)
	if err != nil {
		return false, false, err
	}
	found := false
	j.each = func(f Flow, theirs, sure, possible bool) {
		if f.String() == only[0]+" to "+only[1]+" at "+only[2]+" "+only[3] {
			allowed, open, found = theirs, sure != possible, true
		}
	}
	if err := j.all(); err != nil {
		return false, false, err
	}
	if !found {
		return false, false, errNoFlow
	}
	return allowed, open, nil
}
