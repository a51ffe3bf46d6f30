package compile_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

// The proof of the compiler: whatever it makes of any set of Tenants, an engine that
// shares no code with it finds exactly what the Tenants declare to be open, and nothing
// else. TestProof asks the engine, pod by pod, and an oracle that reads the Tenants;
// TestProofByVerdicts asks the judge.

// TestProof: between any two pods is open what every tenant concerned declares, no more
// and no less, and so it is with addresses outside the cluster, whatever the network
// plugin makes of ipBlocks.
func TestProof(t *testing.T) {
	var seen tally
	for seed := range worlds(t) {
		d := dice{Rand: rand.New(rand.NewPCG(seed, 3)), wide: seed%2 == 0}
		w, s := build(t, d)
		for _, mode := range []engine.Mode{engine.Unknown, engine.Yes, engine.No} {
			e := engine.New(s, engine.Options{BlocksMatchPods: mode, NodeLocalExempt: engine.No})
			o := newDeclared(w, s)
			if wrong := append(o.pods(e, &seen), o.addresses(e, &seen)...); len(wrong) > 0 {
				t.Fatalf("seed %d, mode %d: %d differences, first\n%s\n%s", seed, mode, len(wrong), wrong[0], w.yaml())
			}
		}
		seen.rejected += w.rejected
		seen.split += split(s)
	}
	t.Logf("%+v", seen)
	if seen.shared == 0 || seen.inside == 0 || seen.platform == 0 || seen.outside == 0 || seen.rejected == 0 || seen.closed == 0 || seen.split == 0 && !testing.Short() {
		t.Errorf("the dice try too little: %+v", seen)
	}
}

// TestProofByVerdicts: the judge finds every network guarantee to hold. Where flows name
// blocks in which pods may be whose address nobody knows yet, it may be in doubt, and
// says why.
func TestProofByVerdicts(t *testing.T) {
	answers := map[guarantee.Verdict]int{}
	for seed := range worlds(t) {
		d := dice{Rand: rand.New(rand.NewPCG(seed, 4)), wide: seed%3 == 0}
		w, s := build(t, d)
		for _, f := range netreach.Run(s) {
			answers[f.Verdict]++
			switch {
			case f.Guarantee == guarantee.NET6: // about the nodes' ports, which compile cannot close to their own pods
			case f.Verdict == guarantee.Holds:
			case f.Verdict == guarantee.Unknown && d.wide && strings.HasPrefix(f.Reason, "Perhaps"):
			default:
				t.Fatalf("seed %d: %s %s %s %s: %s\n%v\n%s", seed, f.Tenant, f.Guarantee, f.Verdict, f.Reason, f.Message, f.Evidence, w.yaml())
			}
		}
	}
	if answers[guarantee.Holds] == 0 {
		t.Errorf("nothing holds: %v", answers)
	}
}

func worlds(t *testing.T) uint64 {
	t.Helper()
	if testing.Short() {
		return 40
	}
	return 120
}

// tally counts what the dice tried.
type tally struct{ shared, inside, platform, outside, closed, rejected, split int }

// split counts the floors whose peers do not go into one rule (25 at most).
func split(s *snapshot.Snapshot) (n int) {
	for _, o := range s.Others {
		if ingress, _, _ := unstructured.NestedSlice(o.Object, "spec", "ingress"); o.GetKind() == "ClusterNetworkPolicy" && len(ingress) > 2 {
			n++
		}
	}
	return n
}

// build compiles a world's tenants and lays what comes of them over the rest of it.
func build(t *testing.T, d dice) (*world, *snapshot.Snapshot) {
	t.Helper()
	w := d.world()
	var plain []runtime.Object
	for _, c := range w.classes {
		plain = append(plain, c)
	}
	for _, n := range w.nodes {
		plain = append(plain, n)
	}
	for _, n := range w.platform {
		plain = append(plain, n)
	}
	s := load.Objects(plain...)
	capabilities := verify.CapabilitiesOf(s)
	capabilities.ClusterNetworkPolicy = d.chance(50)
	objects := w.compile(t, capabilities)
	for _, tenant := range w.tenants {
		objects = append(objects, tenant)
	}
	w.populate(d)
	for _, p := range w.pods {
		objects = append(objects, p)
	}
	return w, s.With(objects...)
}

// mend takes out the flow that a rejection names, as its author would unless stubborn. It
// reports whether the tenant may be tried again.
func mend(t *v1alpha1.Tenant, r *compile.Rejected) bool {
	var i int
	if _, err := fmt.Sscanf(r.Field, "spec.network.flows[%d]", &i); err != nil || t.Annotations["author"] == "stubborn" {
		return false
	}
	t.Spec.Network.Flows = slices.Delete(t.Spec.Network.Flows, i, i+1)
	return true
}

// compile compiles all tenants. Those that are rejected are mended or dropped, and it
// begins again: who is not there shares nothing.
func (w *world) compile(t *testing.T, capabilities compile.Capabilities) []runtime.Object {
	t.Helper()
	for {
		var objects []runtime.Object
		accepted, changed := make([]*v1alpha1.Tenant, 0, len(w.tenants)), false
		for i, tenant := range w.tenants {
			peers := slices.Delete(slices.Clone(w.tenants), i, i+1)
			result, err := compile.Tenant(compile.Input{Tenant: tenant, Class: w.class(tenant), Peers: peers, Capabilities: capabilities})
			if rejected := (*compile.Rejected)(nil); errors.As(err, &rejected) {
				w.rejected++
				changed = true
				if mend(tenant, rejected) {
					accepted = append(accepted, tenant)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			accepted = append(accepted, tenant)
			for _, o := range result.Objects {
				objects = append(objects, o)
			}
		}
		if w.tenants = accepted; changed {
			continue
		}
		guards, err := compile.Guards(capabilities, v1alpha1.OperatorUser)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range guards {
			objects = append(objects, g)
		}
		return objects
	}
}

func (w *world) class(t *v1alpha1.Tenant) *v1alpha1.TenantClass {
	for _, c := range w.classes {
		if c.Name == t.Spec.ClassName {
			return c
		}
	}
	return nil
}

// yaml prints the tenants and classes, for a person who looks for the difference.
func (w *world) yaml() string {
	var out strings.Builder
	for _, c := range w.classes {
		data, _ := yaml.Marshal(c.Spec.Network)
		fmt.Fprintf(&out, "class %s:\n%s", c.Name, data)
	}
	for _, t := range w.tenants {
		data, _ := yaml.Marshal(t.Spec)
		fmt.Fprintf(&out, "tenant %s:\n%s", t.Name, data)
	}
	return out.String()
}

// pods compares every pair of pods.
func (o *declared) pods(e *engine.Engine, seen *tally) (wrong []string) {
	for _, src := range o.world.pods {
		for _, dst := range o.world.pods {
			if src == dst || src.Spec.HostNetwork || dst.Spec.HostNetwork {
				continue // host-network pods are the platform's, and no policy selects them
			}
			reach, want := e.PodReach(src, dst), o.between(src, dst)
			if !reach.Sure.Equal(want) || !reach.Possible.Equal(want) {
				wrong = append(wrong, fmt.Sprintf("%s/%s %v %v -> %s/%s %v %v: open is %v, perhaps %v; declared is %v", src.Namespace, src.Name, src.Labels, src.Status.PodIPs,
					dst.Namespace, dst.Name, dst.Labels, dst.Status.PodIPs, reach.Sure, reach.Possible, want))
			}
			a, b := o.owner[src.Namespace], o.owner[dst.Namespace]
			switch {
			case want.Empty():
				seen.closed++
			case a == b && a != "":
				seen.inside++
			case a != "" && b != "":
				seen.shared++
			case a != b:
				seen.platform++
			}
		}
	}
	return wrong
}

// addresses compares every pod of a tenant with addresses inside, at the borders and
// outside of every block that the dice make.
func (o *declared) addresses(e *engine.Engine, seen *tally) (wrong []string) {
	for _, p := range o.world.pods {
		if o.owner[p.Namespace] == "" {
			continue
		}
		for _, text := range []string{
			"203.0.113.0", "203.0.113.7", "203.0.113.128", "203.0.112.0", "203.0.112.64", "203.0.114.0", "8.8.8.8", "192.168.0.1", "192.168.0.2", "192.168.9.9",
			"10.0.0.250", "10.0.2.1", "10.128.0.1", "100.64.0.1", "169.254.169.254", "168.63.129.16", "100.100.100.200", "127.0.0.1",
			"2001:db8::1", "2001:db8:1::1", "2001:db8:8000::1", "fd00::ff", "fd00:0:0:2::1", "fd00:ec2::254", "::1",
		} {
			a := netip.MustParseAddr(text)
			for _, d := range []rules.Direction{rules.Ingress, rules.Egress} {
				reach, want := e.AddressReach(d, e.ClassOf(p), a), o.outside(d, p, a)
				if !reach.Sure.Equal(want) || !reach.Possible.Equal(want) {
					wrong = append(wrong, fmt.Sprintf("%s of %s/%s %v with %s: open is %v, perhaps %v; declared is %v", d, p.Namespace, p.Name, p.Labels, a, reach.Sure, reach.Possible, want))
				}
				if !want.Empty() {
					seen.outside++
				}
			}
		}
	}
	return wrong
}

// union adds up port lists as the API says: an empty list is every port.
func union(list []v1alpha1.FlowPort) netset.Ports {
	if len(list) == 0 {
		return netset.AllPorts()
	}
	var out netset.Ports
	for _, p := range list {
		protocol, last := p.Protocol, p.Port
		if protocol == "" {
			protocol = corev1.ProtocolTCP
		}
		if p.EndPort != nil {
			last = *p.EndPort
		}
		out = out.Union(netset.PortsOf(protocol, p.Port, last))
	}
	return out
}
