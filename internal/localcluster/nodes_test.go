package localcluster

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestNodesComeBack silences the simulator until its nodes are NotReady, and wants
// them and their pods Ready once it speaks again.
func TestNodesComeBack(t *testing.T) {
	c := newTestCluster(t, 1)
	c.mustUp()
	client := c.client()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
	podReady := func(want corev1.ConditionStatus) func(context.Context) error {
		return func(ctx context.Context) error {
			now, err := client.CoreV1().Pods("default").Get(ctx, "pod", metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, condition := range now.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == want {
					return nil
				}
			}
			return fmt.Errorf("conditions %+v", now.Status.Conditions)
		}
	}
	c.eventually("a pod is accepted", func(ctx context.Context) error {
		_, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	c.eventually("the pod is ready", podReady(corev1.ConditionTrue))
	simulator := c.status().Children["kwok"].PID
	if err := syscall.Kill(simulator, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(simulator, syscall.SIGCONT) })
	c.eventually("the node is NotReady", func(ctx context.Context) error {
		if nodesReady(ctx, client, 1) == nil {
			return fmt.Errorf("still Ready")
		}
		return nil
	})
	c.eventually("the pod is unready", podReady(corev1.ConditionFalse))
	if err := syscall.Kill(simulator, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.eventually("the node is Ready again", func(ctx context.Context) error { return nodesReady(ctx, client, 1) })
	c.eventually("the pod is ready again", podReady(corev1.ConditionTrue))
}
