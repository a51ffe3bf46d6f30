package cli

import (
	"context"
	"os"

	"k8s.io/client-go/tools/clientcmd"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/install"
	"watertight.dev/watertight/internal/localcluster"
)

// completeCluster adds to a local cluster what it is for: Watertight installed once its
// API is ready, and the operator. Both up and its supervisor call it.
func completeCluster(o *localcluster.Options) {
	o.AfterReady = append(o.AfterReady, localcluster.Step{Name: "install Watertight", Run: installInto})
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0] // as good as it gets; starting it says what is wrong
	}
	o.GuardKeeper = v1alpha1.OperatorUser
	o.Operator = &localcluster.Operator{
		Program:  self,
		Args:     []string{"operator"},
		Username: v1alpha1.OperatorUser,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + v1alpha1.SystemNamespace},
	}
}

func installInto(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	return install.Install(ctx, installOptions(config, v1alpha1.OperatorUser, func(string) {}))
}
