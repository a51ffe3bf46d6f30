package localcluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// The test binary plays three parts: the tests, the supervisor that they start, and
// the operator that the supervisor runs.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch os.Args[1] {
	case "test-supervisor":
		err = SuperviseInherited(ctx, os.Args[2], testConfigure)
	case "test-operator":
		err = runTestOperator(ctx, os.Args[2:])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const testOperatorName = "system:serviceaccount:test-system:test-operator"

// testConfigure gives the cluster a step and an operator that depends on it.
func testConfigure(o *Options) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	o.AfterReady = []Step{{Name: "test step", Run: runTestStep}}
	o.Operator = &Operator{
		Program:  self,
		Args:     []string{"test-operator", "--report=" + filepath.Join(o.StateDir, "operator-report")},
		Username: testOperatorName,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:test-system"},
	}
}

func testClient(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

func runTestStep(ctx context.Context, kubeconfig string) error {
	client, err := testClient(kubeconfig)
	if err != nil {
		return err
	}
	step := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "test-step"}}
	_, err = client.CoreV1().ConfigMaps("default").Create(ctx, step, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// runTestOperator writes down who the API server says it is and serves /readyz.
func runTestOperator(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("test-operator", flag.ContinueOnError)
	report := flags.String("report", "", "")
	kubeconfig := flags.String("kubeconfig", "", "")
	health := flags.String("health-probe-bind-address", "", "")
	flags.String("metrics-bind-address", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := testClient(*kubeconfig)
	if err != nil {
		return err
	}
	self, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := os.WriteFile(*report, []byte(self.Status.UserInfo.Username), 0o600); err != nil {
		return err
	}
	server := &http.Server{Addr: *health, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
