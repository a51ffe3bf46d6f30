package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/snapshot/load"
)

// closed are two teams of which neither lets anything in or out.
const closed = `
apiVersion: v1
kind: Namespace
metadata: {name: red, labels: {team: red}}
---
apiVersion: v1
kind: Namespace
metadata: {name: blue, labels: {team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: red}
status: {podIPs: [{ip: 10.1.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: blue}
status: {podIPs: [{ip: 10.1.0.2}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all, namespace: red}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all, namespace: blue}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
`

// blocks let out and in by address: whether that is from red to blue is up to the plugin.
const blocks = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: red}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.1.0.0/24}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: in, namespace: blue}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/24}}]}]}
`

// agentsOf is a DaemonSet of a network plugin.
func agentsOf(label, value string) string {
	return "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: " + value + ", namespace: kube-system}\n" +
		"spec: {selector: {matchLabels: {" + label + ": " + value + "}}, template: {metadata: {labels: {" + label + ": " + value + "}}, spec: {hostNetwork: true, containers: [{name: a, image: a}]}}}\n"
}

// manifestsIn writes a folder.
func manifestsIn(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNetworkPlugin: a verdict that hangs on the plugin is unknown until it is seen or
// named, and then says which it is.
func TestNetworkPlugin(t *testing.T) {
	calico, cilium := agentsOf("k8s-app", "calico-node"), agentsOf("k8s-app", "cilium")
	for name, c := range map[string]struct {
		manifests string
		args      []string
		code      int
		says      string
	}{
		"neither":          {"", nil, exitUnknown, "whether ipBlocks match pods is up to the network plugin"},
		"Calico named":     {"", []string{"--network-plugin", "calico"}, exitBroken, "NetworkPolicy"},
		"Cilium named":     {"", []string{"--network-plugin", "cilium"}, exitHolds, "network plugin Cilium, as the command line says, whose ipBlocks match no pods"},
		"none named":       {"", []string{"--network-plugin", "none"}, exitUnknown, "no network plugin enforces policies, as the command line says"},
		"unknown named":    {calico, []string{"--network-plugin", "unknown"}, exitUnknown, "is up to the network plugin"},
		"Calico seen":      {calico, nil, exitBroken, "NetworkPolicy"},
		"named, not seen":  {calico, []string{"--network-plugin", "cilium"}, exitHolds, "network plugin Cilium, as the command line says"},
		"two seen":         {calico + cilium, nil, exitUnknown, "is up to the network plugin"},
		"one of two named": {calico + cilium, []string{"--network-plugin", "cilium"}, exitHolds, "as the command line says"},
	} {
		dir := manifestsIn(t, closed+"---"+blocks+c.manifests)
		args := append([]string{"verdict", "red", "NET-1", "-f", dir, "--tenancy", "label=team"}, c.args...)
		out, err, code := runCommand(t, newExplainCommand, args...)
		if code != c.code || !strings.Contains(strings.Join(strings.Fields(out), " "), c.says) {
			t.Errorf("%s: exit %d, want %d, and %q in\n%s%v", name, code, c.code, c.says, out, err)
		}
	}
}

// TestNetworkPluginFlag: each command that looks at the network takes it, refuses another
// name before anything is loaded, and answers by it.
func TestNetworkPluginFlag(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "absent"))
	before, after := manifestsIn(t, closed), manifestsIn(t, closed+"---"+blocks)
	for name, c := range map[string]struct {
		make           func(*env) *cobra.Command
		args           []string
		calico, cilium string
	}{
		"verify":  {newVerifyCommand, []string{"-f", after, "--tenancy", "label=team", "-o", "json"}, "NetworkPolicy", "network plugin Cilium, as the command line says"},
		"reach":   {newReachCommand, []string{"-f", after, "--from", "red", "--to", "blue", "-o", "json"}, `{"from":"red/web","to":"blue/db"}`, `"connections":[`},
		"explain": {newExplainCommand, []string{"flow", "red/web", "blue/db", "-f", after}, "Calico", "Cilium"},
		"blast":   {newBlastCommand, []string{"red", "-f", after, "--tenancy", "label=team"}, "blue", "red"},
		"diff":    {newDiffCommand, []string{before, after, "--tenancy", "label=team"}, "blue", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, err, code := runCommand(t, c.make, append(c.args, "--network-plugin", "weave")...)
			if code != exitUsage || out != "" || err == nil || !strings.Contains(err.Error(), `--network-plugin "weave" is unknown; it is one of cilium, calico, antrea`) {
				t.Errorf("another name: exit %d, %v, %s", code, err, out)
			}
			withCalico, _, _ := runCommand(t, c.make, append(c.args, "--network-plugin", "calico")...)
			withCilium, _, _ := runCommand(t, c.make, append(c.args, "--network-plugin", "cilium")...)
			if withCalico == withCilium || !strings.Contains(withCalico, c.calico) || !strings.Contains(withCilium, c.cilium) {
				t.Errorf("want %q with Calico:\n%s\nand %q with Cilium:\n%s", c.calico, withCalico, c.cilium, withCilium)
			}
		})
	}
}

// TestSeveralPluginsNoted: the report says which plugins are seen, and what to do.
func TestSeveralPluginsNoted(t *testing.T) {
	dir := manifestsIn(t, closed+agentsOf("k8s-app", "calico-node")+agentsOf("k8s-app", "cilium"))
	out, _, _ := runCommand(t, newVerifyCommand, "-f", dir, "--tenancy", "label=team")
	if text := strings.Join(strings.Fields(out), " "); !strings.Contains(text, "several network plugins are seen (Cilium, Calico)") || !strings.Contains(text, "say --network-plugin") {
		t.Errorf("got %s", out)
	}
}

// TestExplainFlowIgnored: a denial that nothing enforces is no answer.
func TestExplainFlowIgnored(t *testing.T) {
	dir := manifestsIn(t, closed)
	for name, want := range map[string]int{"calico": exitHolds, "none": exitUnknown, "flannel": exitUnknown} {
		_, err, code := runCommand(t, newExplainFlowCommand, "red/web", "blue/db", "-f", dir, "--network-plugin", name)
		if code != want || want == exitUnknown && !strings.Contains(err.Error(), "not what happens") {
			t.Errorf("%s: exit %d, want %d: %v", name, code, want, err)
		}
	}
}

// TestNetworkPluginOfBundle: a bundle keeps what was said, until something else is.
func TestNetworkPluginOfBundle(t *testing.T) {
	s, err := load.Folder(t.Context(), manifestsIn(t, closed+"---"+blocks))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state.json.gz")
	if err := load.Save(file, s.WithNetworkPlugin("cilium")); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{"": nil, `"from":"red/web"`: {"--network-plugin", "calico"}} {
		out, err, code := runCommand(t, newReachCommand, append([]string{"--bundle", file, "-o", "json", "--from", "red/web", "--to", "blue/db"}, args...)...)
		if code != exitHolds || !strings.Contains(out, want) || strings.Contains(out, "red/web") != (want != "") {
			t.Errorf("%v: exit %d, %v: %s", args, code, err, out)
		}
	}
}
