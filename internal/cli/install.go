package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/install"
	"watertight.dev/watertight/internal/reconcile"
	"watertight.dev/watertight/internal/reconcile/capability"
)

func newInstallCommand(e *env) *cobra.Command {
	var c connection
	var operator string
	var classes bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install or upgrade Watertight in a cluster: CRDs, guards, classes, the operator's rights",
		Long: `Install or upgrade Watertight in a cluster: the CRDs, the guards (admission policies), the
tenant classes and the identity and rights of the operator. It needs cluster-admin, is safe to run
again, and never removes a guard on the way. Run the operator afterwards: watertight operator.`,
		Example: "  watertight install\n  watertight install --context prod --classes=false",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := c.config()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			o := installOptions(config, operator, func(part string) { fmt.Fprintf(e.out, "installed %s\n", part) })
			o.Classes = classes
			return cannotTell(install.Install(ctx, o))
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&operator, "operator-user", v1alpha1.OperatorUser, "exact username of the operator, which the guards exempt")
	cmd.Flags().BoolVar(&classes, "classes", true, "create the shipped tenant classes that are missing")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "give up after this long")
	return cmd
}

func newUninstallCommand(e *env) *cobra.Command {
	var c connection
	var operator string
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove Watertight from a cluster that has no tenants left",
		Long: `Remove the guards, the operator's identity and the CRDs (with the tenant classes) from a cluster.
It refuses while there are tenants. Stop the operator first, or it puts the guards back.`,
		Example: "  watertight uninstall --context prod",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := c.config()
			if err != nil {
				return err
			}
			o := installOptions(config, operator, func(part string) { fmt.Fprintln(e.out, part) })
			return cannotTell(install.Uninstall(cmd.Context(), o))
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&operator, "operator-user", v1alpha1.OperatorUser, "exact username of the operator")
	return cmd
}

func installOptions(config *rest.Config, operator string, progress func(string)) install.Options {
	scheme := reconcile.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		panic(err) // registering generated types cannot fail
	}
	return install.Options{
		Config: config, Scheme: scheme, Operator: operator, Classes: true,
		Capabilities: capability.Read, Progress: progress,
	}
}
