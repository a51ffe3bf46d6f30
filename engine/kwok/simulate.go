package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	"sigs.k8s.io/kwok/pkg/utils/client"
)

// simulate runs the controllers until ctx ends.
//
// Nodes hold no leases. With them KWOK treats a node as read-only, heartbeats
// included, while it does not see itself as the holder in its cache of leases. So
// one failed watch of leases lets every node go NotReady, and after each restart
// nothing is simulated until the leases of the last process have run out.
func simulate(ctx context.Context, kubeconfig string, heartbeat time.Duration) error {
	conf, err := clients(kubeconfig)
	if err != nil {
		return err
	}
	if conf.LocalStages, err = stages(heartbeat); err != nil {
		return err
	}
	conf.Clock = clock.RealClock{}
	conf.ManageNodesWithAnnotationSelector = "kwok.x-k8s.io/node=fake"
	conf.NodeLeaseDurationSeconds = 0
	// For nodes that carry neither an address nor a range of their own.
	conf.NodeIP, conf.CIDR = "172.31.0.0", "10.128.0.0/24"
	conf.NodePlayStageParallelism, conf.PodPlayStageParallelism = 4, 8
	conf.PodsOnNodeSyncParallelism = 2
	controller, err := controllers.NewController(conf)
	if err != nil {
		return fmt.Errorf("make controllers: %w", err)
	}
	if err := controller.Start(ctx); err != nil {
		return fmt.Errorf("start controllers: %w", err)
	}
	<-ctx.Done()
	return nil
}

// clients returns a configuration that holds the clients the controllers need.
func clients(kubeconfig string) (conf controllers.Config, err error) {
	set, err := client.NewClientset("", kubeconfig)
	if err != nil {
		return conf, fmt.Errorf("make clients: %w", err)
	}
	restConfig, err := set.ToRESTConfig()
	if err != nil {
		return conf, fmt.Errorf("load kubeconfig: %w", err)
	}
	if conf.RESTMapper, err = set.ToRESTMapper(); err != nil {
		return conf, fmt.Errorf("make REST mapper: %w", err)
	}
	if conf.DynamicClient, err = set.ToDynamicClient(); err != nil {
		return conf, fmt.Errorf("make dynamic client: %w", err)
	}
	if conf.RESTClient, err = rest.RESTClientFor(restConfig); err != nil {
		return conf, fmt.Errorf("make REST client: %w", err)
	}
	if conf.TypedClient, err = kubernetes.NewForConfig(restConfig); err != nil {
		return conf, fmt.Errorf("make typed client: %w", err)
	}
	conf.ImpersonatingDynamicClient = set.ToImpersonatingDynamicClient()
	conf.ImpersonatingTypedClient = set.ToImpersonatingTypedClient()
	return conf, nil
}
