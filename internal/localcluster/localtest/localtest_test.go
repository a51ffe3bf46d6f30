package localtest_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"watertight.dev/watertight/internal/localcluster/localtest"
)

func TestStart(t *testing.T) {
	cluster := localtest.Start(t)
	client := kubernetes.NewForConfigOrDie(cluster.Config())
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != "v1.37.2" {
		t.Errorf("server version %s, want v1.37.2", version.GitVersion)
	}
	if _, err := client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
}
