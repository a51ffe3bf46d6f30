package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// ErrNotFound says that there is no cluster in a state folder.
var ErrNotFound = errors.New("there is no such cluster")

// DownOptions says which cluster to stop and how far to go.
type DownOptions struct {
	StateDir string
	// Delete removes the state folder and the kubeconfig's entries, too.
	Delete bool
	// Patience is how long the supervisor may take before it is killed; 0 means a
	// minute.
	Patience time.Duration
}

// Down stops the cluster; wasRunning is false when there was nothing to stop.
func Down(ctx context.Context, o DownOptions) (wasRunning bool, err error) {
	d := dir(o.StateDir)
	if _, err := os.Stat(d.options()); errors.Is(err, fs.ErrNotExist) {
		return false, ErrNotFound
	}
	if o.Patience == 0 {
		o.Patience = stopPatience
	}
	lock, err := tryLock(d.lock())
	if errors.Is(err, errLocked) {
		wasRunning = true
		lock, err = stopSupervisor(ctx, d, o.Patience)
	}
	if err != nil {
		return wasRunning, err
	}
	defer lock.Close()
	var status Status
	if _, err := readJSON(d.status(), &status); err != nil {
		return wasRunning, err
	}
	if err := endLeftovers(ctx, status.Children); err != nil {
		return wasRunning, err
	}
	if o.Delete {
		return wasRunning, remove(d)
	}
	return wasRunning, nil
}

// stopSupervisor asks the lock's holder to stop and takes the lock after it. One
// that does not stop in time is killed, once its start time proves that the process
// is still the one that wrote the status.
func stopSupervisor(ctx context.Context, d dir, patience time.Duration) (*os.File, error) {
	var status Status
	find, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("the cluster is locked, but its supervisor is not to be found"))
	defer cancel()
	err := poll(find, func(context.Context) error {
		if _, err := readJSON(d.status(), &status); err != nil {
			return err
		}
		if !status.Supervisor.alive() {
			return fmt.Errorf("process %d is not there", status.Supervisor.PID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if status.Supervisor.alive() {
			if err := syscall.Kill(status.Supervisor.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return nil, fmt.Errorf("stop the supervisor: %w", err)
			}
		}
		lock, err := awaitLock(ctx, d, patience)
		if err == nil || ctx.Err() != nil {
			return lock, err
		}
	}
	return nil, fmt.Errorf("stop the supervisor: process %d survived SIGKILL", status.Supervisor.PID)
}

func awaitLock(ctx context.Context, d dir, patience time.Duration) (lock *os.File, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = poll(ctx, func(context.Context) (err error) {
		lock, err = tryLock(d.lock())
		return err
	})
	return lock, err
}

// remove takes the kubeconfig's entries out before the state that names them.
func remove(d dir) error {
	opts, err := ReadOptions(string(d))
	if err != nil {
		return err
	}
	if opts.Kubeconfig != "" {
		if err := unmergeKubeconfig(opts.Kubeconfig, ContextName(opts.Name)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(string(d)); err != nil {
		return fmt.Errorf("remove state folder: %w", err)
	}
	return nil
}

// ReadStatus returns what a cluster's supervisor last said, and whether there is a
// supervisor now.
func ReadStatus(stateDir string) (status Status, running bool, err error) {
	d := dir(stateDir)
	found, err := readJSON(d.status(), &status)
	if err == nil && !found {
		err = ErrNotFound
	}
	return status, err == nil && status.Supervisor.alive(), err
}
