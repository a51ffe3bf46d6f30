package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// lockFD is the file descriptor by which a supervisor inherits the lock.
const lockFD = 3

// launch starts the supervisor in a session of its own and hands it the lock.
func launch(d dir, lock *os.File, commandLine []string) (*exec.Cmd, error) {
	log, err := openLog(d.log("supervisor"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(commandLine[0], commandLine[1:]...)
	cmd.Dir = string(d)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	return cmd, nil
}

// SuperviseInherited is what the supervisor's command runs: Supervise with the
// options in the state folder, completed by configure, under the inherited lock.
func SuperviseInherited(ctx context.Context, stateDir string, configure func(*Options)) error {
	d := dir(stateDir)
	lock, err := inheritedLock(d)
	if err != nil {
		return err
	}
	defer lock.Close()
	opts, err := ReadOptions(stateDir)
	if err != nil {
		return err
	}
	configure(&opts)
	return Supervise(ctx, opts, nil)
}

func inheritedLock(d dir) (*os.File, error) {
	lock := os.NewFile(lockFD, d.lock())
	given, err := lock.Stat()
	if err == nil {
		var want fs.FileInfo
		if want, err = os.Stat(d.lock()); err == nil && os.SameFile(given, want) {
			// The components must not hold it in turn.
			syscall.CloseOnExec(lockFD)
			return lock, nil
		}
	}
	return nil, errors.New("this command is run by up, which hands it the cluster's lock")
}

// interrupt stops a supervisor that this process started.
func interrupt(process *os.Process, ended <-chan struct{}) error {
	process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
		return nil
	case <-time.After(stopPatience):
		process.Kill()
		<-ended
		return fmt.Errorf("the supervisor did not stop within %s and was killed", stopPatience)
	}
}
