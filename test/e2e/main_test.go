// Package e2e tries the operator against a real control plane: what a tenant gets, what
// its owner is refused, and what holds after every single write. There are no nodes, so
// pods stay Pending.
package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/all"
	"watertight.dev/watertight/internal/install"
	"watertight.dev/watertight/internal/localcluster/localtest"
	"watertight.dev/watertight/internal/reconcile"
	"watertight.dev/watertight/internal/reconcile/capability"
)

// patience is how long a test waits for the cluster to come round. It is generous because
// machines are shared; a test that has to wait that long has failed.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	level := slog.LevelError
	out := io.Discard
	if os.Getenv("WATERTIGHT_TEST_LOG") != "" {
		level, out = slog.LevelInfo, os.Stderr
	}
	logger := logr.FromSlogHandler(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	code := m.Run()
	localtest.StopShared()
	os.Exit(code)
}

func scheme() *runtime.Scheme {
	s := reconcile.Scheme()
	if err := apiextensionsv1.AddToScheme(s); err != nil {
		panic(err)
	}
	return s
}

// cluster is a control plane with Watertight installed and no operator running.
func cluster(t *testing.T) (*rest.Config, client.Client) {
	t.Helper()
	config := localtest.Shared(t).Config()
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	err = install.Install(t.Context(), install.Options{
		Config: config, Scheme: scheme(), Operator: v1alpha1.OperatorUser, Classes: true,
		Capabilities: capability.Read, Progress: func(string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return config, c
}

// operator runs an operator with its real rights until stop is called or the test ends.
// wrap may watch or cut its requests.
func operator(t *testing.T, config *rest.Config, wrap func(*rest.Config)) (stop func()) {
	t.Helper()
	config = rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{UserName: v1alpha1.OperatorUser, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:" + v1alpha1.SystemNamespace, "system:authenticated"}}
	if wrap != nil {
		wrap(config)
	}
	m, err := reconcile.New(config, reconcile.Options{
		Operator: v1alpha1.OperatorUser, Workers: 2, MetricsAddress: "0", HealthAddress: "0", Uncontested: true,
		Analyzers: all.All(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits until check returns nil, and fails with its last error otherwise.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %s: %v", patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func parse[T any](t *testing.T, text string) *T {
	t.Helper()
	out := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func decode(from map[string]any, into client.Object) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(from, into)
}

func eachItem(list client.ObjectList, use func(client.Object)) error {
	return meta.EachListItem(list, func(o runtime.Object) error {
		object, ok := o.(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", o)
		}
		use(object)
		return nil
	})
}
