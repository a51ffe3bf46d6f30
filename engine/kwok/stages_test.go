package main

import (
	"testing"
	"time"
)

func TestStages(t *testing.T) {
	byKind, err := stages(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, list := range byKind {
		for _, stage := range list {
			names[stage.Name] = true
			if stage.Name == "node-heartbeat" {
				if got := *stage.Spec.Delay.DurationMilliseconds; got != 10_000 {
					t.Errorf("a heartbeat every %d ms, want 10000", got)
				}
			}
		}
	}
	for _, want := range []string{"node-initialize", "node-heartbeat", "pod-ready", "pod-ready-again", "pod-complete", "pod-delete"} {
		if !names[want] {
			t.Errorf("stage %s is missing from %v", want, names)
		}
	}
}
