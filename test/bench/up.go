package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/internal/localcluster"
	"watertight.dev/watertight/internal/reconcile"

	"watertight.dev/watertight/test/bench/result"
)

// measureUp times "watertight up" of a new cluster, with engines that are built, and two
// demo tenants in it.
func (b *bench) measureUp(ctx context.Context) ([]result.Row, error) {
	var ready, verified []time.Duration
	for i := range b.ups {
		r, v, err := b.up(ctx)
		if err != nil {
			return nil, err
		}
		b.say("up %d of %d: ready in %.1fs, two tenants verified in %.1fs", i+1, b.ups, r.Seconds(), v.Seconds())
		ready, verified = append(ready, r), append(verified, v)
	}
	return upRows(ready, verified), nil
}

// up runs the command with folders of its own.
func (b *bench) up(ctx context.Context) (ready, verified time.Duration, err error) {
	folder, err := os.MkdirTemp(b.folder, "up-")
	if err != nil {
		return 0, 0, fmt.Errorf("make folder for up: %w", err)
	}
	kubeconfig := filepath.Join(folder, "kubeconfig")
	watertight := func(ctx context.Context, args ...string) error {
		cmd := exec.CommandContext(ctx, b.program, append(args, "--name", "bench")...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "XDG_STATE_HOME="+filepath.Join(folder, "state"))
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it stops what it started
		cmd.WaitDelay = time.Minute
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("run watertight %s: %w\n%s", args[0], err, out)
		}
		return nil
	}
	defer func() {
		// Also after Ctrl-C, when ctx has ended.
		err = errors.Join(err, watertight(context.WithoutCancel(ctx), "down", "--delete"), os.RemoveAll(folder))
	}()
	began := time.Now()
	if err := watertight(ctx, "up"); err != nil {
		return 0, 0, err
	}
	ready = time.Since(began)
	if err := b.demo(ctx, kubeconfig); err != nil {
		return 0, 0, err
	}
	return ready, time.Since(began), nil
}

// demo creates the two shops and waits until both are verified.
func (b *bench) demo(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: localcluster.ContextName("bench")}).ClientConfig()
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	p := &plane{}
	if p.admin, err = client.NewWithWatch(config, client.Options{Scheme: reconcile.Scheme()}); err != nil {
		return fmt.Errorf("connect to cluster: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d, err := p.watch(ctx)
	if err != nil {
		return err
	}
	names := []string{"acme", "globex"}
	for _, name := range names {
		t, err := shop(name)
		if err != nil {
			return err
		}
		if err := p.admin.Create(ctx, t); err != nil {
			return fmt.Errorf("create tenant %s: %w", name, err)
		}
	}
	return b.until(ctx, "both tenants are verified", 5*time.Millisecond, func() (bool, error) {
		_, verified := d.counts()
		return verified == len(names), nil
	})
}
