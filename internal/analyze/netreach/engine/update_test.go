package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// history is a cluster that changes, kept beside an engine that is told.
type history struct {
	generator
	objects map[snapshot.ObjectKey]snapshot.Object
	engine  *Engine
}

// event changes something at random and returns what it did.
func (h *history) event() Event {
	if h.chance(30) && len(h.objects) > 0 {
		keys := slices.SortedFunc(maps.Keys(h.objects), snapshot.ObjectKey.Compare)
		key := pick(h.generator, keys...)
		gone := h.objects[key]
		delete(h.objects, key)
		return Event{Object: gone, Gone: true}
	}
	var o snapshot.Object
	switch h.IntN(4) {
	case 0:
		o = h.pod(pick(h.generator, append(testNamespaces, "late")...), fmt.Sprintf("p%d", h.IntN(3)))
	case 1:
		o = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name:   pick(h.generator, append(testNamespaces, "late")...),
			Labels: map[string]string{"ns": pick(h.generator, "x", "z", "a"), "parity": pick(h.generator, "0", "1")},
		}}
	default:
		p := h.policy(fmt.Sprintf("np%d", h.IntN(4)))
		p.Namespace = pick(h.generator, append(testNamespaces, "late")...)
		o = p
	}
	h.objects[snapshot.KeyOf(o)] = o
	return Event{Object: o}
}

// TestChangesEqualARebuild applies random changes to an engine and compares it, after each
// sequence, with one that was made anew.
func TestChangesEqualARebuild(t *testing.T) {
	sequences := 10_000
	if testing.Short() {
		sequences = 1_000
	}
	for seed := range uint64(sequences) {
		h := &history{generator: newGenerator(seed), objects: map[snapshot.ObjectKey]snapshot.Object{}}
		start := h.cluster()
		for _, k := range snapshot.Kinds() {
			for _, o := range k.Of(start) {
				h.objects[snapshot.KeyOf(o)] = o
			}
		}
		options := Options{BlocksMatchPods: Mode(seed % 3)}
		h.engine = New(start, options)
		var events []Event
		for range 1 + h.IntN(6) {
			events = append(events, h.event())
			h.engine.Apply(events[len(events)-1])
			if h.chance(20) { // asking in between changes nothing
				h.engine.Pairs(func(_, _ *Class, _ Reach) bool { return true })
			}
		}
		now := h.snapshot()
		got, want := described(t, h.engine, now), described(t, New(now, options), now)
		if got != want {
			t.Fatalf("seed %d: after %s\ngot\n%s\nwant\n%s", seed, tell(events), got, want)
		}
	}
}

func (h *history) snapshot() *snapshot.Snapshot {
	s := load.Objects()
	for _, key := range slices.SortedFunc(maps.Keys(h.objects), snapshot.ObjectKey.Compare) {
		s = s.With(h.objects[key])
	}
	return s
}

// described is all that an engine says of the pods, by flows and by pairs.
func described(t *testing.T, e *Engine, s *snapshot.Snapshot) string {
	t.Helper()
	flows := pairedByFlows(t, e)
	var lines []string
	for _, from := range s.Pods {
		for _, to := range s.Pods {
			if from == to || from.Status.Phase == corev1.PodFailed {
				continue
			}
			flow, direct := flows[[2]string{podName(from), podName(to)}], e.PodReach(from, to)
			lines = append(lines, fmt.Sprintf("%s -> %s: %v / %v", podName(from), podName(to), flow, direct))
		}
		if c := e.ClassOf(from); c != nil {
			lines = append(lines, fmt.Sprintf("%s: %v %v", podName(from), e.Outside(0, c), e.Outside(1, c)))
		}
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}

func tell(events []Event) string {
	var out string
	for _, e := range events {
		out += fmt.Sprintf("\n  %v gone=%t %v", snapshot.KeyOf(e.Object), e.Gone, e.Object)
	}
	return out
}
