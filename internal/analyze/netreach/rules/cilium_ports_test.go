package rules

import (
	"strings"
	"testing"
)

// TestCiliumPorts: which ports a rule is about.
func TestCiliumPorts(t *testing.T) {
	cases := map[string]string{}
	for ports, want := range map[string]string{
		`[{port: "80", protocol: TCP}]`:                             " at TCP 80",
		`[{port: "80", protocol: tcp}]`:                             " at TCP 80",
		`[{port: "80"}]`:                                            " at TCP 80; UDP 80; SCTP 80",
		`[{port: "53", protocol: ANY}]`:                             " at TCP 53; UDP 53; SCTP 53",
		`[{port: "80", endPort: 90, protocol: SCTP}]`:               " at SCTP 80-90",
		`[{port: "80", endPort: 70, protocol: TCP}]`:                " at TCP 80", // Cilium ignores it
		`[{port: "0", protocol: UDP}]`:                              " at UDP every port",
		`[{port: "0", endPort: 90, protocol: UDP}]`:                 " at UDP every port",
		`[{port: "010", protocol: TCP}]`:                            " at TCP 8", // read as in C
		`[{port: HTTP, protocol: TCP}]`:                             " at TCP http",
		`[{port: http}]`:                                            " at TCP http; UDP http; SCTP http",
		`[{port: 8a, protocol: TCP}]`:                               " at TCP 8a",
		`[{port: http, endPort: 90, protocol: TCP}]`:                " at TCP every port ? endPort beside a named port",
		`[{port: "80", protocol: TCP}, {port: dns, protocol: UDP}]`: " at TCP 80; UDP dns",
		`[{port: "0", protocol: GRE}, {port: "80", protocol: TCP}]`: " at TCP 80",
	} {
		cases[`{toEndpoints: [{}], toPorts: [{ports: `+ports+`}]}`] = "egress[0] allow: [shop{}]" + want
	}
	// without peers, ports are everybody's; without either, nobody's
	cases[`{toPorts: [{ports: [{port: "80", protocol: TCP}]}]}`] = "egress[0] allow: [everyone] at TCP 80"
	cases[`{toEndpoints: [], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}`] = "egress[0] allow: []"
	cases[`{toEndpoints: [{}], toPorts: []}`] = "egress[0] allow: [shop{}]"
	cases[`{toPorts: []}`] = "egress[0] allow: []"
	cases[`{toEndpoints: [{}], toPorts: [{}]}`] = "egress[0] allow: []"
	cases[`{toEndpoints: [{}], toPorts: [{ports: []}]}`] = "egress[0] allow: []"
	cases[`{toPorts: [{ports: []}, {ports: [{port: "1", protocol: TCP}]}]}`] = "egress[0] allow: [everyone] at TCP 1"
	// protocols without ports are left out
	cases[`{toEndpoints: [{}], icmps: [{fields: [{type: 8}]}]}`] = ""
	cases[`{icmps: []}`] = "egress[0] allow: []"
	cases[`{toEndpoints: [{}], icmps: [], toPorts: [{ports: [{port: "0", protocol: ESP}]}]}`] = ""
	cases[`{toPorts: [{ports: [{protocol: TCP}]}]}`] = "egress[0] allow: [everyone] at TCP every port\n" +
		"doubt spec.egress[0].toPorts[0].ports[0].port: Cilium refuses a policy that leaves it out, unless it runs with --enable-extended-ip-protocols"
	runCilium(t, egressCases(cases))
}

// TestCiliumConditions: what is allowed for some requests only is not surely allowed; a
// port beside it is.
func TestCiliumConditions(t *testing.T) {
	cases := map[string]string{
		`{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}, {ports: [{port: "81", protocol: TCP}]}]}`: `egress[0] allow: [everyone] at TCP 80 ? only HTTP requests that rules.http allows
egress[0] allow: [everyone] at TCP 81`,
		`{toEntities: [all], authentication: {mode: required}}`: `egress[0] allow: [everyone] ? only peers that authenticate (authentication.mode "required")`,
		`{toEntities: [all], authentication: {mode: disabled}}`: "egress[0] allow: [everyone]",
		`{toEntities: [host], authentication: {mode: required}, toPorts: [{ports: [{port: "1", protocol: TCP}], serverNames: [a]}]}`: "egress[0] allow: [nodes{}] at TCP 1 ? only the node that the pod itself runs on; " +
			`only TLS with one of the serverNames; only peers that authenticate (authentication.mode "required")`,
	}
	for condition, want := range map[string]string{
		`rules: {http: [{}]}`:                         "only HTTP requests that rules.http allows",
		`rules: {dns: [{matchPattern: "*"}]}`:         "only DNS queries that rules.dns allows",
		`rules: {kafka: [{topic: a}]}`:                "only what rules.kafka allows",
		`rules: {l7proto: r2d2}`:                      "only what rules.l7proto allows",
		`rules: {http: []}`:                           "",
		`rules: {}`:                                   "",
		`serverNames: [a.example]`:                    "only TLS with one of the serverNames",
		`terminatingTLS: {secret: {name: a}}`:         "only through TLS that Cilium ends",
		`originatingTLS: {secret: {name: a}}`:         "only through TLS that Cilium ends",
		`listener: {name: a, envoyConfig: {name: b}}`: "only what the Envoy listener lets through",
	} {
		if want != "" {
			want = " ? " + want
		}
		cases[`{toPorts: [{ports: [{port: "80", protocol: TCP}], `+condition+`}]}`] = "egress[0] allow: [everyone] at TCP 80" + want
	}
	runCilium(t, egressCases(cases))
}

// TestCiliumRefusesPorts: what Cilium takes for no port.
func TestCiliumRefusesPorts(t *testing.T) {
	var cases []ciliumCase
	for rule, refused := range map[string]string{
		`{toPorts: [null]}`:                                                                             "toPorts[0] is null",
		`{toPorts: [{ports: [null]}]}`:                                                                  "toPorts[0] is null",
		`{toPorts: [{ports: [{port: 80}]}]}`:                                                            "toPorts.ports.port: a number is not",
		`{toPorts: [{ports: [{port: "80.5"}]}]}`:                                                        "no number",
		`{toPorts: [{ports: [{port: "70000"}]}]}`:                                                       "no number",
		`{toPorts: [{ports: [{port: "080"}]}]}`:                                                         "no number",
		`{toPorts: [{ports: [{port: a-name-too-long1}]}]}`:                                              "no number",
		`{toPorts: [{ports: [{port: "80", endPort: 70000}]}]}`:                                          "endPort 70000",
		`{toPorts: [{ports: [{port: "80", endPort: -1}]}]}`:                                             "endPort -1",
		`{toPorts: [{ports: [{port: "80", protocol: ICMP}]}]}`:                                          `protocol "ICMP"`,
		`{toPorts: [{ports: [{port: "80", protocol: GRE}]}]}`:                                           "GRE has no ports",
		`{toPorts: [{ports: [{port: "80"}]}], icmps: [{}]}`:                                             "has toPorts and icmps",
		`{toPorts: [{ports: [` + strings.Repeat(`{port: "1"},`, 41) + `]}]}`:                            "more than 40",
		`{toPorts: [{ports: [{port: "80"}], rules: {http: [{}]}}]}`:                                     "needs protocol TCP",
		`{toPorts: [{ports: [{port: "0", protocol: TCP}], rules: {http: [{}]}}]}`:                       "port other than 0",
		`{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{path: "("}]}}]}`:             "rules.http[0].path",
		`{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}], dns: [{}]}}]}`:           "rules has dns and http",
		`{toPorts: [{rules: {dns: [{}]}}]}`:                                                             "needs ports",
		`{toPorts: [{ports: [{port: "80", protocol: TCP}], serverNames: [""]}]}`:                        "empty one of serverNames",
		`{toPorts: [{ports: [{port: "80", protocol: TCP}], serverNames: [a], rules: {http: [{}]}}]}`:    "need terminatingTLS",
		`{toPorts: [{ports: [{port: "80", protocol: TCP}], listener: {name: a}, rules: {http: [{}]}}]}`: "listener and rules",
	} {
		cases = append(cases, ciliumCase{name: rule, object: `{spec: {endpointSelector: {}, egress: [` + rule + `]}}`, refused: refused})
	}
	for _, condition := range []string{`rules: {dns: [{}]}`, `listener: {name: a}`} {
		cases = append(cases, ciliumCase{
			name:    "ingress with " + condition,
			object:  `{spec: {endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], ` + condition + `}]}]}}`,
			refused: "belong into egress",
		})
	}
	runCilium(t, cases)
}
