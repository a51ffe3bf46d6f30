package load

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The fleet of the benchmarks: tenants × 3 namespaces × 3 pods and 11 policies a tenant.
const fleetSpaces, fleetPods, fleetPolicies = 3, 3, 11

// fleetTenant writes the manifests of one tenant, a JSON document each.
func fleetTenant(tenant int) []string {
	var out []string
	for n := range fleetSpaces {
		ns := fmt.Sprintf("t%04d-%d", tenant, n)
		out = append(out, fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{"team":"t%04d"}}}`, ns, tenant))
		for p := range fleetPods {
			out = append(out, fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-%d","namespace":%q,"labels":{"app":"web","tier":"t%d"}},`+
				`"spec":{"containers":[{"name":"web","image":"registry.example/web:1","ports":[{"name":"http","containerPort":8080}],`+
				`"resources":{"requests":{"cpu":"100m","memory":"64Mi"},"limits":{"cpu":"200m","memory":"128Mi"}}}],"serviceAccountName":"web"},`+
				`"status":{"podIP":"10.%d.%d.%d","phase":"Running"}}`, p, ns, p, tenant/250, tenant%250, n*fleetPods+p+1))
		}
	}
	for p := range fleetPolicies {
		ns := fmt.Sprintf("t%04d-%d", tenant, p%fleetSpaces)
		out = append(out, fmt.Sprintf(`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"allow-%d","namespace":%q},`+
			`"spec":{"podSelector":{"matchLabels":{"tier":"t%d"}},"policyTypes":["Ingress","Egress"],`+
			`"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"t%04d"}},"podSelector":{}}],"ports":[{"protocol":"TCP","port":8080}]}],`+
			`"egress":[{"to":[{"ipBlock":{"cidr":"203.0.113.0/24","except":["203.0.113.7/32"]}}],"ports":[{"protocol":"TCP","port":443}]}]}}`, p, ns, p%fleetPods, tenant))
	}
	return out
}

// fleet writes a folder of the tenants and says how many bytes it has.
func fleet(b *testing.B, dir, form string, tenants int) int64 {
	b.Helper()
	var size int64
	put := func(name, text string) {
		size += int64(len(text))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	var all []string
	for t := range tenants {
		documents := fleetTenant(t)
		switch form {
		case "json":
			put(fmt.Sprintf("t%04d.json", t), strings.Join(documents, "\n"))
		case "yaml":
			put(fmt.Sprintf("t%04d.yaml", t), strings.Join(asYAML(b, documents), "---\n"))
		default:
			all = append(all, documents...)
		}
	}
	switch form {
	case "list":
		put("all.json", `{"apiVersion":"v1","kind":"List","metadata":{},"items":[`+strings.Join(all, ",\n")+`]}`)
	case "stream":
		put("all.yaml", strings.Join(asYAML(b, all), "---\n"))
	}
	return size
}

func asYAML(b *testing.B, documents []string) []string {
	b.Helper()
	var out []string
	for _, d := range documents {
		text, err := yaml.JSONToYAML([]byte(d))
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

// BenchmarkFolder loads 1,000 tenants: 9,000 pods, 11,000 policies, 3,000 namespaces; a
// file per tenant, or everything in one file.
func BenchmarkFolder(b *testing.B) {
	const tenants = 1000
	for _, form := range []string{"json", "list", "yaml", "stream"} {
		b.Run(form, func(b *testing.B) {
			dir := b.TempDir()
			b.SetBytes(fleet(b, dir, form, tenants))
			b.ReportAllocs()
			for b.Loop() {
				s, err := Folder(context.Background(), dir)
				if err != nil {
					b.Fatal(err)
				}
				if len(s.Pods) != tenants*fleetSpaces*fleetPods || len(s.NetworkPolicies) != tenants*fleetPolicies || len(s.Problems) > 0 {
					b.Fatalf("got %d pods, %d policies, problems %v", len(s.Pods), len(s.NetworkPolicies), s.Problems)
				}
			}
		})
	}
}

// TestFleet checks what the benchmark loads: it is valid.
func TestFleet(t *testing.T) {
	for _, d := range fleetTenant(7) {
		if !json.Valid([]byte(d)) {
			t.Errorf("no JSON: %s", d)
		}
	}
}
