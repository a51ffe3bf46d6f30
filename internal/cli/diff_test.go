package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watertight.dev/watertight/internal/diff"
	"watertight.dev/watertight/internal/snapshot/load"
)

// reopening is a policy that undoes a tenant's default deny.
const reopening = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: reopened, namespace: acme-database}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {}
`

// copyOfShop is the example with one more file in it, if it has a name.
func copyOfShop(t *testing.T, name, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.CopyFS(dir, os.DirFS("../../examples/shop")); err != nil {
		t.Fatal(err)
	}
	if name != "" {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bundleOf is a folder saved as a bundle.
func bundleOf(t *testing.T, dir string) string {
	t.Helper()
	s, err := load.Folder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state.gz")
	if err := load.Save(file, s); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDiffCommand: what is said, and with which exit code.
func TestDiffCommand(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "absent"))
	shop, twin := "../../examples/shop", copyOfShop(t, "", "")
	open := copyOfShop(t, "reopened.yaml", reopening)
	unreadable := copyOfShop(t, "broken.yaml", "kind: [")
	tenant := filepath.Join(shop, "acme", "tenant.yaml")
	bundle, openBundle := bundleOf(t, shop), bundleOf(t, open)
	none := filepath.Join(twin, "none")
	cases := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"equal folders", []string{shop, twin}, exitHolds, "No difference\n"},
		{"equal files", []string{tenant, tenant}, exitHolds, "No difference\n"},
		{"equal bundles", []string{bundle, bundle}, exitHolds, "No difference\n"},
		{"reopened", []string{shop, open}, exitBroken, "acme NET-5: holds -> broken"},
		{"mended", []string{open, shop}, exitHolds, "acme NET-5: broken -> holds"},
		{"reopened since the bundle", []string{bundle, openBundle}, exitBroken, "+ NetworkPolicy acme-database/reopened"},
		{"unreadable file", []string{shop, unreadable}, exitUnknown, "could not read broken.yaml"},
		{"unreadable file on both sides", []string{unreadable, unreadable}, exitUnknown, "could not read broken.yaml"},
		{"JSON", []string{shop, open, "-o", "json"}, exitBroken, `"outcome": "worse"`},
		{"Markdown", []string{shop, open, "-o", "markdown"}, exitBroken, "### ❌ Tenant isolation: worse"},
		{"unknown format", []string{shop, open, "-o", "xml"}, exitUsage, "text, json, markdown"},
		{"one state", []string{shop}, exitUsage, "write watertight diff BEFORE AFTER"},
		{"no such folder", []string{shop, none}, exitUnknown, "name a folder, a file of manifests or a bundle"},
		{"two states and a cluster", []string{shop, open, "--live"}, exitUsage, "--live stands for one of two states"},
		{"a cluster where none is compared", []string{shop, open, "--context", "x"}, exitUsage, "add --live"},
		{"a cluster nowhere", []string{shop, "--live=between"}, exitUsage, "--live=before"},
		{"no kubeconfig", []string{shop, "--live"}, exitUnknown, "--kubeconfig"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err, code := runCommand(t, newDiffCommand, c.args...)
			text := out
			if err != nil {
				text += err.Error()
			}
			if code != c.code || !strings.Contains(text, c.says) {
				t.Errorf("exit code %d, want %d, and %q in:\n%s", code, c.code, c.says, text)
			}
		})
	}
}

// TestDiffJSON reads back what scripts read.
func TestDiffJSON(t *testing.T) {
	out, _, _ := runCommand(t, newDiffCommand, "../../examples/shop", copyOfShop(t, "reopened.yaml", reopening), "-o", "json")
	var d diff.Difference
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatal(err)
	}
	if d.Format != diff.Format || len(d.Verdicts) == 0 || len(d.Findings) == 0 || len(d.Objects) != 1 || !d.Objects[0].Cause {
		t.Errorf("got %+v", d)
	}
}
