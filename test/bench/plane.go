package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/localcluster"
	"watertight.dev/watertight/internal/reconcile"
)

// plane is a fresh control plane with Watertight installed and no operator.
type plane struct {
	folder   string
	state    string
	admin    client.WithWatch
	operator *rest.Config // the operator's identity
	// kubeconfig is that of the operator.
	kubeconfig string
	stop       func() error
}

// startPlane starts a control plane; the caller stops it, which removes its folder.
func (b *bench) startPlane(ctx context.Context) (*plane, error) {
	folder, err := os.MkdirTemp(b.folder, "plane-")
	if err != nil {
		return nil, fmt.Errorf("make folder of a control plane: %w", err)
	}
	p := &plane{folder: folder, state: filepath.Join(folder, "state"), kubeconfig: filepath.Join(folder, "operator.kubeconfig")}
	opts := localcluster.Options{
		Name: "bench", StateDir: p.state, Engines: b.engines,
		AfterReady: []localcluster.Step{{Name: "install Watertight", Run: b.install}},
	}
	if err := p.supervise(ctx, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("start control plane: %w", err), os.RemoveAll(folder))
	}
	if err := p.connect(); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (b *bench) install(ctx context.Context, kubeconfig string) error {
	out, err := exec.CommandContext(ctx, b.program, "install", "--kubeconfig", kubeconfig).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run watertight install: %w\n%s", err, out)
	}
	return nil
}

// supervise runs the cluster in this process and returns when it is ready.
func (p *plane) supervise(ctx context.Context, opts localcluster.Options) error {
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	open := sync.OnceFunc(func() { close(ready) })
	go func() {
		ended <- localcluster.Run(ctx, opts, func(s localcluster.Status) {
			if s.Phase == localcluster.Ready {
				open()
			}
		})
	}()
	p.stop = func() error {
		cancel()
		return errors.Join(<-ended, os.RemoveAll(p.folder))
	}
	select {
	case <-ready:
		return nil
	case err := <-ended:
		cancel()
		return errors.Join(err, ctx.Err())
	}
}

// connect makes the administrator's client and the operator's identity.
func (p *plane) connect() error {
	admin := localcluster.AdminKubeconfig(p.state)
	config, err := clientcmd.BuildConfigFromFlags("", admin)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1
	if p.admin, err = client.NewWithWatch(config, client.Options{Scheme: reconcile.Scheme()}); err != nil {
		return fmt.Errorf("connect to control plane: %w", err)
	}
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:" + v1alpha1.SystemNamespace, "system:authenticated"}
	p.operator = rest.CopyConfig(config)
	p.operator.Impersonate = rest.ImpersonationConfig{UserName: v1alpha1.OperatorUser, Groups: groups}
	raw, err := clientcmd.LoadFromFile(admin)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	for _, user := range raw.AuthInfos {
		user.Impersonate, user.ImpersonateGroups = v1alpha1.OperatorUser, groups
	}
	if err := clientcmd.WriteToFile(*raw, p.kubeconfig); err != nil {
		return fmt.Errorf("write the operator's kubeconfig: %w", err)
	}
	return nil
}
