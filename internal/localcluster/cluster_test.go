package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLife takes one cluster from nothing to nothing.
func TestLife(t *testing.T) {
	c := newTestCluster(t, 2)
	first := c.mustUp()
	t.Logf("steps: %+v", first.Steps)
	c.writeMarker()
	t.Run("the step ran and the operator has its own identity", func(t *testing.T) {
		if _, err := c.client().CoreV1().ConfigMaps("default").Get(t.Context(), "test-step", metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
		report, err := os.ReadFile(filepath.Join(c.opts.StateDir, "operator-report"))
		if err != nil || string(report) != testOperatorName {
			t.Errorf("operator's name %q (%v), want %q", report, err, testOperatorName)
		}
	})
	t.Run("a second up attaches", func(t *testing.T) {
		if second := c.mustUp(); second.Supervisor != first.Supervisor || second.Children["etcd"] != first.Children["etcd"] {
			t.Errorf("processes changed: %+v, then %+v", first, second)
		}
	})
	t.Run("nodes are simulated and stay Ready", c.testNodes)
	for _, name := range []string{"etcd", "kube-apiserver", "kwok"} {
		t.Run("kill -9 of "+name, func(t *testing.T) {
			victim := c.status().Children[name]
			c.kill(victim)
			c.eventually(name+" is started again", func(context.Context) error {
				if now := c.status().Children[name]; now == victim || !now.alive() {
					return fmt.Errorf("%s is process %d", name, now.PID)
				}
				return nil
			})
			c.wantMarker()
		})
	}
	t.Run("kill -9 of the supervisor", func(t *testing.T) {
		before := c.status()
		c.kill(before.Supervisor)
		c.wantGone(all(before)...)
		if after := c.mustUp(); after.Supervisor == before.Supervisor {
			t.Error("the killed supervisor is said to run")
		}
		c.wantMarker()
	})
	c.testDown()
}

func (c *testCluster) testDown() {
	running := c.status()
	if was, err := Down(c.Context(), DownOptions{StateDir: c.opts.StateDir}); err != nil || !was {
		c.Fatalf("down: %v (was running: %t)", err, was)
	}
	c.wantGone(all(running)...)
	c.mustUp()
	c.wantMarker()
	running = c.status()
	if _, err := Down(c.Context(), DownOptions{StateDir: c.opts.StateDir, Delete: true}); err != nil {
		c.Fatalf("down --delete: %v", err)
	}
	c.wantGone(all(running)...)
	if _, err := os.Stat(c.opts.StateDir); !os.IsNotExist(err) {
		c.Errorf("the state folder is still there (%v)", err)
	}
	config, err := loadKubeconfig(c.opts.Kubeconfig)
	if err != nil || len(config.Contexts)+len(config.Clusters)+len(config.AuthInfos) != 0 {
		c.Errorf("the kubeconfig still names the cluster: %v (%v)", config, err)
	}
}

// testNodes wants a pod to run with an address and the nodes to stay Ready for more
// than twice the time after which a silent one would not be.
func (c *testCluster) testNodes(t *testing.T) {
	client := c.client()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
	c.eventually("a pod is accepted", func(ctx context.Context) error {
		_, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	c.eventually("the pod runs", func(ctx context.Context) error {
		now, err := client.CoreV1().Pods("default").Get(ctx, "pod", metav1.GetOptions{})
		if err == nil && (now.Status.Phase != corev1.PodRunning || now.Status.PodIP == "") {
			err = fmt.Errorf("phase %s, address %q", now.Status.Phase, now.Status.PodIP)
		}
		return err
	})
	for end := time.Now().Add(2*testGrace + testGrace/2); time.Now().Before(end); time.Sleep(time.Second) {
		nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(nodes.Items) != c.opts.Nodes {
			t.Fatalf("%d nodes, want %d", len(nodes.Items), c.opts.Nodes)
		}
		for _, node := range nodes.Items {
			if !nodeReady(&node) {
				t.Fatalf("node %s is not Ready: %+v", node.Name, node.Status.Conditions)
			}
			if node.Labels[SimulatedLabel] != "true" || !strings.Contains(node.Name, "simulated") {
				t.Fatalf("node %s does not say that it is simulated: %v", node.Name, node.Labels)
			}
		}
	}
}

// TestInterrupted stops an up half-way; the next finishes what it began.
func TestInterrupted(t *testing.T) {
	c := newTestCluster(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if status, _, err := ReadStatus(c.opts.StateDir); err == nil && status.Children["kube-apiserver"].alive() {
				cancel()
			}
			time.Sleep(pollInterval)
		}
	}()
	if err := c.up(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted up: %v, want %v", err, context.Canceled)
	}
	c.wantGone(all(c.status())...)
	c.mustUp()
}

// TestDownKillsAStuckSupervisor wants down to get its way, and nothing to be left.
func TestDownKillsAStuckSupervisor(t *testing.T) {
	c := newTestCluster(t, 0)
	running := c.mustUp()
	if err := syscall.Kill(running.Supervisor.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	was, err := Down(t.Context(), DownOptions{StateDir: c.opts.StateDir, Patience: time.Second})
	if err != nil || !was {
		t.Fatalf("down: %v (was running: %t)", err, was)
	}
	c.wantGone(all(running)...)
}

// TestStoreFull fills etcd's quota during the first boot.
func TestStoreFull(t *testing.T) {
	c := newTestCluster(t, 0)
	c.opts.Tuning.EtcdQuotaBytes = 100 << 10
	err := c.up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "quota") {
		t.Fatalf("up with a full store: %v, want an error that names the quota", err)
	}
	c.wantGone(all(c.status())...)
}

// TestMalformedKubeconfig wants nothing started and the file as it was.
func TestMalformedKubeconfig(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "config")
	const content = "clusters: {not: [a list"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := Options{Name: "test", StateDir: filepath.Join(folder, "state"), Kubeconfig: path}
	err := Up(t.Context(), opts, []string{"/nonexistent"}, nil)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("up: %v, want an error that names the file", err)
	}
	if now, _ := os.ReadFile(path); string(now) != content {
		t.Errorf("the file is now %q", now)
	}
	if _, err := os.Stat(opts.StateDir); !os.IsNotExist(err) {
		t.Errorf("a state folder was made (%v)", err)
	}
}
