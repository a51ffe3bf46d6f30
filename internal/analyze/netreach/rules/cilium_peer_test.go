package rules

import "testing"

// egressCases are rules of egress, and what is read of them.
func egressCases(cases map[string]string) (out []ciliumCase) {
	for rule, want := range cases {
		out = append(out, ciliumCase{
			name: rule, object: `{spec: {endpointSelector: {}, egress: [` + rule + `]}}`,
			want: "governs shop{}, isolates egress\n" + want,
		})
	}
	return out
}

// TestCiliumEntities: what each entity stands for.
func TestCiliumEntities(t *testing.T) {
	const (
		host   = "only the node that the pod itself runs on"
		remote = "not the node that the pod itself runs on"
	)
	cases := map[string]string{}
	for entities, want := range map[string]string{
		`[]`:                         "[]",
		`[all]`:                      "[everyone]",
		`[world]`:                    "[addresses(0.0.0.0/0, ::/0)]",
		`[world-ipv4]`:               "[addresses(0.0.0.0/0)]",
		`[world-ipv6]`:               "[addresses(::/0)]",
		`[cluster]`:                  "[*{}, nodes{}, outside?]",
		`[cluster-mesh]`:             "[*{}, nodes{}, outside?]",
		`[host]`:                     "[nodes{}] ? " + host,
		`[remote-node]`:              "[nodes{}] ? " + remote,
		`[host, remote-node]`:        "[nodes{}]",
		`[remote-node, world, host]`: "[addresses(0.0.0.0/0, ::/0), nodes{}]",
		`[kube-apiserver]`:           "[nodes{}] ? only nodes that run an API server\negress[0] allow: [outside?]",
		`[init]`:                     "[anything?]",
		`[unmanaged]`:                "[anything?]",
		`[ingress]`:                  "[outside?]",
		`[health]`:                   "[addresses()]",
		`[none]`:                     "[addresses()]",
		`[world, host]`:              "[addresses(0.0.0.0/0, ::/0)]\negress[0] allow: [nodes{}] ? " + host,
	} {
		cases[`{toEntities: `+entities+`}`] = "egress[0] allow: " + want
	}
	runCilium(t, egressCases(cases))
	runCilium(t, []ciliumCase{
		{name: "no such entity", object: `{spec: {endpointSelector: {}, egress: [{toEntities: [moon]}]}}`, refused: `no entity "moon"`},
		{name: "from an entity", object: `{spec: {endpointSelector: {}, ingress: [{fromEntities: [cluster]}]}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: [*{}, nodes{}, outside?]"},
	})
}

// TestCiliumAddresses: CIDRs never match pods; what stands elsewhere is unknown, and no
// pod.
func TestCiliumAddresses(t *testing.T) {
	runCilium(t, egressCases(map[string]string{
		`{toCIDR: [10.0.0.0/8, 192.0.2.1, "2001:db8::1"]}`: "egress[0] allow: [addresses(10.0.0.0/8), addresses(192.0.2.1/32), addresses(2001:db8::1/128)]",
		`{toCIDR: []}`:                    "egress[0] allow: []",
		`{toCIDR: [], toEntities: [all]}`: "egress[0] allow: []",
		`{toCIDRSet: []}`:                 "egress[0] allow: []",
		`{toCIDRSet: [{cidr: 10.0.0.0/30, except: [10.0.0.0/31]}]}`:          "egress[0] allow: [addresses(10.0.0.2/31)]",
		`{toCIDRSet: [{cidr: 10.0.0.0/30, except: [10.0.0.0/30]}]}`:          "egress[0] allow: [addresses()]",
		`{toCIDRSet: [{cidrGroupRef: office}, {cidrGroupSelector: {}}]}`:     "egress[0] allow: [outside?, outside?]",
		`{toGroups: [{aws: {region: eu}}]}`:                                  "egress[0] allow: [outside?]",
		`{toFQDNs: [{matchName: a.example}, {matchPattern: "*.b.example"}]}`: "egress[0] allow: [outside?, outside?]",
		`{toServices: [{k8sService: {serviceName: a, namespace: b}}]}`:       "egress[0] allow: [anything?]",
		`{toServices: [], toPorts: [{ports: [{port: "80"}]}]}`:               "egress[0] allow: [everyone] at TCP 80; UDP 80; SCTP 80",
		`{toFQDNs: []}`: "egress[0] allow: []",
	}))
	var refused []ciliumCase
	for rule, why := range map[string]string{
		`{toCIDR: [nonsense]}`:                                    "toCIDR[0]",
		`{toCIDR: [10.0.0.0/33]}`:                                 "toCIDR[0]",
		`{toCIDRSet: [{cidr: 10.0.0.1}]}`:                         "toCIDRSet[0].cidr",
		`{toCIDRSet: [{}]}`:                                       "wants one of them",
		`{toCIDRSet: [null]}`:                                     "cidr is missing",
		`{toCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: a}]}`:      "wants one of them",
		`{toCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/9]}]}`: "11.0.0.0/9 is not inside",
		`{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/7]}]}`: "10.0.0.0/7 is not inside",
		`{toCIDRSet: [{cidr: 10.0.0.0/8, except: ["::/0"]}]}`:     "::/0 is not inside",
		`{toCIDRSet: [{cidr: 10.0.0.0/8, except: [x]}]}`:          "except",
		`{toFQDNs: [{}]}`:                                         "needs matchName",
		`{toFQDNs: [{matchName: a, matchPattern: b}]}`:            "has matchName and matchPattern",
		`{toFQDNs: [{matchName: "a b"}]}`:                         "no domain name",
		`{toEntities: [all], toEndpoints: [{}]}`:                  "has toEndpoints and toEntities",
		`{toCIDR: [10.0.0.0/8], toCIDRSet: [{cidr: 10.0.0.0/8}]}`: "has toCIDR and toCIDRSet",
		`{toFQDNs: [{matchName: a}], toServices: [{}]}`:           "has toServices and toFQDNs",
	} {
		refused = append(refused, ciliumCase{name: rule, object: `{spec: {endpointSelector: {}, egress: [` + rule + `]}}`, refused: why})
	}
	runCilium(t, refused)
}

// TestCiliumNodes: rules about nodes work only where the agent is told so.
func TestCiliumNodes(t *testing.T) {
	const (
		sure  = "it never matches the pod's own node, and Cilium's --node-labels chooses which labels count"
		doubt = "\ndoubt spec.egress[0].toNodes[0]: Cilium refuses the whole policy unless it runs with --enable-node-selector-labels"
	)
	runCilium(t, egressCases(map[string]string{
		`{toNodes: []}`: "egress[0] allow: []",
		`{toNodes: [{matchLabels: {role: worker}}]}`:                   "egress[0] allow: [nodes{role=worker}] ? " + sure + doubt,
		`{toNodes: [{matchLabels: {io.kubernetes.pod.namespace: a}}]}`: "egress[0] allow: [anything?] ? " + sure + doubt,
	}))
}
