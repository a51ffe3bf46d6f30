package rules

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// ciliumCase is a policy and what is read of it: a line for whom it governs, a line for
// each rule, a line for each doubt; or a part of the error.
type ciliumCase struct {
	name string
	// wide makes it a CiliumClusterwideNetworkPolicy; else it is one of namespace shop.
	wide bool
	// object is the policy from its spec on.
	object string
	want   string
	// refused is a part of the error, where nothing is to be read.
	refused string
}

func runCilium(t *testing.T, cases []ciliumCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			policies, err := NewReader().Cilium(ciliumObject(t, c.wide, c.object))
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Fatalf("got %v, want an error that says %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, p := range policies {
				got.WriteString(ciliumTold(p))
			}
			if diff := cmp.Diff(strings.TrimSpace(c.want), strings.TrimSpace(got.String())); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// ciliumObject reads YAML; tabs are there for the eye.
func ciliumObject(t *testing.T, wide bool, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(strings.ReplaceAll(text, "\t", "  ")))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{}}
	if err := json.Unmarshal(data, &u.Object); err != nil {
		t.Fatal(err)
	}
	if u.GetAPIVersion() == "" {
		u.SetAPIVersion("cilium.io/v2")
	}
	u.SetKind(kindCiliumClusterwide)
	u.SetName("under-test")
	if !wide {
		u.SetKind(kindCilium)
		u.SetNamespace("shop")
	}
	return u
}

// ciliumTold tells a policy in short. A question mark is something unknown, or unsure.
func ciliumTold(p *Policy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "governs %s", podsTold(&p.Subject))
	for _, d := range []Direction{Ingress, Egress} {
		if p.Isolates[d] {
			fmt.Fprintf(&b, ", isolates %s", d)
		}
	}
	b.WriteString("\n")
	for d := range p.Rules {
		for _, r := range p.Rules[d] {
			var peers []string
			for i := range r.Peers {
				peers = append(peers, peerTold(&r.Peers[i]))
			}
			var ports []string
			for _, port := range r.Ports {
				if port.Name != "" {
					ports = append(ports, fmt.Sprintf("%s %s", port.Protocol, port.Name))
				} else {
					ports = append(ports, port.Ports.String())
				}
			}
			fmt.Fprintf(&b, "%s %s: [%s]", strings.TrimPrefix(r.Field, "spec."), r.Action, strings.Join(peers, ", "))
			if len(ports) > 0 {
				fmt.Fprintf(&b, " at %s", strings.Join(ports, "; "))
			}
			if r.Unsure != "" {
				fmt.Fprintf(&b, " ? %s", r.Unsure)
			}
			b.WriteString("\n")
		}
	}
	for _, d := range p.Doubts {
		fmt.Fprintf(&b, "doubt %s: %s\n", d.Field, d.Why)
	}
	return b.String()
}

func peerTold(p *Peer) string {
	switch {
	case p.Everyone:
		return "everyone"
	case p.Pods != nil:
		return podsTold(p.Pods)
	case p.Nodes != nil:
		return fmt.Sprintf("nodes{%s}", p.Nodes)
	case p.Unknown != "" && p.Outside:
		return "outside?"
	case p.Unknown != "":
		return "anything?"
	case p.MatchesPods != Never:
		return "addresses that may match pods"
	}
	return "addresses(" + p.Addresses.String() + ")"
}

func podsTold(p *Pods) string {
	namespaces := p.Namespace
	switch {
	case namespaces == "" && p.Namespaces == nil:
		namespaces = "*"
	case namespaces == "":
		namespaces = "[" + p.Namespaces.String() + "]"
	}
	return fmt.Sprintf("%s{%s}", namespaces, p.Labels)
}

// TestCiliumIsolation: which direction a policy closes.
func TestCiliumIsolation(t *testing.T) {
	runCilium(t, []ciliumCase{
		{name: "an empty rule allows nobody, and isolates", object: `{spec: {endpointSelector: {}, ingress: [{}]}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: []"},
		{name: "an empty list is no rule: Cilium refuses the policy, and it does nothing", object: `{spec: {endpointSelector: {}, ingress: []}}`,
			want: "governs shop{}"},
		{name: "so it is with all four empty, and a wish to deny", object: `{spec: {endpointSelector: {}, ingress: [], egress: [], ingressDeny: [], egressDeny: [], enableDefaultDeny: {ingress: true}}}`,
			want: "governs shop{}"},
		{name: "an empty list beside rules says nothing", object: `{spec: {endpointSelector: {}, ingress: [], egress: [{toEntities: [all]}]}}`,
			want: "governs shop{}, isolates egress\negress[0] allow: [everyone]"},
		{name: "a denial isolates, too", object: `{spec: {endpointSelector: {}, egressDeny: [{toEntities: [world]}]}}`,
			want: "governs shop{}, isolates egress\negressDeny[0] deny: [addresses(0.0.0.0/0, ::/0)]"},
		{name: "an empty denial denies nobody, and isolates", object: `{spec: {endpointSelector: {}, ingressDeny: [{}]}}`,
			want: "governs shop{}, isolates ingress\ningressDeny[0] deny: []"},
		{name: "both directions", object: `{spec: {endpointSelector: {}, ingress: [{}], egress: [{}]}}`,
			want: "governs shop{}, isolates ingress, isolates egress\ningress[0] allow: []\negress[0] allow: []"},
		{name: "enableDefaultDeny takes it away", object: `{spec: {endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingressDeny: [{fromEntities: [all]}], egress: [{}]}}`,
			want: "governs shop{}, isolates egress\ningressDeny[0] deny: [everyone]\negress[0] allow: []"},
		{name: "enableDefaultDeny closes no direction without rules", object: `{spec: {endpointSelector: {}, enableDefaultDeny: {ingress: true, egress: true}, ingress: [{}]}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: []"},
		{name: "specs are policies of their own", object: `{specs: [{endpointSelector: {matchLabels: {app: web}}, ingress: [{}]}, {endpointSelector: {}, egress: [{}]}]}`,
			want: "governs shop{app=web}, isolates ingress\nspecs[0].ingress[0] allow: []\ngoverns shop{}, isolates egress\nspecs[1].egress[0] allow: []"},
		{name: "spec and specs", object: `{spec: {endpointSelector: {}, ingress: [{}]}, specs: [{endpointSelector: {}, egress: [{}]}]}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: []\ngoverns shop{}, isolates egress\nspecs[0].egress[0] allow: []"},
		{name: "what says nothing about traffic", object: `{spec: {endpointSelector: {}, ingress: [{}], description: a text, labels: [{key: a}], log: {value: x}}, status: {conditions: [{type: Valid, status: "True"}]}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: []"},
	})
}

// TestCiliumRefuses: Cilium does not take these, so they deny nothing; nor do we count on
// them.
func TestCiliumRefuses(t *testing.T) {
	runCilium(t, []ciliumCase{
		{name: "another version", object: `{apiVersion: cilium.io/v3, spec: {}}`, refused: "use cilium.io/v2"},
		{name: "no spec", object: `{}`, refused: "without spec"},
		{name: "null", object: `{spec: null, specs: null}`, refused: "without spec"},
		{name: "spec is a list", object: `{spec: []}`, refused: "spec is not an object"},
		{name: "specs is an object", object: `{specs: {}}`, refused: "specs is not a list"},
		{name: "specs of texts", object: `{specs: [a]}`, refused: "specs[0] is not an object"},
		{name: "no selector", object: `{spec: {ingress: [{}]}}`, refused: "needs endpointSelector"},
		{name: "two selectors", wide: true, object: `{spec: {endpointSelector: {}, nodeSelector: {}, ingress: [{}]}}`, refused: "both"},
		{name: "nodes of a namespace", object: `{spec: {nodeSelector: {}, ingress: [{}]}}`, refused: "belongs into a"},
		{name: "one of specs without rules", object: `{specs: [{endpointSelector: {}, ingress: [{}]}, {endpointSelector: {}}]}`, refused: "specs[1] has no rules"},
		{name: "null for a rule", object: `{spec: {endpointSelector: {}, ingress: [null]}}`, refused: "spec.ingress[0] is not an object"},
		{name: "rules are no list", object: `{spec: {endpointSelector: {}, ingress: {}}}`, refused: "spec.ingress: a object is not"},
		{name: "peers are no list", object: `{spec: {endpointSelector: {}, egress: [{toEntities: all}]}}`, refused: "spec.egress[0].toEntities: a string is not"},
		{name: "Cilium says so", object: `{spec: {endpointSelector: {}, ingress: [{}]}, status: {conditions: [{type: Valid, status: "False", message: "bad"}]}}`, refused: "Valid=False (bad)"},
	})
}

// TestCiliumDoubts: what is not understood is named.
func TestCiliumDoubts(t *testing.T) {
	const unknown = "the field is not known to this version of Watertight"
	runCilium(t, []ciliumCase{
		{name: "unknown field of the object", object: `{spec: {endpointSelector: {}, ingress: [{}]}, tier: 3}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: []\ndoubt tier: " + unknown},
		{name: "unknown field of spec", object: `{spec: {endpointSelector: {}, ingress: [{}], order: 3}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: []\ndoubt spec.order: " + unknown},
		{name: "unknown field beside default deny", object: `{spec: {endpointSelector: {}, ingress: [{}], enableDefaultDeny: {both: true}}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: []\ndoubt spec.enableDefaultDeny.both: " + unknown},
		{name: "unknown field of a rule: it may match anything, at any port", object: `{spec: {endpointSelector: {}, egress: [{toEntities: [world], toPorts: [{ports: [{port: "80"}]}], toMoon: true}]}}`,
			want: "governs shop{}, isolates egress\negress[0] allow: [anything?] ? fields that are not known to this version of Watertight: spec.egress[0].toMoon"},
		{name: "unknown field of a port", object: `{spec: {endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "80", hop: 1}]}]}]}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: [anything?] ? fields that are not known to this version of Watertight: spec.ingress[0].toPorts[0].ports[0].hop"},
		{name: "a field of the other direction", object: `{spec: {endpointSelector: {}, ingress: [{toEntities: [all]}]}}`,
			want: "governs shop{}, isolates ingress\ningress[0] allow: [anything?] ? fields that are not known to this version of Watertight: spec.ingress[0].toEntities"},
		{name: "fields that denials do not have", object: `{spec: {endpointSelector: {}, egressDeny: [{toFQDNs: [{matchName: a.example}]}, {authentication: {mode: required}}, {toPorts: [{ports: [{port: "80"}], rules: {http: [{}]}}]}]}}`,
			want: `governs shop{}, isolates egress
egressDeny[0] deny: [anything?] ? fields that are not known to this version of Watertight: spec.egressDeny[0].toFQDNs
egressDeny[1] deny: [anything?] ? fields that are not known to this version of Watertight: spec.egressDeny[1].authentication
egressDeny[2] deny: [anything?] ? fields that are not known to this version of Watertight: spec.egressDeny[2].toPorts[0]`},
		{name: "host policies govern no pod", wide: true, object: `{spec: {nodeSelector: {matchLabels: {role: worker}}, ingress: [{fromEntities: [cluster]}]}}`,
			want: `governs *{reserved:none}, isolates ingress
ingress[0] allow: [*{}, nodes{}, outside?]
doubt spec.nodeSelector: what a host policy does to the nodes' own traffic is not judged`},
		{name: "requirements of old", object: `{specs: [{endpointSelector: {}, ingress: [{fromRequires: [{}], fromEntities: [all]}]}, {endpointSelector: {}, egress: [{toRequires: []}]}]}`,
			want: `governs shop{}, isolates ingress
specs[0].ingress[0] allow: [everyone]
doubt specs[0].ingress[0].fromRequires: Cilium 1.20 has no such rules any more, and older versions restrict other rules by them
governs shop{}, isolates egress
specs[1].egress[0] allow: []
doubt specs[0].ingress[0].fromRequires: Cilium 1.20 has no such rules any more, and older versions restrict other rules by them`},
	})
}

// TestCiliumNamespace: a namespaced policy that is in none is not read as one of all.
func TestCiliumNamespace(t *testing.T) {
	u := ciliumObject(t, true, `{spec: {endpointSelector: {}, ingress: [{}]}}`)
	u.SetKind(kindCilium)
	if _, err := NewReader().Cilium(u); err == nil {
		t.Error("read a CiliumNetworkPolicy without a namespace")
	}
	u.SetKind("CiliumLocalRedirectPolicy")
	if _, err := NewReader().Cilium(u); err == nil {
		t.Error("read a kind that is no policy")
	}
}

// FuzzCilium: nothing that JSON can say makes the reader panic, and what it reads is well
// formed: each peer is one thing, each rule has its place.
func FuzzCilium(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"spec":{"endpointSelector":{},"ingress":[{}]}}`,
		`{"spec":{"endpointSelector":{"matchLabels":{"k8s:app":"a"},"matchExpressions":[{"key":"io.kubernetes.pod.namespace","operator":"NotIn","values":["a"]}]},"egress":[{"toCIDRSet":[{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}],"toPorts":[{"ports":[{"port":"http","protocol":"ANY"},{"port":"80","endPort":90}],"rules":{"http":[{"path":"/"}]}}]}]}}`,
		`{"specs":[{"nodeSelector":{},"ingressDeny":[{"fromEntities":["host","remote-node"]},{"fromNodes":[{}]}],"egress":[{"toFQDNs":[{"matchName":"a.b"}]},{"toServices":[{}]},{"icmps":[{"fields":[]}]}]}],"status":{"conditions":[{"type":"Valid"}]}}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, wide bool) {
		u := &unstructured.Unstructured{}
		if json.Unmarshal(data, &u.Object) != nil || u.Object == nil {
			return
		}
		u.Object["apiVersion"], u.Object["kind"] = "cilium.io/v2", kindCiliumClusterwide
		if u.Object["metadata"] = map[string]any{"name": "a"}; !wide {
			u.Object["kind"], u.Object["metadata"] = kindCilium, map[string]any{"name": "a", "namespace": "shop"}
		}
		policies, err := NewReader().Cilium(u)
		if err != nil {
			return
		}
		for _, p := range policies {
			checkWellFormed(t, p)
		}
	})
}

func checkWellFormed(t *testing.T, p *Policy) {
	t.Helper()
	for d := range p.Rules {
		for _, r := range p.Rules[d] {
			if r.Field == "" {
				t.Error("a rule without a place")
			}
			for _, peer := range r.Peers {
				is := 0
				for _, set := range []bool{peer.Everyone, peer.Pods != nil, peer.Addresses != nil, peer.Nodes != nil, peer.Unknown != ""} {
					if set {
						is++
					}
				}
				if is != 1 || peer.Field == "" {
					t.Errorf("a peer that is %d things: %+v", is, peer)
				}
			}
		}
	}
}
