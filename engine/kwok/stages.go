package main

import (
	_ "embed"
	"fmt"
	"time"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	"sigs.k8s.io/kwok/kustomize/stage/node/heartbeat"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/config"
)

//go:embed pod-ready-again.yaml
var podReadyAgain string

type stagesByKind = map[internalversion.StageResourceRef][]*internalversion.Stage

// stages are upstream's (a node becomes Ready and stays so by its heartbeat; a pod
// runs at once, completes if a Job owns it, goes when it is deleted) and one of our
// own, for pods that were marked unready while their node was silent.
func stages(every time.Duration) (stagesByKind, error) {
	byKind := stagesByKind{}
	for _, text := range []string{
		nodefast.DefaultNodeInit,
		heartbeat.DefaultNodeHeartbeat,
		podfast.DefaultPodReady,
		podReadyAgain,
		podfast.DefaultPodComplete,
		podfast.DefaultPodDelete,
	} {
		stage, err := config.UnmarshalWithType[*internalversion.Stage](text)
		if err != nil {
			return nil, fmt.Errorf("decode stage: %w", err)
		}
		if text == heartbeat.DefaultNodeHeartbeat {
			setInterval(stage, every)
		}
		byKind[stage.Spec.ResourceRef] = append(byKind[stage.Spec.ResourceRef], stage)
	}
	return byKind, nil
}

// setInterval spreads the stage over the time from every to a tenth more.
func setInterval(stage *internalversion.Stage, every time.Duration) {
	least, most := every.Milliseconds(), (every + every/10).Milliseconds()
	stage.Spec.Delay.DurationMilliseconds = &least
	stage.Spec.Delay.JitterDurationMilliseconds = &most
}
