package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds the start of one member.
const startTimeout = 2 * time.Minute

// Supervise runs the cluster until ctx ends: it starts the members in order, keeps
// them alive and stops them in reverse. Each change is written to the status file and
// given to report (which may be nil). The caller holds the cluster's lock.
func Supervise(ctx context.Context, opts Options, report func(Status)) error {
	s := &supervisor{cluster: cluster{opts: opts, dir: dir(opts.StateDir), spawner: newSpawner()}, report: report}
	defer s.cluster.spawner.close()
	s.cluster.moved = s.childMoved
	s.status = Status{Phase: Starting, Supervisor: thisProcess(), Children: map[string]ProcessID{}}
	stopTicking := s.tick()
	err := s.run(ctx)
	stopTicking()
	s.update(func(status *Status) {
		status.Phase = Stopped
		if err != nil {
			status.Phase, status.Error = Failed, err.Error()
		}
	})
	return err
}

// supervisor runs a cluster and keeps its status.
type supervisor struct {
	cluster cluster
	report  func(Status)

	mu     sync.Mutex
	status Status
}

// tick repeats the status to report, so that it can show time going by.
func (s *supervisor) tick() (stop func()) {
	if s.report == nil {
		return func() {}
	}
	ticker, ended := time.NewTicker(statusEvery), make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				s.mu.Lock()
				s.report(s.status.clone())
				s.mu.Unlock()
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(ended)
	}
}

func (s *supervisor) run(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return s.runMembers(ctx, s.cluster.members())
}

// runMembers starts the members in order and stops those it has begun to start in
// reverse, when ctx ends or one of them cannot start.
func (s *supervisor) runMembers(ctx context.Context, members []member) (err error) {
	var started []member
	defer func() {
		s.update(func(status *Status) { status.Phase = Stopping })
		err = errors.Join(err, stopAll(started))
	}()
	s.update(func(status *Status) {
		for _, m := range members {
			status.Steps = append(status.Steps, StepStatus{Name: m.name})
		}
	})
	for i, m := range members {
		started = append(started, m)
		if err := s.startMember(ctx, i, m); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	s.update(func(status *Status) { status.Phase = Ready })
	<-ctx.Done()
	return nil
}

// prepare clears away what a killed supervisor left and makes what all share.
func (s *supervisor) prepare(ctx context.Context) error {
	c := &s.cluster
	if err := c.dir.make(); err != nil {
		return err
	}
	var last Status
	if _, err := readJSON(c.dir.status(), &last); err == nil {
		if err := endLeftovers(ctx, last.Children); err != nil {
			return err
		}
	}
	var kept ports
	if _, err := readJSON(c.dir.ports(), &kept); err != nil {
		return err
	}
	var err error
	if c.ports, err = pickPorts(kept, portNames()); err != nil {
		return err
	}
	if err := writeJSON(c.dir.ports(), c.ports); err != nil {
		return err
	}
	c.pki, err = openPKI(c.dir.pki(), time.Now)
	return err
}

func (s *supervisor) startMember(all context.Context, i int, m member) error {
	ctx, cancel := context.WithTimeoutCause(all, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	began := time.Now()
	s.update(func(status *Status) { status.Steps[i].State = Running })
	err := m.Init(ctx)
	if err == nil {
		err = m.Start(ctx)
	}
	s.update(func(status *Status) {
		step := &status.Steps[i]
		step.Seconds = time.Since(began).Seconds()
		switch {
		case err == nil:
			step.State = Done
		case all.Err() == nil:
			step.State = Broken
		}
		status.Notes = s.cluster.pki.notes
	})
	return err
}

// stopAll stops the members in reverse order.
func stopAll(members []member) error {
	var errs []error
	for i := len(members) - 1; i >= 0; i-- {
		if err := members[i].Stop(context.Background()); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", members[i].name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *supervisor) childMoved(name string, pid int) {
	s.update(func(status *Status) { status.Children[name] = ProcessID{PID: pid, StartTime: startTime(pid)} })
}

// update changes the status and publishes it. A status that cannot be written (the
// disk may be full) must not end the cluster, so that error goes unheeded here: the
// reader sees an old status.
func (s *supervisor) update(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	_ = writeJSON(s.cluster.dir.status(), s.status)
	if s.report != nil {
		s.report(s.status.clone())
	}
}

// endLeftovers kills the children that outlived a killed supervisor, and waits until
// they are gone and their ports with them.
func endLeftovers(ctx context.Context, children map[string]ProcessID) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("still there after SIGKILL"))
	defer cancel()
	for name, child := range children {
		if !child.alive() {
			continue
		}
		process, err := os.FindProcess(child.PID)
		if err == nil {
			process.Signal(syscall.SIGKILL)
		}
		err = poll(ctx, func(context.Context) error {
			if child.alive() {
				return fmt.Errorf("process %d", child.PID)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("end the %s of the last run: %w", name, err)
		}
	}
	return nil
}
