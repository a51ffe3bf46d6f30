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

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
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

// TestReachPictures reads several folders as one picture, and a bundle as a folder.
func TestReachPictures(t *testing.T) {
	first, second := manifestsIn(t, closed), manifestsIn(t, blocks)
	args := []string{"--from", "red", "--to", "blue", "-o", "csv", "--ip-blocks-match-pods"}
	const header = "from,to,protocol,port,endPort,verdict\n"
	const open = header + "red/web,blue/db,*,1,65535,allowed\n"
	s, err := loadFolders(t.Context(), nil, []string{first, second})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state.json.gz")
	if err := load.Save(file, s); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"one folder":  {[]string{"-f", first}, header},
		"two folders": {[]string{"-f", first, "-f", second}, open},
		"a bundle":    {[]string{"--bundle", file}, open},
	} {
		if out, err, _ := runCommand(t, newReachCommand, append(c.args, args...)...); out != c.want || err != nil {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "absent"))
	if _, err, code := runCommand(t, newReachCommand); code != exitUnknown || err == nil || !strings.Contains(err.Error(), "no kubeconfig was found") {
		t.Errorf("a cluster: exit %d, %v", code, err)
	}
	if _, err, code := runCommand(t, newReachCommand, "-f", first, "--bundle", file); code != exitUsage || err == nil {
		t.Errorf("both: exit %d, %v", code, err)
	}
}

// TestReachTenant narrows an end to a tenant's namespaces.
func TestReachTenant(t *testing.T) {
	dir := manifestsIn(t, closed+"---"+blocks)
	base := []string{"-f", dir, "--ip-blocks-match-pods", "-o", "csv"}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
		not  string
	}{
		"to blue":                  {[]string{"--tenancy", "label=team", "--to", "tenant=blue"}, exitHolds, "red/web,blue/db,", ",10."},
		"from blue":                {[]string{"--tenancy", "label=team", "--from", "tenant=blue"}, exitHolds, "from,to,", "blue/db"},
		"text":                     {[]string{"--tenancy", "label=team", "--to", "tenant=blue", "-o", "text"}, exitHolds, "blue/db", "10.1.0.0"},
		"nobody":                   {[]string{"--tenancy", "label=team", "--to", "tenant=grey"}, exitUsage, `find tenant "grey": there is none in manifests in ` + dir + `; Tenants or --tenancy say who is one (there are blue, red)`, "FROM"},
		"no tenancy":               {[]string{"--to", "tenant=blue"}, exitUsage, "Tenants or --tenancy say who is one", "FROM"},
		"a namespace of that name": {[]string{"--to", "blue"}, exitHolds, "red/web,blue/db,", "note"},
	} {
		out, err, code := runCommand(t, newReachCommand, append(base[:5:5], c.args...)...)
		if err != nil {
			out += err.Error()
		}
		if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, c.not) {
			t.Errorf("%s: exit %d, want %d, with %q and without %q in %s", name, code, c.code, c.says, c.not, out)
		}
	}
}

// TestReachIgnored: where the plugin ignores policies, what they let through is no answer.
func TestReachIgnored(t *testing.T) {
	for name, manifests := range map[string]string{"closed": reachManifests, "Flannel": reachManifests + agentsOf("app", "flannel")} {
		_, stderr, err := runReachTest(t, manifests, "--to", "shop/db")
		if ignored := name == "Flannel"; (err != nil) != ignored || strings.Contains(stderr, "what the policies say is not what happens") != ignored {
			t.Errorf("%s: %v, %s", name, err, stderr)
		}
	}
}

// TestReachOfCluster: of a cluster it is known which kinds are missing, and others do not
// matter.
func TestReachOfCluster(t *testing.T) {
	for kind, code := range map[string]int{"StorageClass": exitHolds, "NetworkPolicy": exitUnknown, "": exitUnknown} {
		s := snapshot.New(snapshot.Parts{Origin: snapshot.OriginLive, Problems: []snapshot.Problem{{Source: "x", Kind: kind, Message: "may not be listed (403)"}}})
		file := filepath.Join(t.TempDir(), "state.json.gz")
		if err := load.Save(file, s); err != nil {
			t.Fatal(err)
		}
		if out, err, got := runCommand(t, newReachCommand, "--bundle", file); got != code || !strings.Contains(out, "may not be listed") {
			t.Errorf("%q: exit %d, want %d: %v, %s", kind, got, code, err, out)
		}
	}
}
