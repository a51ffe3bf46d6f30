// Package demo runs "watertight demo" as a newcomer does: the program, built from this
// checkout, in a home of its own.
package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts two control planes")
	}
	program := filepath.Join(t.TempDir(), "watertight")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/watertight").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	state := t.TempDir()
	demo := exec.Command(program, "demo", "--name", "test", "--clean")
	demo.Env = append(os.Environ(), "XDG_STATE_HOME="+state, "KUBECONFIG="+filepath.Join(state, "kubeconfig"))
	text, err := demo.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{
		"tenant acme is Ready", "tenant globex is Ready", "may deploy", "watertight-networkpolicy: spec.ingress",
		"NET-5  broken", "found on the live cluster: 35 of the 35", "is removed, with its data",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if left, err := os.ReadDir(filepath.Join(state, "watertight")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}
