package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	pollInterval = 100 * time.Millisecond
	// stopGrace is how long a process may take to end after SIGTERM.
	stopGrace = 15 * time.Second
	// A process that dies this often before it was ever ready is given up.
	maxEarlyExits = 3
	firstBackoff  = 200 * time.Millisecond
	lastBackoff   = 10 * time.Second
	// A process that lived this long starts over with the first backoff.
	settledAfter = 30 * time.Second
	maxLogBytes  = 10 << 20
)

// spawner starts processes from one operating system thread that stays: Linux sends
// the parent-death signal when the starting thread ends, not the whole process.
type spawner chan func()

func newSpawner() spawner {
	s := make(spawner)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for job := range s {
			job()
		}
	}()
	return s
}

func (s spawner) start(cmd *exec.Cmd) error {
	done := make(chan error)
	s <- func() { done <- cmd.Start() }
	return <-done
}

func (s spawner) close() { close(s) }

// process is a child that is kept alive: started, waited for until it is ready,
// started again whenever it ends by itself, and stopped. The components that are
// programs embed one.
type process struct {
	name    string
	program string
	args    []string
	log     string // path of the file that gets its output
	spawner spawner
	// ready fails, saying why, until the process does its work.
	ready func(context.Context) error
	// diagnose turns the last error into a message that names the fix; "" when it
	// recognises nothing. It may be nil.
	diagnose func(lastErr error) string
	// moved is told the process id after each start. It may be nil.
	moved func(name string, pid int)

	cmd     *exec.Cmd
	logFrom int64 // where the output of this run begins in the log
	exits   atomic.Int64
	stop    context.CancelFunc
	done    chan struct{}
}

// Start runs the process and returns once it is ready. It keeps running until Stop,
// whatever happens to ctx later.
func (p *process) Start(ctx context.Context) error {
	if info, err := os.Stat(p.log); err == nil {
		p.logFrom = info.Size()
	}
	if err := p.spawn(); err != nil {
		return err
	}
	var keep context.Context
	keep, p.stop = context.WithCancel(context.Background())
	p.done = make(chan struct{})
	go p.keepAlive(keep)
	return p.waitReady(ctx)
}

func (p *process) spawn() error {
	log, err := openLog(p.log)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := p.spawner.start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd = cmd
	if p.moved != nil {
		p.moved(p.name, cmd.Process.Pid)
	}
	return nil
}

// keepAlive waits for the process and starts it again, until ctx ends.
func (p *process) keepAlive(ctx context.Context) {
	defer close(p.done)
	backoff := firstBackoff
	for {
		began := time.Now()
		ended := make(chan struct{})
		go func() {
			p.cmd.Wait()
			close(ended)
		}()
		select {
		case <-ctx.Done():
			p.terminate(ended)
			return
		case <-ended:
		}
		p.exits.Add(1)
		if time.Since(began) > settledAfter {
			backoff = firstBackoff
		}
		for err := errors.New("not yet"); err != nil; backoff = min(2*backoff, lastBackoff) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(backoff):
			}
			err = p.spawn()
		}
	}
}

func (p *process) terminate(ended <-chan struct{}) {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopGrace):
		p.cmd.Process.Kill()
		<-ended
	}
}

func (p *process) waitReady(ctx context.Context) error {
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		if p.diagnose != nil {
			if message := p.diagnose(err); message != "" {
				return fmt.Errorf("start %s: %s", p.name, message)
			}
		}
		if exits := p.exits.Load(); exits >= maxEarlyExits {
			return fmt.Errorf("start %s: it ended %d times; the last lines of %s:\n%s", p.name, exits, p.log, indent(p.tail()))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last answer: %v; its log: %s)", p.name, context.Cause(ctx), err, p.log)
		case <-time.After(pollInterval):
		}
	}
}

// Stop ends the process, by SIGTERM and after a grace period by SIGKILL.
func (p *process) Stop(context.Context) error {
	if p == nil || p.stop == nil {
		return nil
	}
	p.stop()
	<-p.done
	p.stop = nil
	return nil
}

// openLog opens the log for appending and sets aside one that has grown large.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("rotate log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// tail returns the last lines of what the process has said in this run.
func (p *process) tail() string { return logTail(p.log, p.logFrom) }

// logTail returns the last lines of a log after from, cut to what a person reads.
func logTail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const size = 4 << 10
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		if from > end { // the log was rotated
			from = 0
		}
		f.Seek(max(from, end-size), io.SeekStart)
	}
	data, _ := io.ReadAll(f)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	lines = lines[max(0, len(lines)-8):]
	for i, line := range lines {
		if len(line) > 400 {
			lines[i] = line[:400] + "…"
		}
	}
	return strings.Join(lines, "\n")
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
