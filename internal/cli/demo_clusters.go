package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"watertight.dev/watertight/internal/demo"
	"watertight.dev/watertight/internal/localcluster"
)

func (f *demoFlags) leakyName() string { return f.name + "-leaky" }

// up is "watertight up", told by its progress alone.
func (f *demoFlags) up(ctx context.Context, e *env) (demo.Cluster, error) {
	fmt.Fprintf(e.out, "A local cluster %q: a real control plane, simulated nodes\n", f.name)
	began := time.Now()
	if err := f.stopOther(ctx, e); err != nil {
		return demo.Cluster{}, err
	}
	flags := upFlags{name: f.name, nodes: 2, shape: localcluster.DefaultNodeShape(), engine: f.engine, timeout: 5 * time.Minute}
	if err := flags.run(ctx, &env{in: e.in, out: io.Discard, err: e.err}); err != nil {
		return demo.Cluster{}, err
	}
	fmt.Fprintf(e.out, "  ready after %.1fs\n", time.Since(began).Seconds())
	if err := f.sign(); err != nil {
		return demo.Cluster{}, err
	}
	return clusterNamed(f.name)
}

// startedBy is the file in a cluster's state folder with the hash of the program that
// the demo started it with.
const startedBy = "demo-started-by"

// stopOther stops a cluster that runs another watertight than this: its operator and
// guards would be of another version than what verify compares them with. Data stays.
func (f *demoFlags) stopOther(ctx context.Context, e *env) error {
	state, err := localcluster.StateDir(f.name)
	if err != nil {
		return err
	}
	if _, running, err := localcluster.ReadStatus(state); err != nil || !running {
		return nil // up says what is wrong, if anything is
	}
	self, err := ownHash()
	if err != nil {
		return err
	}
	if other, err := os.ReadFile(filepath.Join(state, startedBy)); err == nil && string(other) == self {
		return nil
	}
	fmt.Fprintf(e.out, "  it runs with another build of watertight: starting it again with this one (its data stays)\n")
	_, err = localcluster.Down(ctx, localcluster.DownOptions{StateDir: state})
	return err
}

// sign notes that this program started the cluster.
func (f *demoFlags) sign() error {
	state, err := localcluster.StateDir(f.name)
	if err != nil {
		return err
	}
	self, err := ownHash()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(state, startedBy), []byte(self), 0o600)
}

// ownHash tells builds of this program apart.
func ownHash() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	file, err := os.Open(self)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

func clusterNamed(name string) (demo.Cluster, error) {
	state, err := localcluster.StateDir(name)
	if err != nil {
		return demo.Cluster{}, err
	}
	c := demo.Cluster{Kubeconfig: localcluster.AdminKubeconfig(state)}
	c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return c, fmt.Errorf("load the administrator's kubeconfig: %w", err)
	}
	c.Config.QPS = -1 // the server's priority and fairness is the limit
	c.Config.WarningHandler = rest.NoWarnings{}
	return c, nil
}

// bare runs a control plane in this process while use runs, and removes it.
func (f *demoFlags) bare(ctx context.Context, e *env, use func(context.Context, demo.Cluster) error) (err error) {
	opts := localcluster.Options{Name: f.leakyName()}
	if opts.StateDir, err = localcluster.StateDir(opts.Name); err != nil {
		return err
	}
	remove := func() error {
		_, err := localcluster.Down(context.WithoutCancel(ctx), localcluster.DownOptions{StateDir: opts.StateDir, Delete: true})
		if errors.Is(err, localcluster.ErrNotFound) {
			return nil
		}
		return err
	}
	if err := remove(); err != nil { // what an interrupted demo left
		return err
	}
	if opts.Engines, err = localcluster.Build(ctx, localcluster.BuildOptions{Prebuilt: f.engine, Progress: e.err}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return whileRunning(ctx, opts, newUpProgress(e.err), func(ctx context.Context) error {
		c, err := clusterNamed(opts.Name)
		if err != nil {
			return err
		}
		return use(ctx, c)
	})
}

// whileRunning runs a cluster in this process, calls use once it is ready, and stops it.
func whileRunning(ctx context.Context, opts localcluster.Options, progress *upProgress, use func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	seen := false
	go func() {
		ended <- localcluster.Run(ctx, opts, func(status localcluster.Status) {
			if seen {
				return
			}
			progress.show(status)
			if status.Phase == localcluster.Ready {
				seen = true
				close(ready)
			}
		})
	}()
	select {
	case err := <-ended:
		return errors.Join(err, ctx.Err())
	case <-ready:
	}
	progress.end()
	err := use(ctx)
	stop()
	return errors.Join(err, <-ended)
}
