package rules

import "testing"

// subjectCases are endpointSelectors, and the pods they select.
func subjectCases(wide bool, cases map[string]string) (out []ciliumCase) {
	for selector, want := range cases {
		out = append(out, ciliumCase{
			name: selector, wide: wide, object: `{spec: {endpointSelector: ` + selector + `, ingress: [{}]}}`,
			want: "governs " + want,
		})
	}
	return out
}

// governs is the first line for pods of which nothing is unsure.
func governs(pods string) string { return pods + ", isolates ingress\ningress[0] allow: []" }

// TestCiliumSubjects: whom a namespaced policy governs.
func TestCiliumSubjects(t *testing.T) {
	runCilium(t, subjectCases(false, map[string]string{
		`{}`: governs("shop{}"),
		`{matchLabels: {app: web, "k8s:tier": front, "any:zone": a}}`:                                                        governs("shop{app=web,tier=front,zone=a}"),
		`{matchExpressions: [{key: app, operator: In, values: [a, b]}, {key: "k8s:old", operator: DoesNotExist}]}`:           governs("shop{app in (a,b),!old}"),
		`{matchLabels: {io.cilium.k8s.policy.serviceaccount: robot}}`:                                                        governs("shop{watertight:serviceaccount=robot}"),
		`{matchLabels: {"k8s:io.kubernetes.pod.namespace": other}}`:                                                          governs("shop{}"),           // Cilium replaces it
		`{matchLabels: {io.kubernetes.pod.namespace: other}}`:                                                                governs("*{reserved:none}"), // and this it does not
		`{matchLabels: {io.kubernetes.pod.namespace: shop}}`:                                                                 governs("shop{}"),
		`{matchExpressions: [{key: "k8s:io.kubernetes.pod.namespace", operator: NotIn, values: [shop]}]}`:                    governs("*{reserved:none}"),
		`{matchExpressions: [{key: "k8s:io.kubernetes.pod.namespace", operator: Exists}]}`:                                   governs("shop{}"),
		`{matchLabels: {io.cilium.k8s.namespace.labels.team: a}}`:                                                            governs("[kubernetes.io/metadata.name=shop,team=a]{}"),
		`{matchLabels: {"reserved:host": ""}}`:                                                                               governs("*{reserved:none}"),
		`{matchExpressions: [{key: "reserved:init", operator: DoesNotExist}]}`:                                               governs("shop{}"),
		`{matchLabels: {"node:role": worker}}`:                                                                               governs("*{reserved:none}"),
		`{matchExpressions: [{key: "container:image", operator: NotIn, values: [a]}]}`:                                       governs("shop{}"),
		`{matchExpressions: [{key: io.cilium.k8s.policy.cluster, operator: Exists}]}`:                                        governs("shop{}"),
		`{matchExpressions: [{key: io.cilium.k8s.policy.cluster, operator: DoesNotExist}]}`:                                  governs("*{reserved:none}"),
		`{matchLabels: {io.cilium.k8s.policy.cluster: east}}`:                                                                governs("shop{}") + "\ndoubt spec.endpointSelector: it asks for the name of the cluster, which is not known",
		`{matchLabels: {pod-template-hash: "1"}}`:                                                                            governs("shop{pod-template-hash=1}") + "\ndoubt spec.endpointSelector: " + notIdentity("pod-template-hash"),
		`{matchExpressions: [{key: pod-template-hash, operator: DoesNotExist}]}`:                                             governs("shop{}") + "\ndoubt spec.endpointSelector: " + notIdentity("pod-template-hash"),
		`{matchLabels: {app.kubernetes.io/name: web}}`:                                                                       governs("shop{app.kubernetes.io/name=web}"),
		`{matchLabels: {io.cilium.k8s.mine: a}}`:                                                                             governs("shop{io.cilium.k8s.mine=a}") + "\ndoubt spec.endpointSelector: " + notIdentity("io.cilium.k8s.mine"),
		`{matchExpressions: [{key: io.cilium.k8s.namespace.labels.topology.kubernetes.io/zone, operator: In, values: [a]}]}`: governs("[kubernetes.io/metadata.name=shop,topology.kubernetes.io/zone=a]{}"),
	}))
}

func notIdentity(key string) string {
	return "the label \"" + key + "\" is no part of a pod's identity unless Cilium's --labels says so"
}

// TestCiliumWideSubjects: whom a cluster-wide policy governs.
func TestCiliumWideSubjects(t *testing.T) {
	runCilium(t, subjectCases(true, map[string]string{
		`{}`:                        governs("*{}"),
		`{matchLabels: {app: web}}`: governs("*{app=web}"),
		`{matchLabels: {"k8s:io.kubernetes.pod.namespace": shop, app: web}}`:                               governs("shop{app=web}"),
		`{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: In, values: [a, b]}]}`:           governs("[kubernetes.io/metadata.name in (a,b)]{}"),
		`{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [kube-system]}]}`: governs("[kubernetes.io/metadata.name notin (kube-system)]{}"),
		`{matchLabels: {io.kubernetes.pod.namespace: a, "k8s:io.kubernetes.pod.namespace": b}}`:            governs("*{reserved:none}"),
		`{matchLabels: {io.cilium.k8s.namespace.labels.team: a}}`:                                          governs("[team=a]{}"),
		`{matchLabels: {io.cilium.k8s.namespace.labels.team: a, io.kubernetes.pod.namespace: shop}}`:       governs("[kubernetes.io/metadata.name=shop,team=a]{}"),
		`{matchExpressions: [{key: "k8s:io.cilium.k8s.namespace.labels.team", operator: DoesNotExist}]}`:   governs("[!team]{}"),
		`{matchLabels: {io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name: shop}}`:                governs("shop{}"),
		`{matchLabels: {"reserved:health": ""}}`:                                                           governs("*{reserved:none}"),
	}))
}

// TestCiliumEndpoints: whom fromEndpoints and toEndpoints mean.
func TestCiliumEndpoints(t *testing.T) {
	peers := func(wide bool, cases map[string]string) (out []ciliumCase) {
		subject := map[bool]string{false: "shop{}", true: "*{}"}[wide]
		for list, want := range cases {
			out = append(out, ciliumCase{
				name: list, wide: wide, object: `{spec: {endpointSelector: {}, egress: [{toEndpoints: ` + list + `}]}}`,
				want: "governs " + subject + ", isolates egress\negress[0] allow: " + want,
			})
		}
		return out
	}
	runCilium(t, peers(false, map[string]string{
		`[]`:   "[]",
		`[{}]`: "[shop{}]",
		`[{matchLabels: {app: web}}, {matchLabels: {app: db}}]`:                                                        "[shop{app=web}, shop{app=db}]",
		`[{matchLabels: {io.kubernetes.pod.namespace: other, app: web}}]`:                                              "[other{app=web}]",
		`[{matchLabels: {"k8s:io.kubernetes.pod.namespace": other}}]`:                                                  "[other{}]",
		`[{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}]`:                                 "[*{}]",
		`[{matchLabels: {io.cilium.k8s.namespace.labels.team: a}}]`:                                                    "[[team=a]{}]",
		`[{matchExpressions: [{key: io.cilium.k8s.namespace.labels.k.beta.kubernetes.io/a, operator: DoesNotExist}]}]`: "[*{}] ? " + notIdentity("io.cilium.k8s.namespace.labels.k.beta.kubernetes.io/a"),
		`[{matchLabels: {io.cilium.k8s.policy.serviceaccount: robot}}]`:                                                "[shop{watertight:serviceaccount=robot}]",
		`[{matchLabels: {pod-template-hash: "1"}}, {}]`:                                                                "[shop{pod-template-hash=1}] ? " + notIdentity("pod-template-hash") + "\negress[0] allow: [shop{}]",
		`[{matchLabels: {io.cilium.k8s.policy.cluster: east}}]`:                                                        "[shop{}] ? it asks for the name of the cluster, which is not known\negress[0] allow: [outside?]",
		`[{matchLabels: {"reserved:kube-apiserver": ""}}]`:                                                             "[nodes{}] ? only nodes that run an API server\negress[0] allow: [outside?]",
		`[{matchExpressions: [{key: "reserved:health", operator: Exists}]}]`:                                           "[addresses()]",
		`[{matchLabels: {"reserved:world": ""}}]`:                                                                      "[outside?]",
		`[{matchLabels: {"reserved:all": ""}}]`:                                                                        "[anything?]",
		`[{matchLabels: {"reserved:host": "", app: web}}]`:                                                             "[anything?]",
		`[{matchExpressions: [{key: "reserved:host", operator: DoesNotExist}]}]`:                                       "[anything?]", // all the world but the host
		`[{matchLabels: {"cidr:10.0.0.0/8": ""}}]`:                                                                     "[*{reserved:none}]",
	}))
	runCilium(t, peers(true, map[string]string{
		`[{}]`:                        "[*{}]",
		`[{matchLabels: {app: web}}]`: "[*{app=web}]",
		`[{matchLabels: {"k8s:io.kubernetes.pod.namespace": shop}}]`: "[shop{}]",
		`[{matchLabels: {"reserved:ingress": ""}}]`:                  "[outside?]",
	}))
}

// TestCiliumRefusesSelectors: what Cilium takes for no selector.
func TestCiliumRefusesSelectors(t *testing.T) {
	var cases []ciliumCase
	for selector, refused := range map[string]string{
		`{matchLabels: {"$host": ""}}`:                                    "is no label", // a short form of old
		`{matchLabels: {"a b": c}}`:                                       "is no label",
		`{matchLabels: {"a:b:c": d}}`:                                     "is no label",
		`{matchLabels: {app: "a b"}}`:                                     `value "a b"`,
		`{matchLabels: {app: null}}`:                                      "is null",
		`{matchLabels: [a]}`:                                              "spec.endpointSelector.matchLabels: a array",
		`{matchExpressions: [null]}`:                                      "matchExpressions[0] is null",
		`{matchExpressions: [{key: a, operator: Gt, values: ["1"]}]}`:     `operator "Gt"`,
		`{matchExpressions: [{key: a, operator: In}]}`:                    "needs values",
		`{matchExpressions: [{key: a, operator: Exists, values: ["1"]}]}`: "takes no values",
	} {
		cases = append(cases, ciliumCase{name: selector, object: `{spec: {endpointSelector: ` + selector + `, ingress: [{}]}}`, refused: refused})
	}
	cases = append(cases,
		ciliumCase{name: "null for a peer is not everybody", object: `{spec: {endpointSelector: {}, ingress: [{fromEndpoints: [null]}]}}`, refused: "fromEndpoints[0] is null"},
		ciliumCase{name: "null for a node", object: `{spec: {endpointSelector: {}, ingress: [{fromNodes: [null]}]}}`, refused: "fromNodes[0] is null"},
	)
	runCilium(t, cases)
}

// TestCiliumIdentityLabels: the default of Cilium's --labels.
func TestCiliumIdentityLabels(t *testing.T) {
	for key, want := range map[string]bool{
		"app": true, "app.kubernetes.io/name": true, "example.com/a": true, "eks.amazonaws.com/component": true,
		"io.kubernetes.pod.namespace": true, "io.cilium.k8s.policy.serviceaccount": true,
		"io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": true,
		"kubernetes.io/metadata.name":                                false, "k8s.io/a": false, "pod-template-hash": false,
		"controller-revision-hash": false, "statefulset.kubernetes.io/pod-name": false, "apps.kubernetes.io/pod-index": false,
		"topology.kubernetes.io/zone": false, "io.kubernetes.pod.name": false, "annotation.x": false,
		"beta.kubernetes.io/os": false, "node.beta.kubernetes.io/os": false, "batch.kubernetes.io/controller-uid": false,
		"batch.kubernetes.io/job-name": true, "io.cilium.k8s.anything": false,
	} {
		if got := ciliumIdentityLabel(key); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}
