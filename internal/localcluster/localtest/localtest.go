// Package localtest gives tests a real control plane: etcd, kube-apiserver,
// kube-controller-manager and kube-scheduler in a folder that is removed afterwards.
//
// It is for tests only. There are no nodes and no operator unless asked for, so pods
// stay Pending. The first use on a machine builds the engines, which takes minutes.
package localtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"watertight.dev/watertight/internal/localcluster"
)

// Cluster is a running control plane.
type Cluster struct {
	kubeconfig string
	config     *rest.Config
	stop       func() error
}

// Config returns a copy of an administrator's client configuration, without a limit
// on requests.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Kubeconfig is the path of an administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// Start runs a control plane of t's own, and stops it when t ends. Options are
// changed by edit, which may be nil.
func Start(t testing.TB, edit ...func(*localcluster.Options)) *Cluster {
	t.Helper()
	cluster, err := start(t.TempDir(), edit...)
	if err != nil {
		t.Fatalf("start a local cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.stop(); err != nil {
			t.Errorf("stop the local cluster: %v", err)
		}
	})
	return cluster
}

var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
	folder  string
}

// Shared returns the one control plane of the test binary, started at the first call.
// Tests that share it must keep to names of their own. Call StopShared after
// m.Run in TestMain; a binary that does not leaves a folder behind, no process.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		shared.folder, shared.err = os.MkdirTemp("", "watertight-localtest-")
		if shared.err == nil {
			shared.cluster, shared.err = start(shared.folder)
		}
	}
	if shared.err != nil {
		t.Fatalf("start the shared local cluster: %v", shared.err)
	}
	return shared.cluster
}

// StopShared stops what Shared started, if anything, and removes its folder.
func StopShared() {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		shared.cluster.stop()
		shared.cluster = nil
	}
	if shared.folder != "" {
		os.RemoveAll(shared.folder)
	}
}

func start(folder string, edit ...func(*localcluster.Options)) (*Cluster, error) {
	opts := localcluster.Options{Name: "test", StateDir: filepath.Join(folder, "state")}
	for _, e := range edit {
		if e != nil {
			e(&opts)
		}
	}
	if opts.Engines.Kubernetes == "" {
		engines, err := localcluster.Build(context.Background(), localcluster.BuildOptions{KWOK: opts.Nodes > 0, Progress: os.Stderr})
		if err != nil {
			return nil, err
		}
		opts.Engines = engines
	}
	kubeconfig, stop, err := supervise(opts)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	config.QPS = -1
	return &Cluster{kubeconfig: kubeconfig, config: config, stop: stop}, nil
}

// supervise runs the cluster in this process and returns when it is ready.
func supervise(opts localcluster.Options) (kubeconfig string, stop func() error, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		ended <- localcluster.Supervise(ctx, opts, func(status localcluster.Status) {
			if status.Phase == localcluster.Ready {
				once.Do(func() { close(ready) })
			}
		})
	}()
	stop = func() error {
		cancel()
		return <-ended
	}
	select {
	case <-ready:
		return localcluster.AdminKubeconfig(opts.StateDir), stop, nil
	case err := <-ended:
		cancel()
		return "", nil, err
	case <-time.After(5 * time.Minute):
		return "", nil, errors.Join(errors.New("not ready after 5 minutes"), stop())
	}
}
