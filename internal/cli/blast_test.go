package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/blast"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// TestBlastCommand: what is said, and with which exit code.
func TestBlastCommand(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "absent"))
	leaky, shop := "../../examples/leaky", "../../examples/shop"
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "in.yaml"), []byte("a: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"takes the control plane", []string{"initech", "-f", leaky}, exitBroken, "tenant initech: radius 1: the control plane falls"},
		{"names the chain", []string{"initech", "-f", leaky}, exitBroken, "→ Secrets acme-database: "},
		{"names the object", []string{"initech", "-f", leaky}, exitBroken, "04-rbac-neighbours-secrets.yaml#2"},
		{"a guest who stayed, and the one change", []string{"acme", "-f", leaky}, exitBroken, "leaves radius 0 of 1 other tenant"},
		{"nothing falls", []string{"acme", "-f", shop}, exitHolds, "tenant acme: radius 0 of 1 other tenant: nothing falls with it"},
		{"nothing falls, not all was read", []string{"acme", "-f", shop, "-f", broken}, exitUnknown, "tenant acme: at least radius 0"},
		{"says what was not read", []string{"acme", "-f", shop, "-f", broken}, exitUnknown, "in.yaml#1: malformed YAML"},
		{"falls, not all was read", []string{"acme", "-f", leaky, "-f", broken}, exitBroken, "at least radius 1"},
		{"all tenants", []string{"-f", leaky}, exitBroken, "initech   1"},
		{"all tenants of a sound folder", []string{"-f", shop}, exitHolds, "globex"},
		{"unknown tenant", []string{"acmee", "-f", shop}, exitUsage, "there are: acme, globex"},
		{"unknown format", []string{"acme", "-f", shop, "-o", "xml"}, exitUsage, "text, json"},
		{"contradicting flags", []string{"acme", "-f", shop, "--bundle", "x"}, exitUsage, "exclude each other"},
		{"two tenants", []string{"acme", "globex", "-f", shop}, exitUsage, "accepts at most 1 arg"},
		{"no probing", []string{"acme", "-f", shop, "--probe"}, exitUsage, "unknown flag"},
		{"no kubeconfig", []string{"acme"}, exitUnknown, "--kubeconfig"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err, code := runCommand(t, newBlastCommand, c.args...)
			if err != nil {
				out += err.Error()
			}
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit code %d, want %d, and %q in:\n%s", code, c.code, c.says, out)
			}
		})
	}
}

// TestBlastJSON: both documents can be read by a program, chains and all.
func TestBlastJSON(t *testing.T) {
	out, _, _ := runCommand(t, newBlastCommand, "initech", "-f", "../../examples/leaky", "-o", "json")
	var one struct {
		Format string
		Report struct {
			Tenant  string
			Radius  blast.Radius
			AtLeast bool
			Falls   struct {
				ControlPlane struct{ Chain []blast.Step }
				Tenants      []struct{ Chain []blast.Step }
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &one); err != nil {
		t.Fatal(err)
	}
	r := one.Report
	if one.Format != blastFormat || r.Tenant != "initech" || !r.Radius.ControlPlane || len(r.Falls.ControlPlane.Chain) == 0 || len(r.Falls.Tenants) != 1 {
		t.Errorf("got %+v", one)
	}
	for _, s := range r.Falls.ControlPlane.Chain {
		if s.ID == "" || s.Effect == "" || s.From == s.To {
			t.Errorf("step %+v", s)
		}
	}
	out, _, _ = runCommand(t, newBlastCommand, "-f", "../../examples/leaky", "-o", "json")
	var every struct{ Summaries []blastSummary }
	if err := json.Unmarshal([]byte(out), &every); err != nil {
		t.Fatal(err)
	}
	if len(every.Summaries) != 2 || every.Summaries[0].Tenant != "initech" || every.Summaries[1].Fix == nil {
		t.Errorf("want initech first, and a fix for acme: %+v", every.Summaries)
	}
}

// TestBlastHostileText: what a tenant writes forges no line and drives no terminal.
func TestBlastHostileText(t *testing.T) {
	const evil = "x\x1b[2Jy\ntenant acme: radius 0\u202e"
	tenant := func(name string) *v1alpha1.Tenant {
		t := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
		t.Spec.Namespaces = []v1alpha1.TenantNamespace{{Name: "x"}}
		return t
	}
	s := (&snapshot.Snapshot{}).With(tenant("acme"), tenant("globex")).WithProblems(snapshot.Problem{Source: evil, Message: evil})
	here := analyze.Place{Kind: analyze.PlaceWorkload, Namespace: "acme-x", Name: evil}
	there := analyze.Place{Kind: analyze.PlaceWorkload, Namespace: "globex-x", Name: evil}
	e := analyze.Edge{From: here, To: there, ID: evil, Effect: evil, Fix: evil, Evidence: guarantee.Evidence{Object: guarantee.Ref{Kind: evil, Name: evil}, Field: evil, Source: evil}}
	packets := e
	packets.Weak, packets.Guarantee, packets.To.Name = true, guarantee.NET1, evil+evil
	g := blast.New(s, []analyze.Edge{e, packets})
	report, err := g.Of("acme")
	if err != nil {
		t.Fatal(err)
	}
	doc := blastDocument{Source: evil, Notes: []string{evil}, Report: &report}
	if doc.Summaries, err = summarize(g); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := doc.text(&out, 1); err != nil {
		t.Fatal(err)
	}
	if err := doc.table(&out, 1); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.ContainsAny(line, "\x1b\u202e") || strings.HasPrefix(line, "tenant acme: radius 0") {
			t.Errorf("%q", line)
		}
	}
	for _, part := range []string{"tenant globex falls", "best single change", "is reached", "at least, because"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("want %q in:\n%s", part, out.String())
		}
	}
}
