package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runExplainFlow runs the command on a folder with these manifests.
func runExplainFlowTest(t *testing.T, manifests string, args ...string) (stdout string, code int, err error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.yaml"), []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := newExplainFlowCommand(&env{out: &out, err: &out})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append(args, "-f", dir))
	err = c.ExecuteContext(context.Background())
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
	case err != nil:
		code = exitUsage
	}
	return out.String(), code, err
}

const cilium = `
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: http, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}]}]
`

func TestExplainFlow(t *testing.T) {
	for name, c := range map[string]struct {
		manifests string
		args      []string
		code      int
		want      []string
	}{
		"allowed": {reachManifests, []string{"shop/web", "shop/db", "--port", "5432"}, exitHolds, []string{
			"shop/web -> shop/db on TCP 5432: allowed", "no policy selects it", "NetworkPolicy shop/db, spec.ingress[0].from[0], allows TCP 5432",
			"would close it", "remove spec.ingress[0].from[0] from NetworkPolicy shop/db",
		}},
		"denied": {reachManifests, []string{"shop/db", "shop/web", "--port", "80"}, exitHolds, []string{
			"shop/db -> shop/web on TCP 80: denied", "no rule takes shop/web in on TCP 80, so that the isolation denies it",
			"would open it", "add to NetworkPolicy shop/db (or to another that selects shop/db) an egress rule to shop/web on TCP 80",
		}},
		"outside": {reachManifests, []string{"shop/web", "192.0.2.1"}, exitHolds, []string{"on every port: allowed", "policyTypes [Egress]"}},
		"condition": {reachManifests + cilium, []string{"shop/web", "shop/db", "--port", "80"}, exitUnknown, []string{
			"cannot be told on TCP 80", "perhaps (",
		}},
		"usage": {reachManifests, []string{"shop/web", "shop/nobody"}, exitUsage, []string{`find "shop/nobody": no such pod; namespace shop has`}},
		"ports": {reachManifests, []string{"shop/web", "shop/db", "--port", "70000"}, exitUsage, []string{"--port 70000"}},
		"self":  {reachManifests, []string{"shop/web", "shop/web"}, exitUsage, []string{"always reaches itself"}},
	} {
		stdout, code, err := runExplainFlowTest(t, c.manifests, c.args...)
		if err != nil {
			stdout += err.Error()
		}
		for _, want := range c.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, stdout)
			}
		}
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}
	}
}

func TestExplainFlowJSON(t *testing.T) {
	stdout, _, err := runExplainFlowTest(t, reachManifests, "shop/web", "shop/db", "-o", "json")
	var got flowDocument
	if err != nil || json.Unmarshal([]byte(stdout), &got) != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if got.Allowed != "TCP 5432-5433" || len(got.Sides) != 2 || len(got.Sides[1].Steps) != 1 || got.Sides[1].Steps[0].Action != "allow" || len(got.Change) != 1 {
		t.Errorf("got %+v", got)
	}
}
