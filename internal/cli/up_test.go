package cli

import (
	"bytes"
	"strings"
	"testing"

	"watertight.dev/watertight/internal/localcluster"
)

func TestUpRefusesBadFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"--name: cluster name":    {"--name", "A b"},
		"--nodes: -1":             {"--nodes", "-1"},
		"--nodes: 100000":         {"--nodes", "100000"},
		`a node's cpu "lots"`:     {"--node-cpu", "lots"},
		"a node's memory is -1Gi": {"--node-memory", "-1Gi"},
		"--timeout: 0s":           {"--timeout", "0s"},
		"unknown command":         {"argument"},
	} {
		var out, errOut bytes.Buffer
		code := Main(append([]string{"watertight", "up"}, args...), nil, &out, &errOut)
		if code != exitUsage || !strings.Contains(errOut.String(), want) {
			t.Errorf("up %q: exit code %d, %q; want %d and %q", args, code, errOut.String(), exitUsage, want)
		}
	}
}

func TestDownOfNothing(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	var out, errOut bytes.Buffer
	if code := Main([]string{"watertight", "down", "--name", "none"}, nil, &out, &errOut); code != exitHolds || !strings.Contains(out.String(), `there is no cluster "none"`) {
		t.Errorf("exit code %d, %q %q", code, out.String(), errOut.String())
	}
	if code := Main([]string{"watertight", "down", "--name", "../x"}, nil, &out, &errOut); code != exitUsage {
		t.Errorf("down of a path: exit code %d, want %d", code, exitUsage)
	}
}

// TestUpProgressWithoutTerminal wants each line once, and no control characters.
func TestUpProgressWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	p := newUpProgress(&out)
	step := func(name string, state localcluster.StepState) localcluster.StepStatus {
		return localcluster.StepStatus{Name: name, State: state, Seconds: 1.25}
	}
	for _, status := range []localcluster.Status{
		{},
		{Steps: []localcluster.StepStatus{step("etcd", localcluster.Running), step("operator", "")}},
		{Steps: []localcluster.StepStatus{step("etcd", localcluster.Done), step("operator", localcluster.Running)}, Notes: []string{"renewed"}},
		{Steps: []localcluster.StepStatus{step("etcd", localcluster.Done), step("operator", localcluster.Broken)}, Notes: []string{"renewed"}},
	} {
		p.show(status)
		p.show(status)
	}
	p.end()
	want := "  note: renewed\n  ✓ etcd                         1.2s\n  ✗ operator                     1.2s\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
