package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// runCommand runs a command as Main would and returns its output, error and exit code.
func runCommand(t *testing.T, make func(*env) *cobra.Command, args ...string) (out string, err error, code int) {
	t.Helper()
	var buffer bytes.Buffer
	c := make(&env{out: &buffer, err: &buffer})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetOut(&buffer)
	c.SetErr(&buffer)
	c.SetArgs(args)
	err = c.ExecuteContext(t.Context())
	var exit *exitError
	switch {
	case err == nil:
		code = exitHolds
	case errors.As(err, &exit):
		code = exit.code
	default:
		code = exitUsage
	}
	return buffer.String(), err, code
}

// TestVerifyCommand: what is said, and with which exit code.
func TestVerifyCommand(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "absent"))
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(kubeconfig, []byte(unreachable), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	leaky, shop := "../../examples/leaky", "../../examples/shop"
	cases := []struct {
		name string
		make func(*env) *cobra.Command
		args []string
		code int
		says string
	}{
		{"broken", newVerifyCommand, []string{"-f", leaky}, exitBroken, "initech"},
		{"cannot tell everything yet", newVerifyCommand, []string{"-f", shop}, exitUnknown, "globex"},
		{"two folders", newVerifyCommand, []string{"-f", shop, "-f", leaky}, exitBroken, "globex"},
		{"JSON", newVerifyCommand, []string{"-f", leaky, "-o", "json"}, exitBroken, `"format": "watertight.dev/verify/v1"`},
		{"JUnit", newVerifyCommand, []string{"-f", leaky, "-o", "junit"}, exitBroken, "<testsuites"},
		{"SARIF", newVerifyCommand, []string{"-f", leaky, "-o", "sarif"}, exitBroken, `"version": "2.1.0"`},
		{"HTML", newVerifyCommand, []string{"-f", leaky, "-o", "html"}, exitBroken, "<!DOCTYPE html>"},
		{"unknown format", newVerifyCommand, []string{"-f", leaky, "-o", "xml"}, exitUsage, "table, json, junit, sarif, html"},
		{"unknown tenant", newVerifyCommand, []string{"-f", leaky, "--tenant", "acmee"}, exitUsage, "there are: acme, initech"},
		{"contradicting flags", newVerifyCommand, []string{"-f", leaky, "--probe"}, exitUsage, "--probe"},
		{"no folder", newVerifyCommand, []string{"-f", filepath.Join(empty, "none")}, exitUnknown, "none"},
		{"empty folder", newVerifyCommand, []string{"-f", empty}, exitUnknown, "no Kubernetes manifest"},
		{"no kubeconfig", newVerifyCommand, nil, exitUnknown, "--kubeconfig"},
		{"kubeconfig is not there", newVerifyCommand, []string{"--kubeconfig", filepath.Join(empty, "none")}, exitUnknown, "none"},
		{"no such context", newVerifyCommand, []string{"--kubeconfig", kubeconfig, "--context", "prod"}, exitUnknown, "its contexts are: dev"},
		{"unreachable server", newVerifyCommand, []string{"--kubeconfig", kubeconfig}, exitUnknown, "https://127.0.0.1:1"},
		{"explain", newExplainCommand, []string{"verdict", "initech", "net-5", "-f", leaky}, exitBroken, "NetworkPolicy initech-frontend/allow-all"},
		{"explain what is not promised", newExplainCommand, []string{"verdict", "acme", "KRN-2", "-f", leaky}, exitHolds, "does not promise"},
		{"explain a misspelt guarantee", newExplainCommand, []string{"verdict", "acme", "NTE-1", "-f", leaky}, exitUsage, "did you mean"},
		{"explain nonsense", newExplainCommand, []string{"verdict", "acme", "everything", "-f", leaky}, exitUsage, "there is no guarantee"},
		{"explain nothing", newExplainCommand, nil, exitUsage, "explain verdict TENANT GUARANTEE"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err, code := runCommand(t, c.make, c.args...)
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

const unreachable = `apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: dev, user: dev}}
clusters:
- {name: dev, cluster: {server: "https://127.0.0.1:1"}}
users:
- {name: dev, user: {token: abc}}
`
