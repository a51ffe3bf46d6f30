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

const reachManifests = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432, endPort: 5433}]}]
`

// runReachTest runs the command on a folder with these manifests.
func runReachTest(t *testing.T, manifests string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.yaml"), []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	c := newReachCommand(&env{out: &out, err: &errOut})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append([]string{"-f", dir}, args...))
	err = c.ExecuteContext(context.Background())
	return out.String(), errOut.String(), err
}

func TestReachJSON(t *testing.T) {
	stdout, _, err := runReachTest(t, reachManifests, "-o", "json", "--to", "shop/db")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Connections []map[string]any }
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	want := `[{"from":"shop/web","ports":[{"endPort":5433,"port":5432,"protocol":"TCP"}],"to":"shop/db"}]`
	if text, _ := json.Marshal(got.Connections); string(text) != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
}

func TestReachNothing(t *testing.T) {
	stdout, _, err := runReachTest(t, reachManifests, "-o", "json", "--from", "shop/db")
	if err != nil || strings.Join(strings.Fields(stdout), "") != `{"connections":[],"unknown":[]}` {
		t.Errorf("got %q, %v", stdout, err)
	}
}

func TestReachCSV(t *testing.T) {
	stdout, _, err := runReachTest(t, reachManifests, "-o", "csv", "--from", "shop/web")
	want := "from,to,protocol,port,endPort,verdict\nshop/web,shop/db,TCP,5432,5433,allowed\nshop/web,0.0.0.0/0,*,1,65535,allowed\nshop/web,::/0,*,1,65535,allowed\n"
	if err != nil || stdout != want {
		t.Errorf("got %q, %v", stdout, err)
	}
}

func TestReachText(t *testing.T) {
	stdout, _, err := runReachTest(t, reachManifests, "--to", "1.2.3.4")
	if err != nil || !strings.Contains(stdout, "shop/web") || strings.Contains(stdout, "5432") {
		t.Errorf("got %q, %v", stdout, err)
	}
}

// TestReachExits gives each kind of trouble its exit code and its word.
func TestReachExits(t *testing.T) {
	calico := "\n---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: x, namespace: shop}\n"
	block := "\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: b, namespace: shop}\n" +
		"spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}\n"
	for name, c := range map[string]struct {
		manifests string
		args      []string
		code      int
		text      string
	}{
		"format":         {reachManifests, []string{"-o", "xml"}, exitUsage, `unknown output format "xml"`},
		"no such pod":    {reachManifests, []string{"--from", "shop/ghost"}, exitUsage, `find "shop/ghost"`},
		"malformed":      {reachManifests + "\n---\na: [\n", nil, exitUnknown, "in.yaml#4: malformed YAML"},
		"foreign policy": {reachManifests + calico, nil, exitUnknown, "NetworkPolicy shop/x: policies of kind NetworkPolicy (projectcalico.org/v3) are not read"},
		"may match pods": {reachManifests + block, nil, exitUnknown, "say --ip-blocks-match-pods=true or =false"},
		"matches pods":   {reachManifests + block, []string{"--ip-blocks-match-pods=false"}, exitHolds, ""},
		"stray":          {reachManifests + "\n---\nreplicas: 3\n", nil, exitHolds, "note: in.yaml#4"},
	} {
		_, stderr, err := runReachTest(t, c.manifests, c.args...)
		code := exitHolds
		var exit *exitError
		if errors.As(err, &exit) {
			code = exit.code
		} else if err != nil {
			code = exitUsage
		}
		if err != nil {
			stderr += err.Error()
		}
		if code != c.code || !strings.Contains(stderr, c.text) {
			t.Errorf("%s: want exit %d with %q, got %d with %q", name, c.code, c.text, code, stderr)
		}
	}
	if _, _, err := runReachTest(t, "# nothing"); err == nil {
		t.Error("a folder without a manifest must be an error")
	}
}
