package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// testGrace is a short grace period for nodes, so that a test can outwait it.
const testGrace = 15 * time.Second

// testCluster is a cluster of its own in a temporary folder.
type testCluster struct {
	*testing.T
	opts Options
}

func newTestCluster(t *testing.T, nodes int) *testCluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	engines, err := Build(t.Context(), BuildOptions{KWOK: nodes > 0, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	c := &testCluster{T: t, opts: Options{
		Name:       "test",
		StateDir:   filepath.Join(folder, "state"),
		Engines:    engines,
		Nodes:      nodes,
		Kubeconfig: filepath.Join(folder, "kube", "config"),
		Tuning:     Tuning{NodeMonitorGracePeriod: testGrace},
	}}
	t.Cleanup(func() {
		_, err := Down(context.Background(), DownOptions{StateDir: c.opts.StateDir})
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("down: %v", err)
		}
	})
	return c
}

func (c *testCluster) up(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		c.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return Up(ctx, c.opts, []string{self, "test-supervisor", c.opts.StateDir}, nil)
}

func (c *testCluster) mustUp() Status {
	c.Helper()
	if err := c.up(c.Context()); err != nil {
		c.Fatalf("up: %v\n%s", err, logTail(dir(c.opts.StateDir).log("supervisor"), 0))
	}
	return c.status()
}

func (c *testCluster) status() Status {
	c.Helper()
	status, _, err := ReadStatus(c.opts.StateDir)
	if err != nil {
		c.Fatal(err)
	}
	return status
}

// client uses the kubeconfig that up merged into.
func (c *testCluster) client() *kubernetes.Clientset {
	c.Helper()
	client, err := testClient(c.opts.Kubeconfig)
	if err != nil {
		c.Fatal(err)
	}
	return client
}

// eventually waits, generously, until check has nothing to complain of.
func (c *testCluster) eventually(what string, check func(context.Context) error) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 2*time.Minute)
	defer cancel()
	if err := poll(ctx, check); err != nil {
		c.Fatalf("%s: %v", what, err)
	}
}

func (c *testCluster) kill(process ProcessID) {
	c.Helper()
	if !process.alive() {
		c.Fatalf("process %d is not there to be killed", process.PID)
	}
	if err := syscall.Kill(process.PID, syscall.SIGKILL); err != nil {
		c.Fatal(err)
	}
}

func (c *testCluster) wantGone(processes ...ProcessID) {
	c.Helper()
	c.eventually("processes end", func(context.Context) error {
		for _, p := range processes {
			if p.alive() {
				return fmt.Errorf("process %d lives", p.PID)
			}
		}
		return nil
	})
}

func all(status Status) []ProcessID {
	list := []ProcessID{status.Supervisor}
	for _, child := range status.Children {
		list = append(list, child)
	}
	return list
}

func (c *testCluster) writeMarker() {
	c.Helper()
	marker := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "marker"}, Data: map[string]string{"kept": "yes"}}
	if _, err := c.client().CoreV1().ConfigMaps("default").Create(c.Context(), marker, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

func (c *testCluster) wantMarker() {
	c.Helper()
	client := c.client()
	c.eventually("the marker is still there", func(ctx context.Context) error {
		marker, err := client.CoreV1().ConfigMaps("default").Get(ctx, "marker", metav1.GetOptions{})
		if err == nil && marker.Data["kept"] != "yes" {
			err = fmt.Errorf("data %v", marker.Data)
		}
		return err
	})
}
