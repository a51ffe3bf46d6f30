package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	"sigs.k8s.io/kwok/kustomize/stage/node/heartbeat"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	"sigs.k8s.io/kwok/pkg/utils/client"
)

var _ embed.FS
var _ fs.FS
var _ rest.Config

// stages are upstream's own: a node becomes Ready, stays so by its heartbeat, and a
// pod runs at once, completes if a Job owns it, and goes when it is deleted.
func stages() (map[internalversion.StageResourceRef][]*internalversion.Stage, error) {
	byKind := map[internalversion.StageResourceRef][]*internalversion.Stage{}
	for _, text := range []string{
		fast.DefaultNodeInit,
		heartbeat.DefaultNodeHeartbeat,
		podfast.DefaultPodReady,
		podfast.DefaultPodComplete,
		podfast.DefaultPodDelete,
	} {
		stage, err := config.UnmarshalWithType[*internalversion.Stage](text)
		if err != nil {
			return nil, fmt.Errorf("decode stage: %w", err)
		}
		byKind[stage.Spec.ResourceRef] = append(byKind[stage.Spec.ResourceRef], stage)
	}
	return byKind, nil
}

// simulate runs the controllers until ctx ends.
func simulate(ctx context.Context, kubeconfig string, leaseSeconds uint) error {
	conf, err := controllerConfig(kubeconfig)
	if err != nil {
		return err
	}
	conf.NodeLeaseDurationSeconds = leaseSeconds
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

func controllerConfig(kubeconfig string) (controllers.Config, error) {
	clients, err := client.NewClientset("", kubeconfig)
	if err != nil {
		return controllers.Config{}, fmt.Errorf("make clients: %w", err)
	}
	restConfig, err := clients.ToRESTConfig()
	if err != nil {
		return controllers.Config{}, fmt.Errorf("load kubeconfig: %w", err)
	}
	mapper, err := clients.ToRESTMapper()
	if err != nil {
		return controllers.Config{}, fmt.Errorf("make REST mapper: %w", err)
	}
	dynamicClient, err := clients.ToDynamicClient()
	if err != nil {
		return controllers.Config{}, err
	}
	restClient, err := rest.RESTClientFor(restConfig)
	if err != nil {
		return controllers.Config{}, fmt.Errorf("make REST client: %w", err)
	}
	typed, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return controllers.Config{}, fmt.Errorf("make typed client: %w", err)
	}
	id, err := controllers.Identity()
	if err != nil {
		return controllers.Config{}, err
	}
	local, err := stages()
	if err != nil {
		return controllers.Config{}, err
	}
	return controllers.Config{
		Clock:                             clock.RealClock{},
		ID:                                id,
		DynamicClient:                     dynamicClient,
		RESTClient:                        restClient,
		RESTMapper:                        mapper,
		TypedClient:                       typed,
		ImpersonatingDynamicClient:        clients.ToImpersonatingDynamicClient(),
		ImpersonatingTypedClient:          clients.ToImpersonatingTypedClient(),
		ManageNodesWithAnnotationSelector: "kwok.x-k8s.io/node=fake",
		LocalStages:                       local,
		CIDR:                              "10.0.0.0/24",
		NodeIP:                            "10.0.0.1",
		PodPlayStageParallelism:           8,
		NodePlayStageParallelism:          4,
		NodeLeaseParallelism:              4,
		PodsOnNodeSyncParallelism:         2,
	}, nil
}
