package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/analyze/services/gateway"
)

// read takes a list of objects out of YAML.
func read(t *testing.T, text string) *gateway.Set {
	t.Helper()
	var others []*unstructured.Unstructured
	for doc := range strings.SplitSeq(text, "---\n") {
		o := map[string]any{}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		others = append(others, &unstructured.Unstructured{Object: o})
	}
	return gateway.Read(others)
}

// namespaces: "seen" is declared with a label, "dark" is not declared.
func namespaces(name string) (map[string]string, bool) {
	labels := map[string]string{"kubernetes.io/metadata.name": name}
	if name == "seen" {
		labels["edge"] = "yes"
	}
	return labels, name != "dark"
}

const edge = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec:
  listeners:
  - {name: l, port: 443, protocol: %s, hostname: "%s", allowedRoutes: %s}
---
apiVersion: gateway.networking.k8s.io/v1
kind: %s
metadata: {name: r, namespace: %s}
spec: {hostnames: [%s], parentRefs: [{name: edge, namespace: infra}]}
`

// TestAttach: which route hangs on which listener, and under which names.
func TestAttach(t *testing.T) {
	all := `{namespaces: {from: All}}`
	selector := func(s string) string { return `{namespaces: {from: Selector, selector: ` + s + `}}` }
	for name, c := range map[string]struct {
		protocol, hostname, allowed, kind, namespace, hostnames string
		want                                                    string
	}{
		"by default its own namespace":      {"HTTPS", "", "null", "HTTPRoute", "infra", "a.example", "yes a.example(0)"},
		"and no other":                      {"HTTPS", "", "null", "HTTPRoute", "seen", "a.example", "no"},
		"all":                               {"HTTPS", "", all, "HTTPRoute", "seen", "", "yes"},
		"the listener's name":               {"HTTPS", "*.a.example", all, "HTTPRoute", "seen", "", "yes *.a.example(-1)"},
		"the narrower of both, each":        {"HTTPS", "*.a.example", all, "HTTPRoute", "seen", `b.example, "*.example", x.a.example`, "yes *.a.example(1) x.a.example(2)"},
		"nothing in common":                 {"HTTPS", "*.a.example", all, "HTTPRoute", "seen", "a.example", "no"},
		"by label":                          {"HTTPS", "", selector("{matchLabels: {edge: 'yes'}}"), "HTTPRoute", "seen", "a.example", "yes a.example(0)"},
		"another label":                     {"HTTPS", "", selector("{matchLabels: {edge: 'no'}}"), "HTTPRoute", "seen", "a.example", "no"},
		"a label that is not known":         {"HTTPS", "", selector("{matchLabels: {edge: 'yes'}}"), "HTTPRoute", "dark", "a.example", "unseen"},
		"a name that is":                    {"HTTPS", "", selector("{matchLabels: {kubernetes.io/metadata.name: dark}}"), "HTTPRoute", "dark", "a.example", "yes a.example(0)"},
		"a name that is another":            {"HTTPS", "", selector("{matchLabels: {kubernetes.io/metadata.name: seen, edge: 'yes'}}"), "HTTPRoute", "dark", "a.example", "no"},
		"no label, where labels are dark":   {"HTTPS", "", selector("{matchExpressions: [{key: edge, operator: DoesNotExist}]}"), "HTTPRoute", "dark", "a.example", "unseen"},
		"an empty selector is every one":    {"HTTPS", "", selector("{}"), "HTTPRoute", "dark", "a.example", "yes a.example(0)"},
		"a missing one is none":             {"HTTPS", "", selector("null"), "HTTPRoute", "seen", "a.example", "no"},
		"a broken one is none":              {"HTTPS", "", selector("{matchExpressions: [{key: x, operator: Near}]}"), "HTTPRoute", "seen", "a.example", "no"},
		"an unknown word":                   {"HTTPS", "", `{namespaces: {from: Friends}}`, "HTTPRoute", "seen", "a.example", "unseen"},
		"a protocol of other routes":        {"UDP", "", all, "HTTPRoute", "seen", "a.example", "no"},
		"a protocol that is not known":      {"example.com/quic", "", all, "HTTPRoute", "seen", "a.example", "yes a.example(0)"},
		"a kind that is not among those":    {"HTTPS", "", `{namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}`, "HTTPRoute", "seen", "a.example", "no"},
		"a route without names":             {"TCP", "", all, "TCPRoute", "seen", "", "yes"},
		"an empty name is judged elsewhere": {"HTTPS", "", all, "HTTPRoute", "seen", `""`, "no"},
	} {
		set := read(t, fmt.Sprintf(edge, c.protocol, c.hostname, c.allowed, c.kind, c.namespace, c.hostnames))
		route := set.Routes[0]
		hung, answer := set.Attach(route, route.Parents[0], namespaces)
		got := map[gateway.Answer]string{gateway.No: "no", gateway.Yes: "yes", gateway.Unseen: "unseen"}[answer]
		for _, h := range hung {
			for _, host := range h.Hosts {
				got += fmt.Sprintf(" %s(%d)", host.Name, host.Index)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestAllows: a grant counts for the kind, namespace and name that it says.
func TestAllows(t *testing.T) {
	set := read(t, `apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: home}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: guest}]
  to: [{group: "", kind: Service, name: web}, {group: "", kind: ConfigMap}]
`)
	ref := func(kind, namespace, name string) gateway.Ref {
		return gateway.Ref{Kind: kind, Namespace: namespace, Name: name}
	}
	for _, c := range []struct {
		kind, from string
		to         gateway.Ref
		want       bool
	}{
		{"HTTPRoute", "guest", ref("Service", "home", "web"), true},
		{"HTTPRoute", "guest", ref("ConfigMap", "home", "any"), true},
		{"HTTPRoute", "guest", ref("Service", "home", "db"), false},
		{"HTTPRoute", "guest", ref("Service", "other", "web"), false},
		{"HTTPRoute", "other", ref("Service", "home", "web"), false},
		{"TLSRoute", "guest", ref("Service", "home", "web"), false},
		{"HTTPRoute", "guest", ref("Secret", "home", "web"), false},
	} {
		if grant, _ := set.Allows(gateway.Group, c.kind, c.from, c.to); (grant != nil) != c.want {
			t.Errorf("%+v: %v", c, grant != nil)
		}
	}
}
