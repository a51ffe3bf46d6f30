package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// history is a cluster that changes, kept beside an engine that is told.
type history struct {
	generator
	objects map[snapshot.ObjectKey]snapshot.Object
	engine  *Engine
}

// event changes something at random and returns what it did. Namespaces may come after
// what is in them, labels move, addresses and ports change.
func (h *history) event() Event {
	if h.chance(30) && len(h.objects) > 0 {
		keys := slices.SortedFunc(maps.Keys(h.objects), snapshot.ObjectKey.Compare)
		key := pick(h.generator, keys...)
		gone := h.objects[key]
		delete(h.objects, key)
		return Event{Object: gone, Gone: true}
	}
	var o snapshot.Object
	somewhere := pick(h.generator, append(testNamespaces, "late")...)
	switch h.IntN(10) {
	case 0, 1:
		o = h.dualPod(somewhere, fmt.Sprintf("p%d", h.IntN(3)))
	case 2, 3:
		o = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: somewhere, Labels: map[string]string{"ns": pick(h.generator, "x", "z", "a"), "parity": pick(h.generator, "0", "1")},
		}}
	case 4:
		o = h.node(pick(h.generator, "n0", "n1"))
	case 5:
		o = h.tiered(fmt.Sprintf("cnp%d", h.IntN(3)))
	case 6:
		p := h.cilium(fmt.Sprintf("cilium%d", h.IntN(3)))
		if p.GetNamespace() != "" {
			p.SetNamespace(somewhere)
		}
		o = p
	default:
		p := h.policy(fmt.Sprintf("np%d", h.IntN(4)))
		p.Namespace = somewhere
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
		if seed%2 == 0 {
			start = h.mixed()
		}
		for _, o := range objectsOf(start) {
			h.objects[snapshot.KeyOf(o)] = o
		}
		options := Options{BlocksMatchPods: Mode(seed % 3)}
		h.engine = New(start, options)
		var events []Event
		for range 1 + h.IntN(6) {
			events = append(events, h.event())
			h.engine.Apply(events[len(events)-1])
			if h.chance(60) { // asking in between changes nothing
				h.engine.Pairs(func(_, _ *Class, _ Reach) bool { return true })
			}
		}
		now := h.snapshot()
		got, want := described(t, h.engine, now), described(t, New(now, options), now)
		if got != want {
			t.Fatalf("seed %d: after %s\n(-want +got)\n%s", seed, tell(events), cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
		}
	}
}

func (h *history) snapshot() *snapshot.Snapshot {
	var all []snapshot.Object
	for _, key := range slices.SortedFunc(maps.Keys(h.objects), snapshot.ObjectKey.Compare) {
		all = append(all, h.objects[key])
	}
	return pictured(all)
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
	for _, u := range e.Unread {
		lines = append(lines, fmt.Sprintf("%v is unread at %q: %s", snapshot.KeyOf(u.Object), u.Field, u.Why))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func tell(events []Event) string {
	var out string
	for _, e := range events {
		out += fmt.Sprintf("\n  %v gone=%t %v", snapshot.KeyOf(e.Object), e.Gone, e.Object)
	}
	return out
}

// TestOtherObjectsArePassedOver: an event of a kind that governs no traffic changes
// nothing, typed or not.
func TestOtherObjectsArePassedOver(t *testing.T) {
	s := newGenerator(1).mixed()
	e := New(s, Options{})
	before := described(t, e, s)
	for _, o := range []snapshot.Object{
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "web"}},
		toObject("gateway.networking.k8s.io/v1", "HTTPRoute", "x", "web", tree{}),
		toObject("cilium.io/v2", "CiliumEndpoint", "x", "p0", tree{}),
	} {
		e.Apply(Event{Object: o}, Event{Object: o, Gone: true}, Event{Object: o})
		if after := described(t, e, s); after != before {
			t.Errorf("%T %s changed\n%s", o, o.GetName(), cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")))
		}
	}
}

// TestMixedClustersAreRead: the dice write policies that engines would take, or the tests
// that use them would try nothing.
func TestMixedClustersAreRead(t *testing.T) {
	policies, unread := map[string]int{}, map[string]int{}
	for seed := range uint64(200) {
		s := newGenerator(seed).mixed()
		for _, u := range s.Others {
			policies[u.GetKind()]++
		}
		for _, u := range New(s, Options{}).Unread {
			unread[u.Object.GetObjectKind().GroupVersionKind().Kind]++
		}
	}
	for _, kind := range []string{"ClusterNetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"} {
		if policies[kind] < 30 || 4*unread[kind] > policies[kind] {
			t.Errorf("%d of %d policies of kind %s were not read", unread[kind], policies[kind], kind)
		}
	}
}

// TestNodeChangesItsLabels: a rule about nodes follows their labels, also in the flows
// that were asked for before. The dice hardly make this case.
func TestNodeChangesItsLabels(t *testing.T) {
	g := newGenerator(1)
	host, pod, node := g.pod("x", "host"), g.pod("x", "pod"), g.node("n0")
	host.Spec.HostNetwork, host.Spec.NodeName, pod.Spec.HostNetwork, pod.Spec.NodeName = true, "n0", false, "n1"
	node.Labels = map[string]string{"gpu": "a"}
	deny := toObject("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "", "deny", tree{
		"tier": "Admin", "priority": 1, "subject": tree{"namespaces": tree{}},
		"egress": []any{tree{"action": "Deny", "to": []any{tree{"nodes": tree{"matchLabels": tree{"gpu": "a"}}}}}},
	})
	s := pictured([]snapshot.Object{host, pod, node, deny})
	e := New(s, Options{})
	before := described(t, e, s)
	node = node.DeepCopy()
	node.Labels = map[string]string{"gpu": "b"}
	e.Apply(Event{Object: node})
	now := pictured([]snapshot.Object{host, pod, node, deny})
	after, want := described(t, e, now), described(t, New(now, Options{}), now)
	if after != want || after == before {
		t.Errorf("got\n%s\nwant\n%s\nbefore\n%s", after, want, before)
	}
}
