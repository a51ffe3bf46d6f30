package cli

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/all"
	"watertight.dev/watertight/internal/reconcile"
)

func newOperatorCommand(e *env) *cobra.Command {
	var c connection
	o := reconcile.Options{Analyzers: all.All()}
	level := slog.LevelInfo
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Run the operator that keeps tenants isolated",
		Long: `Run the operator. In a pod it uses the pod's ServiceAccount, which must be the one that
"watertight install" made; elsewhere it uses the kubeconfig. /healthz answers while it lives, /readyz
once the guards were seen to refuse.`,
		Example: "  watertight operator --kubeconfig operator.kubeconfig --metrics-bind-address 127.0.0.1:8080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger := logr.FromSlogHandler(slog.NewJSONHandler(e.err, &slog.HandlerOptions{Level: level}))
			ctrl.SetLogger(logger)
			klog.SetLogger(logger)
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(50) // the cache is large and long-lived: a little time for a lot of memory
			}
			config, err := operatorConfig(&c)
			if err != nil {
				return err
			}
			m, err := reconcile.New(config, o)
			if err != nil {
				return cannotTell(err)
			}
			if err := m.Start(cmd.Context()); err != nil {
				return cannotTell(fmt.Errorf("run operator: %w", err))
			}
			return nil
		},
	}
	c.addFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.Operator, "operator-user", v1alpha1.OperatorUser, "exact username of this operator, which the guards exempt")
	f.IntVar(&o.Workers, "workers", 8, "tenants reconciled at once")
	f.BoolVar(&o.LeaderElection, "leader-elect", false, "wait for a lease, so that replicas can stand by")
	f.StringVar(&o.MetricsAddress, "metrics-bind-address", "127.0.0.1:8080", `address of /metrics ("0" for none)`)
	f.StringVar(&o.HealthAddress, "health-probe-bind-address", "127.0.0.1:8081", `address of /healthz and /readyz ("0" for none)`)
	f.TextVar(&level, "log-level", slog.LevelInfo, "least level that is logged (DEBUG, INFO, WARN, ERROR)")
	return cmd
}

// operatorConfig is the pod's own credential where there is one and none was named.
func operatorConfig(c *connection) (*rest.Config, error) {
	if !c.asked() {
		if config, err := rest.InClusterConfig(); err == nil {
			return config, nil
		}
	}
	return c.config()
}
