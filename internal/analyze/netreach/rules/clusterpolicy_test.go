package rules

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

const clusterHead = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\n"

// clusterRules is a head below which only ingress and egress are missing.
const clusterRules = clusterHead + `
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
`

func TestClusterSpec(t *testing.T) {
	spec := func(text string) string { return "spec: {" + text + "}" }
	runTierCases(t, (*Reader).ClusterNetworkPolicy, clusterHead, []tierCase{
		{name: "an empty selector of namespaces is every pod", yaml: spec("tier: Admin, priority: 0, subject: {namespaces: {}}"),
			want: "admin 0 on every pod in every namespace"},
		{name: "the baseline tier, by label", yaml: spec("tier: Baseline, priority: 1000, subject: {namespaces: {matchLabels: {team: a}}}"),
			want: "baseline 1000 on every pod in namespaces team=a"},
		{name: "pods", yaml: spec("tier: Admin, priority: 7, subject: {pods: {namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchExpressions: [{key: app, operator: In, values: [w, v]}]}}}"),
			want: "admin 7 on pods app in (v,w) in namespaces team=a"},
		{name: "pods without a namespaceSelector are of every namespace", yaml: spec("tier: Admin, priority: 7, subject: {pods: {podSelector: {matchLabels: {app: x}}}}"),
			want: "admin 7 on pods app=x in every namespace"},
		{name: "a null is as good as nothing", yaml: spec("tier: Admin, priority: 7, ingress: null, egress: [], subject: {namespaces: {}, pods: null}"),
			want: "admin 7 on every pod in every namespace"},
		{name: "no tier", yaml: spec("priority: 7, subject: {namespaces: {}}"), err: "spec.tier is missing"},
		{name: "an unknown tier", yaml: spec("tier: Cluster, priority: 7, subject: {namespaces: {}}"), err: `spec.tier is "Cluster": use Admin or Baseline`},
		{name: "no priority", yaml: spec("tier: Admin, subject: {namespaces: {}}"), err: "spec.priority is missing"},
		{name: "a priority above 1000", yaml: spec("tier: Admin, priority: 1001, subject: {namespaces: {}}"), err: "spec.priority is 1001: give a number from 0 to 1000"},
		{name: "a priority below 0", yaml: spec("tier: Admin, priority: -1, subject: {namespaces: {}}"), err: "spec.priority is -1"},
		{name: "half a priority", yaml: spec("tier: Admin, priority: 1.5, subject: {namespaces: {}}"), err: "spec.priority is a number: write a whole number"},
		{name: "no subject", yaml: spec("tier: Admin, priority: 7"), err: "spec.subject is missing"},
		{name: "an empty subject", yaml: spec("tier: Admin, priority: 7, subject: {}"), err: "spec.subject: set exactly one"},
		{name: "two subjects", yaml: spec("tier: Admin, priority: 7, subject: {namespaces: {}, pods: {podSelector: {}}}"), err: "spec.subject: set exactly one"},
		{name: "pods without a podSelector", yaml: spec("tier: Admin, priority: 7, subject: {pods: {namespaceSelector: {}}}"), err: "spec.subject.pods.podSelector is missing"},
		{name: "an operator that nobody knows", yaml: spec("tier: Admin, priority: 7, subject: {namespaces: {matchExpressions: [{key: a, operator: Like}]}}"), err: `spec.subject.namespaces: operator "Like" of key "a" is unknown`},
		{name: "a selector that is a word", yaml: spec("tier: Admin, priority: 7, subject: {namespaces: all}"), err: "spec.subject.namespaces is a string: write an object"},
		{name: "a label that is a number", yaml: spec("tier: Admin, priority: 7, subject: {namespaces: {matchLabels: {a: 1}}}"), err: `spec.subject.namespaces.matchLabels["a"] is a number: write a string`},
		{name: "no spec", yaml: "other: {}", err: "spec is missing"},
		{name: "whom an unknown subject takes in, nobody knows", yaml: spec("tier: Admin, priority: 7, subject: {serviceAccounts: {}}"),
			want: "admin 7 on every pod in every namespace\ndoubt spec.subject.serviceAccounts: not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2"},
		{name: "nor an unknown part of a selector", yaml: spec("tier: Admin, priority: 7, subject: {namespaces: {matchLabels: {a: b}, matchCEL: x}}"),
			want: "admin 7 on every pod in every namespace\ndoubt spec.subject.namespaces.matchCEL: not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2"},
		{name: "an unknown field of the spec", yaml: spec("tier: Admin, priority: 7, subject: {namespaces: {}}, schedule: night"),
			want: "admin 7 on every pod in every namespace\ndoubt spec.schedule: not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2"},
		{name: "an unknown field with a hostile name", yaml: `spec: {tier: Admin, priority: 7, subject: {namespaces: {}}, "a\e[31m": 1}`,
			want: `admin 7 on every pod in every namespace` + "\n" + `doubt spec["a\x1b[31m"]: not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2`},
		{name: "an unknown field beside the spec", yaml: spec("tier: Admin, priority: 7, subject: {namespaces: {}}") + "\nrollout: slow",
			want: "admin 7 on every pod in every namespace\ndoubt rollout: not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2"},
	})
}

func TestClusterVersions(t *testing.T) {
	for _, version := range []string{"v1alpha1", "v1alpha3", "v1"} {
		u := policyOf(t, strings.Replace(clusterRules, "v1alpha2", version, 1))
		if _, err := NewReader().ClusterNetworkPolicy(u); err == nil || !strings.Contains(err.Error(), "is read in policy.networking.k8s.io/v1alpha2") {
			t.Errorf("%s: error %v, want one that names the version that is read", version, err)
		}
	}
}

func TestClusterRules(t *testing.T) {
	in := func(text string) string {
		return "  ingress: [{action: Accept, from: [{namespaces: {}}], " + text + "}]"
	}
	runTierCases(t, (*Reader).ClusterNetworkPolicy, clusterRules, []tierCase{
		{name: "order is kept", yaml: "  ingress: [{name: dns, action: Accept, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}, {action: Pass, from: [{namespaces: {}}]}]",
			want: `ingress spec.ingress[0] allow {every pod in every namespace}
				ingress spec.ingress[1] deny {every pod in every namespace}
				ingress spec.ingress[2] pass {every pod in every namespace}`},
		{name: "numbers and ranges of every protocol", yaml: in("protocols: [{tcp: {destinationPort: {number: 80}}}, {udp: {destinationPort: {range: {start: 53, end: 54}}}}, {sctp: {destinationPort: {number: 65535}}}]"),
			want: "ingress spec.ingress[0] allow {every pod in every namespace} (TCP 80) (UDP 53-54) (SCTP 65535)"},
		{name: "a named port is of the protocol that it has there", yaml: in("protocols: [{destinationNamedPort: web}]"),
			want: "ingress spec.ingress[0] allow {every pod in every namespace} (TCP web) (UDP web) (SCTP web)"},
		{name: "a range of one port", yaml: in("protocols: [{tcp: {destinationPort: {range: {start: 80, end: 80}}}}]"),
			want: "ingress spec.ingress[0] allow {every pod in every namespace} (TCP 80)"},
		{name: "port 0", yaml: in("protocols: [{tcp: {destinationPort: {number: 0}}}]"), err: "spec.ingress[0].protocols[0].tcp.destinationPort.number is 0: give a number from 1 to 65535"},
		{name: "port 65536", yaml: in("protocols: [{tcp: {destinationPort: {range: {start: 1, end: 65536}}}}]"), err: "destinationPort.range.end is 65536"},
		{name: "a range without an end", yaml: in("protocols: [{tcp: {destinationPort: {range: {start: 1}}}}]"), err: "destinationPort.range.end is missing"},
		{name: "a range from high to low", yaml: in("protocols: [{tcp: {destinationPort: {range: {start: 9, end: 8}}}}]"), err: "starts at 9 and ends at 8: swap them"},
		{name: "number and range", yaml: in("protocols: [{tcp: {destinationPort: {number: 1, range: {start: 8, end: 9}}}}]"), err: "destinationPort: set exactly one of number and range"},
		{name: "two protocols in one", yaml: in("protocols: [{tcp: {destinationPort: {number: 1}}, udp: {destinationPort: {number: 1}}}]"), err: "protocols[0]: set only one of"},
		{name: "an empty list of protocols", yaml: in("protocols: []"), err: "spec.ingress[0].protocols is empty"},
		{name: "an empty name of a port", yaml: in("protocols: [{destinationNamedPort: ''}]"), err: "destinationNamedPort is empty"},
		{name: "no action", yaml: "  ingress: [{from: [{namespaces: {}}]}]", err: "spec.ingress[0].action is missing"},
		{name: "an action of another API", yaml: "  ingress: [{action: Allow, from: [{namespaces: {}}]}]", err: `spec.ingress[0].action is "Allow": use one of Accept, Deny, Pass`},
		{name: "no peers", yaml: "  ingress: [{action: Accept}]", err: "spec.ingress[0].from is missing: name at least one peer"},
		{name: "an empty list of peers", yaml: "  egress: [{action: Accept, to: []}]", err: "spec.egress[0].to is empty"},
		{name: "a name that is too long", yaml: in("name: " + strings.Repeat("n", 101)), err: "spec.ingress[0].name is longer than 100 characters"},
		{name: "too many rules", yaml: "  ingress: [" + strings.Repeat("{action: Deny, from: [{namespaces: {}}]}, ", 26) + "]", err: "spec.ingress has 26 items, more than the 25"},
		{name: "too many peers", yaml: "  ingress: [{action: Deny, from: [" + strings.Repeat("{namespaces: {}}, ", 26) + "]}]", err: "spec.ingress[0].from has 26 items"},
		{name: "a null peer", yaml: "  ingress: [{action: Deny, from: [null]}]", err: "spec.ingress[0].from[0] is missing"},
	})
}

func TestClusterPeers(t *testing.T) {
	to := func(action, peers string) string { return "  egress: [{action: " + action + ", to: [" + peers + "]}]" }
	runTierCases(t, (*Reader).ClusterNetworkPolicy, clusterRules, []tierCase{
		{name: "namespaces, pods and nodes", yaml: to("Accept", "{namespaces: {matchLabels: {a: b}}}, {pods: {namespaceSelector: {}, podSelector: {matchLabels: {c: d}}}}, {nodes: {matchExpressions: [{key: gpu, operator: Exists}]}}, {nodes: {}}"),
			want: "egress spec.egress[0] allow {every pod in namespaces a=b} {pods c=d in every namespace} {nodes gpu} {nodes }"},
		{name: "networks are one peer, and match pods", yaml: to("Deny", "{networks: [10.0.0.0/8, 'fd00::/8', 11.0.0.0/8]}"),
			want: "egress spec.egress[0] deny {10.0.0.0/7, fd00::/8 and its pods}"},
		{name: "a network that is none", yaml: to("Deny", "{networks: [10.0.0.0/8, 10.0.0.0/33]}"), err: "spec.egress[0].to[0].networks[1]: cidr:"},
		{name: "no networks", yaml: to("Deny", "{networks: []}"), err: "spec.egress[0].to[0].networks is empty"},
		{name: "a domain name may be anybody's, and a pod's", yaml: to("Accept", "{domainNames: ['*.example.com']}"),
			want: `egress spec.egress[0] allow {unknown spec.egress[0].to[0].domainNames: nobody knows which addresses ["*.example.com"] have}`},
		{name: "a domain name proves no denial", yaml: to("Deny", "{domainNames: [example.com]}"),
			want: "egress spec.egress[0] deny {everyone} unsure: spec.egress[0].to[0].domainNames: domain names are for rules that accept only"},
		{name: "two peers in one", yaml: to("Accept", "{namespaces: {}, networks: [10.0.0.0/8]}"), err: "spec.egress[0].to[0]: set only one of namespaces, pods, nodes, networks, domainNames"},
		{name: "named ports of addresses", yaml: "  egress: [{action: Accept, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: web}]}]",
			want: "egress spec.egress[0] allow {10.0.0.0/8 and its pods} (TCP web) (UDP web) (SCTP web) unsure: spec.egress[0].to[0]: named ports cannot be asked of anything but pods"},
		{name: "nodes are not peers of ingress", yaml: "  ingress: [{action: Accept, from: [{nodes: {}}]}]",
			want: "ingress spec.ingress[0] allow {unknown spec.ingress[0].from[0].nodes: not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2} unsure: spec.ingress[0].from[0].nodes: not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2"},
	})
}

// What is not understood must fail closed, by the API's own words; who else understands
// it is not known. So nothing is proved by such a rule, in either direction.
func TestClusterUnknownParts(t *testing.T) {
	const unknown = "not known in ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2"
	rule := func(text string) string { return "  ingress: [{" + text + "}]" }
	runTierCases(t, (*Reader).ClusterNetworkPolicy, clusterRules, []tierCase{
		{name: "an Accept may match less, or the unknown peer, at known ports",
			yaml: rule("action: Accept, from: [{namespaces: {}}, {mesh: x}], protocols: [{tcp: {destinationPort: {number: 80}}}]"),
			want: "ingress spec.ingress[0] allow {every pod in every namespace} {unknown spec.ingress[0].from[1].mesh: " + unknown + "} (TCP 80) unsure: spec.ingress[0].from[1].mesh: " + unknown},
		{name: "a peer without a field is of a newer API", yaml: rule("action: Accept, from: [{}]"),
			want: "ingress spec.ingress[0] allow {unknown spec.ingress[0].from[0]: " + unknown + "} unsure: spec.ingress[0].from[0]: " + unknown},
		{name: "a Deny may become one of everybody", yaml: rule("action: Deny, from: [{}]"),
			want: "ingress spec.ingress[0] deny {everyone} unsure: spec.ingress[0].from[0]: " + unknown},
		{name: "so may a Pass, or it may pass", yaml: rule("action: Pass, from: [{pods: {podSelector: {}, other: 1}}]"),
			want: `ingress spec.ingress[0] pass {unknown spec.ingress[0].from[0].pods.other: ` + unknown + `} unsure: spec.ingress[0].from[0].pods.other: ` + unknown + `
				ingress spec.ingress[0] deny {everyone} unsure: spec.ingress[0].from[0].pods.other: ` + unknown},
		{name: "an unknown protocol may be any port", yaml: rule("action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {icmp: {}}]"),
			want: "ingress spec.ingress[0] allow {every pod in every namespace} unsure: spec.ingress[0].protocols[1].icmp: " + unknown},
		{name: "a protocol without a field", yaml: rule("action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {}}]"),
			want: "ingress spec.ingress[0] allow {every pod in every namespace} unsure: spec.ingress[0].protocols[0].tcp: " + unknown},
		{name: "a match on something else beside the port", yaml: rule("action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}, flags: [syn]}}]"),
			want: "ingress spec.ingress[0] allow {every pod in every namespace} unsure: spec.ingress[0].protocols[0].tcp.flags: " + unknown},
		{name: "the ports of the older API", yaml: rule("action: Accept, from: [{namespaces: {}}], ports: [{portNumber: {port: 80}}]"),
			want: "ingress spec.ingress[0] allow {everyone} unsure: spec.ingress[0].ports: " + unknown},
		{name: "peers of the other direction", yaml: rule("action: Accept, from: [{namespaces: {}}], to: [{namespaces: {}}]"),
			want: "ingress spec.ingress[0] allow {everyone} unsure: spec.ingress[0].to: " + unknown},
	})
}

// Everything that the typed API can write is known: none of it is a doubt.
func TestClusterKnowsTheAPI(t *testing.T) {
	labels := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "c", Operator: "NotIn", Values: []string{"d"}}, {Key: "e", Operator: "DoesNotExist"}}}
	pods := &policyv1alpha2.NamespacedPod{NamespaceSelector: *labels, PodSelector: *labels}
	one, many := &policyv1alpha2.Port{Number: 80}, &policyv1alpha2.Port{Range: &policyv1alpha2.PortRange{Start: 1, End: 2}}
	protocols := []policyv1alpha2.ClusterNetworkPolicyProtocol{
		{TCP: &policyv1alpha2.ClusterNetworkPolicyProtocolTCP{DestinationPort: one}},
		{UDP: &policyv1alpha2.ClusterNetworkPolicyProtocolUDP{DestinationPort: many}},
		{SCTP: &policyv1alpha2.ClusterNetworkPolicyProtocolSCTP{DestinationPort: one}},
	}
	p := &policyv1alpha2.ClusterNetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy.networking.k8s.io/v1alpha2", Kind: "ClusterNetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: "all"},
		Spec: policyv1alpha2.ClusterNetworkPolicySpec{
			Tier: policyv1alpha2.BaselineTier, Priority: 5,
			Subject: policyv1alpha2.ClusterNetworkPolicySubject{Pods: pods},
			Ingress: []policyv1alpha2.ClusterNetworkPolicyIngressRule{{
				Name: "in", Action: policyv1alpha2.ClusterNetworkPolicyRuleActionPass, Protocols: append(protocols, policyv1alpha2.ClusterNetworkPolicyProtocol{DestinationNamedPort: "web"}),
				From: []policyv1alpha2.ClusterNetworkPolicyIngressPeer{{Namespaces: labels}, {Pods: pods}},
			}},
			Egress: []policyv1alpha2.ClusterNetworkPolicyEgressRule{{
				Name: "out", Action: policyv1alpha2.ClusterNetworkPolicyRuleActionAccept, Protocols: protocols,
				To: []policyv1alpha2.ClusterNetworkPolicyEgressPeer{
					{Namespaces: labels}, {Pods: pods}, {Nodes: labels}, {Networks: []policyv1alpha2.CIDR{"10.0.0.0/8"}}, {DomainNames: []policyv1alpha2.DomainName{"a.example"}},
				},
			}},
		},
		Status: policyv1alpha2.ClusterNetworkPolicyStatus{Conditions: []metav1.Condition{{Type: "Ready"}}},
	}
	read, err := NewReader().ClusterNetworkPolicy(untyped(t, p))
	if err != nil {
		t.Fatal(err)
	}
	const sel, both = "a=b,c notin (d),!e", "pods a=b,c notin (d),!e in namespaces a=b,c notin (d),!e"
	want := `baseline 5 on ` + both + `
		ingress spec.ingress[0] pass {every pod in namespaces ` + sel + `} {` + both + `} (TCP 80) (UDP 1-2) (SCTP 80) (TCP web) (UDP web) (SCTP web)
		egress spec.egress[0] allow {every pod in namespaces ` + sel + `} {` + both + `} {nodes ` + sel + `} {10.0.0.0/8 and its pods} {unknown spec.egress[0].to[4].domainNames: nobody knows which addresses ["a.example"] have} (TCP 80) (UDP 1-2) (SCTP 80)`
	if got := tidy(describe(read)); got != tidy(want) {
		t.Errorf("read\n%s\nwant\n%s", got, tidy(want))
	}
}

// untyped takes an object through JSON, as the API server hands it out.
func untyped(t testing.TB, object any) *unstructured.Unstructured {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return u
}

func FuzzClusterNetworkPolicy(f *testing.F) {
	fuzzTier(f, (*Reader).ClusterNetworkPolicy, clusterHead)
}
