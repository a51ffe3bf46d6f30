package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	statusEvery = 100 * time.Millisecond
	// stopPatience is how long a supervisor may take to stop everything.
	stopPatience = time.Minute
	// answerPatience is how long a cluster that calls itself ready may take to answer.
	answerPatience = time.Minute
)

// Up returns when the cluster is ready. It starts a detached supervisor, by the
// given command line, unless one is running: then it attaches to that and changes
// nothing. Report (which may be nil) is given the status while it waits.
//
// When ctx ends early, what Up started is stopped again; the data stays.
func Up(ctx context.Context, opts Options, supervisor []string, report func(Status)) error {
	if report == nil {
		report = func(Status) {}
	}
	d := dir(opts.StateDir)
	lock, err := prepareUp(d, opts)
	for tries := 0; errors.Is(err, errLocked); tries++ {
		attached := attach(ctx, d, report)
		if attached == nil {
			return publish(ctx, opts)
		}
		if !errors.As(attached, new(*supervisorEnded)) || tries == maxAttached {
			return attached
		}
		lock, err = prepareUp(d, opts) // it was dying, not running: start anew
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	cmd, err := launch(d, lock, supervisor)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	// From here on the supervisor alone holds the lock.
	lock.Close()
	err = follow(ctx, d, report, ended)
	if err == nil {
		err = publish(ctx, opts)
	}
	if ctx.Err() != nil {
		return errors.Join(err, interrupt(cmd.Process, ended))
	}
	return err
}

// Run is Up in this process: it takes the lock, runs the cluster until ctx ends and
// stops it. ErrRunning says that another process runs it.
func Run(ctx context.Context, opts Options, report func(Status)) error {
	lock, err := prepareUp(dir(opts.StateDir), opts)
	if errors.Is(err, errLocked) {
		return ErrRunning
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready := false
	err = Supervise(ctx, opts, func(status Status) {
		if status.Phase == Ready && !ready {
			ready = true
			if err := publish(ctx, opts); err != nil {
				cancel(err)
				return
			}
		}
		if report != nil {
			report(status)
		}
	})
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// ErrRunning says that the cluster is being run by another process.
var ErrRunning = errors.New("the cluster is running already")

// prepareUp checks what can be checked before anything starts and takes the lock.
func prepareUp(d dir, opts Options) (*os.File, error) {
	if err := ValidateName(opts.Name); err != nil {
		return nil, err
	}
	if opts.Kubeconfig != "" {
		if err := checkKubeconfig(opts.Kubeconfig); err != nil {
			return nil, err
		}
	}
	if err := d.make(); err != nil {
		return nil, err
	}
	lock, err := tryLock(d.lock())
	if err != nil {
		return nil, err
	}
	// The children of a killed supervisor are kept for the next to clear away.
	var last Status
	if _, err := readJSON(d.status(), &last); err != nil {
		last = Status{}
	}
	err = writeJSON(d.options(), opts)
	if err == nil {
		err = writeJSON(d.status(), Status{Phase: Starting, Children: last.Children})
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// attach waits for a cluster that another process started.
func attach(ctx context.Context, d dir, report func(Status)) error {
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if lock, err := tryLock(d.lock()); err == nil {
				lock.Close()
				close(ended)
				return
			}
			time.Sleep(statusEvery)
		}
	}()
	return follow(ctx, d, report, ended)
}

// follow reads the status until the cluster is ready, or ended is closed because its
// supervisor has gone.
func follow(ctx context.Context, d dir, report func(Status), ended <-chan struct{}) error {
	for gone := false; ; {
		var status Status
		if _, err := readJSON(d.status(), &status); err != nil {
			return err
		}
		report(status)
		switch {
		case status.Phase == Ready && status.Supervisor.alive():
			return nil
		case gone && status.Phase == Failed:
			return errors.New(status.Error)
		case gone && status.Phase == Stopped:
			return errors.New("the cluster was stopped while it started")
		case gone:
			return &supervisorEnded{log: d.log("supervisor")}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ended:
			gone = true
		case <-time.After(statusEvery):
		}
	}
}

// maxAttached is how often up starts anew instead of a supervisor that died under it.
const maxAttached = 3

// supervisorEnded says that a supervisor went without saying why.
type supervisorEnded struct{ log string }

func (s *supervisorEnded) Error() string {
	return fmt.Sprintf("the supervisor ended; the last lines of %s:\n%s", s.log, indent(logTail(s.log, 0)))
}

// publish makes sure that the API answers and gives the user's kubeconfig the context.
func publish(ctx context.Context, opts Options) error {
	d := dir(opts.StateDir)
	if err := answers(ctx, d); err != nil {
		return err
	}
	if opts.Kubeconfig == "" {
		return nil
	}
	return mergeKubeconfig(opts.Kubeconfig, d.kubeconfig("admin"), ContextName(opts.Name))
}

// answers waits until the API server answers: a cluster that has become ready may
// have lost a component since, which its supervisor is starting again.
func answers(ctx context.Context, d dir) error {
	config, err := clientcmd.BuildConfigFromFlags("", d.kubeconfig("admin"))
	if err != nil {
		return fmt.Errorf("load the administrator's kubeconfig: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	client.Timeout = 5 * time.Second
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeoutCause(ctx, answerPatience, fmt.Errorf("the API server does not answer after %s", answerPatience))
	defer cancel()
	err = poll(ctx, func(ctx context.Context) error { return get(ctx, client, config.Host+"/readyz") })
	if err != nil && strings.Contains(logTail(d.log("etcd"), 0), diskFull) {
		return fmt.Errorf("the disk that holds %s is full; free some space: what was stored is still there (%w)", d.etcdData(), err)
	}
	return err
}
