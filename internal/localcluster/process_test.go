package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newTestProcess runs a shell script that is ready once it has made the file "ready".
func newTestProcess(t *testing.T, script string) (p *process, folder string) {
	t.Helper()
	folder = t.TempDir()
	spawner := newSpawner()
	t.Cleanup(spawner.close)
	p = &process{
		name: "fake", program: "/bin/sh", args: []string{"-c", "cd " + folder + "; " + script},
		log: filepath.Join(folder, "log"), spawner: spawner,
		ready: func(context.Context) error {
			_, err := os.Stat(filepath.Join(folder, "ready"))
			return err
		},
	}
	t.Cleanup(func() { p.Stop(context.Background()) })
	return p, folder
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestProcessIsStartedAgain(t *testing.T) {
	p, folder := newTestProcess(t, "echo run >> runs; touch ready; exec sleep 1000")
	if err := p.Start(patient(t)); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err := poll(patient(t), func(context.Context) error {
		runs, err := os.ReadFile(filepath.Join(folder, "runs"))
		if err == nil && strings.Count(string(runs), "run") != 2 {
			err = fmt.Errorf("runs %q", runs)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pid := p.cmd.Process.Pid; startTime(pid) != "" {
		t.Errorf("process %d lives after Stop", pid)
	}
}

func TestProcessThatCannotStart(t *testing.T) {
	p, _ := newTestProcess(t, "echo the reason >&2; exit 1")
	err := p.Start(patient(t))
	if err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("%v, want an error that quotes the log", err)
	}
	p.program = "/nonexistent"
	if err := p.Start(patient(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want %v", err, os.ErrNotExist)
	}
}

func TestProcessDiagnosis(t *testing.T) {
	p, _ := newTestProcess(t, "exec sleep 1000")
	p.diagnose = func(error) string { return "free some space" }
	if err := p.Start(patient(t)); err == nil || !strings.Contains(err.Error(), "start fake: free some space") {
		t.Errorf("%v, want the diagnosis", err)
	}
}

func TestProcessStopIsHarmlessBeforeStart(t *testing.T) {
	var never *process
	if err := errors.Join(never.Stop(t.Context()), (&process{}).Stop(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestLogTailIsOfThisRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("old\nnew\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[int64]string{0: "old\nnew", 4: "new", 100: "old\nnew"} {
		if got := logTail(path, from); got != want {
			t.Errorf("from %d: %q, want %q", from, got, want)
		}
	}
}

func TestOpenLogSetsAsideALargeOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, make([]byte, maxLogBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	log.Close()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("size %d (%v), want an empty log", info.Size(), err)
	}
}

// recorder is a Component that writes down what is asked of it.
type recorder struct {
	name  string
	calls *[]string
	fails bool
}

func (r recorder) Init(context.Context) error { return nil }

func (r recorder) Start(context.Context) error {
	*r.calls = append(*r.calls, "start "+r.name)
	if r.fails {
		return errors.New("no luck")
	}
	return nil
}

func (r recorder) Stop(context.Context) error {
	*r.calls = append(*r.calls, "stop "+r.name)
	return nil
}

func newTestSupervisor(t *testing.T) *supervisor {
	d := dir(t.TempDir())
	if err := d.make(); err != nil {
		t.Fatal(err)
	}
	return &supervisor{cluster: cluster{dir: d, pki: &pki{}}}
}

func TestMembersStopInReverse(t *testing.T) {
	var calls []string
	members := []member{{"a", recorder{"a", &calls, false}}, {"b", recorder{"b", &calls, false}}}
	s := newTestSupervisor(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.report = func(status Status) {
		if status.Phase == Ready {
			cancel()
		}
	}
	if err := s.runMembers(ctx, members); err != nil {
		t.Fatal(err)
	}
	if want := []string{"start a", "start b", "stop b", "stop a"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
}

func TestMemberThatFailsStopsTheRest(t *testing.T) {
	var calls []string
	members := []member{{"a", recorder{"a", &calls, false}}, {"b", recorder{"b", &calls, true}}, {"c", recorder{"c", &calls, false}}}
	s := newTestSupervisor(t)
	if err := s.runMembers(t.Context(), members); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("error %v", err)
	}
	if want := []string{"start a", "start b", "stop b", "stop a"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if steps := s.status.Steps; steps[0].State != Done || steps[1].State != Broken || steps[2].State != "" {
		t.Errorf("steps %+v", steps)
	}
}

// TestEndLeftovers wants a child killed only while it is the one that was recorded.
func TestEndLeftovers(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Signal(syscall.SIGKILL)
	child := ProcessID{PID: cmd.Process.Pid, StartTime: startTime(cmd.Process.Pid)}
	stranger := ProcessID{PID: child.PID, StartTime: child.StartTime + "0"}
	if err := endLeftovers(patient(t), map[string]ProcessID{"x": stranger}); err != nil || !child.alive() {
		t.Fatalf("a process with another start time was touched (%v)", err)
	}
	if err := endLeftovers(patient(t), map[string]ProcessID{"x": child}); err != nil {
		t.Fatal(err)
	}
	if state, err := cmd.Process.Wait(); err != nil || state.Success() {
		t.Errorf("child ended with %v (%v), want killed", state, err)
	}
}
