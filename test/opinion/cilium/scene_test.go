package cilium

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
)

// scene is a cluster as its objects, so that it can be printed, and made smaller.
type scene []map[string]any

// String prints the scene as one would apply it.
func (s scene) String() string {
	var docs []string
	for _, o := range s {
		text, err := yaml.Marshal(o)
		if err != nil {
			return err.Error()
		}
		docs = append(docs, string(text))
	}
	return strings.Join(docs, "---\n")
}

// parseScene reads what String prints.
func parseScene(text string) (scene, error) {
	var out scene
	for _, doc := range strings.Split(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			return nil, fmt.Errorf("read YAML: %w", err)
		}
		u := &unstructured.Unstructured{} // its numbers are those of a loader
		if err := json.Unmarshal(data, u); err != nil {
			return nil, fmt.Errorf("read object: %w", err)
		}
		out = append(out, u.Object)
	}
	return out, nil
}

// cluster makes typed objects.
func (s scene) cluster() (*Cluster, error) {
	out := &Cluster{}
	for _, o := range s {
		var err error
		switch o["kind"] {
		case "Namespace":
			n := &corev1.Namespace{}
			err = convert(o, n)
			out.Namespaces = append(out.Namespaces, n)
		case "Pod":
			p := &corev1.Pod{}
			err = convert(o, p)
			out.Pods = append(out.Pods, p)
		case "NetworkPolicy":
			p := &networkingv1.NetworkPolicy{}
			err = convert(o, p)
			out.Policies = append(out.Policies, p)
		default:
			out.Cilium = append(out.Cilium, &unstructured.Unstructured{Object: runtime.DeepCopyJSON(o)})
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Where the flows go. Addresses stand for the world outside.
var (
	askedPorts = []netset.PortRange{{From: 1}, {From: 53}, {From: 80}, {From: 81}, {From: 8080}, {From: 9090}}
	outside    = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("2001:db8::1")}
)

var errNoFlow = errors.New("nobody was asked about that flow")

// tally counts what was compared.
type tally struct {
	// cells were asked; of unknown ones we say that we cannot tell; allowed are those
	// that Cilium allows.
	cells, unknown, allowed int
	// refused policies are those that both refuse.
	refused int
}

func (t *tally) add(o tally) {
	t.cells += o.cells
	t.unknown += o.unknown
	t.allowed += o.allowed
	t.refused += o.refused
}

// judge asks both about every flow of a scene and says where they differ. A cell that is
// unknown to us does not differ.
func judge(s scene) (tally, []string, error) {
	j, err := newJudgement(s)
	if err != nil {
		return tally{}, nil, err
	}
	j.each = j.compare
	err = j.all()
	return j.tally, j.differences, err
}

type judgement struct {
	tally
	cluster     *Cluster
	opinion     *Opinion
	engine      *engine.Engine
	differences []string
	// each is told what they allow, and what we allow surely and possibly.
	each func(f Flow, theirs, sure, possible bool)
}

func newJudgement(s scene) (*judgement, error) {
	c, err := s.cluster()
	if err != nil {
		return nil, err
	}
	opinion, err := NewOpinion(c, outside)
	if err != nil {
		return nil, err
	}
	j := &judgement{cluster: c, opinion: opinion}
	objects := j.objects()
	j.engine = engine.New(snapshot.New(snapshot.Parts{Objects: objects}), engine.Options{BlocksMatchPods: engine.No})
	return j, nil
}

// all asks about pairs of pods, and pods with the world.
func (j *judgement) all() error {
	if err := j.pods(); err != nil {
		return err
	}
	return j.world()
}

func (j *judgement) compare(f Flow, theirs, sure, possible bool) {
	j.cells++
	if theirs {
		j.allowed++
	}
	switch {
	case sure && !theirs:
		j.differ("%s: Cilium denies what we allow", f)
	case !possible && theirs:
		j.differ("%s: Cilium allows what we deny", f)
	case sure != possible:
		j.unknown++
	}
}

func (j *judgement) differ(format string, args ...any) {
	j.differences = append(j.differences, fmt.Sprintf(format, args...))
}

// objects are the snapshot's, without policies that both refuse. What we refuse, Cilium
// must refuse, and the other way round, unless we say that it depends, or read a policy
// that does nothing.
func (j *judgement) objects() (out []runtime.Object) {
	for _, n := range j.cluster.Namespaces {
		out = append(out, n)
	}
	for _, p := range j.cluster.Pods {
		out = append(out, p)
	}
	for _, p := range j.cluster.Policies {
		out = append(out, p)
	}
	for _, u := range j.cluster.Cilium {
		read, err := rules.NewReader().Cilium(u)
		refused := j.opinion.Refused[u]
		switch {
		case err != nil && refused == nil:
			j.differ("we refuse what Cilium takes: %v", err)
		case err != nil:
			j.refused++
			continue
		case refused != nil && effective(read):
			j.differ("Cilium refuses what we take: %v", refused)
		}
		out = append(out, u)
	}
	return out
}

// effective reports whether policies surely do something.
func effective(list []*rules.Policy) bool {
	for _, p := range list {
		if len(p.Doubts) == 0 && (p.Isolates != [2]bool{} || len(p.Rules[0])+len(p.Rules[1]) > 0) {
			return true
		}
	}
	return false
}

// pods compares all pairs of pods. Policies do not govern pods on the host's network, so
// only the other end is asked.
func (j *judgement) pods() error {
	for _, from := range j.cluster.Pods {
		for _, to := range j.cluster.Pods {
			if from == to || from.Spec.HostNetwork && to.Spec.HostNetwork {
				continue
			}
			reach := j.engine.PodReach(from, to)
			err := j.ports(Flow{From: from, To: to}, reach, func(v Verdict) bool {
				return (v.Egress || from.Spec.HostNetwork) && (v.Ingress || to.Spec.HostNetwork)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// world compares what pods may exchange with addresses outside.
func (j *judgement) world() error {
	for _, p := range j.cluster.Pods {
		if p.Spec.HostNetwork {
			continue
		}
		class := j.engine.ClassOf(p)
		for _, a := range outside {
			out := j.engine.AddressReach(rules.Egress, class, a)
			if err := j.ports(Flow{From: p, Target: a}, out, func(v Verdict) bool { return v.Egress }); err != nil {
				return err
			}
			in := j.engine.AddressReach(rules.Ingress, class, a)
			if err := j.ports(Flow{Source: a, To: p}, in, func(v Verdict) bool { return v.Ingress }); err != nil {
				return err
			}
		}
	}
	return nil
}

// ports compares one pair at every port.
func (j *judgement) ports(f Flow, reach engine.Reach, allowed func(Verdict) bool) error {
	for _, f.Protocol = range netset.Protocols {
		for _, port := range askedPorts {
			f.Port = port.From
			verdict, err := j.opinion.Ask(f)
			if err != nil {
				return err
			}
			one := netset.PortsOf(f.Protocol, f.Port, f.Port)
			sure, possible := !reach.Sure.Intersect(one).Empty(), !reach.Possible.Intersect(one).Empty()
			j.each(f, allowed(verdict), sure, possible)
		}
	}
	return nil
}

// String names the flow.
func (f Flow) String() string {
	end := func(p *corev1.Pod, a netip.Addr) string {
		if p != nil {
			return p.Namespace + "/" + p.Name
		}
		return a.String()
	}
	return fmt.Sprintf("%s to %s at %s %d", end(f.From, f.Source), end(f.To, f.Target), f.Protocol, f.Port)
}

// shrink takes away whatever is not needed for the scene to be judged wrong.
func shrink(s scene, wrong func(scene) bool) scene {
	for again := true; again; {
		again = false
		for i := len(s) - 1; i >= 0; i-- {
			less := append(append(scene{}, s[:i]...), s[i+1:]...)
			if wrong(less) {
				s, again = less, true
				continue
			}
			for _, cut := range cuts(s[i]) {
				smaller := append(scene{}, s...)
				smaller[i] = cut
				if wrong(smaller) {
					s, again = smaller, true
					break
				}
			}
		}
	}
	return s
}

// cuts are the object with one thing less in its spec or its labels.
func cuts(o map[string]any) (out []map[string]any) {
	for _, k := range []string{"spec", "specs"} {
		for _, less := range without(o[k]) {
			c := runtime.DeepCopyJSON(o)
			c[k] = less
			out = append(out, c)
		}
	}
	labels, _, _ := unstructured.NestedMap(o, "metadata", "labels")
	for _, less := range without(labels) {
		c := runtime.DeepCopyJSON(o)
		c["metadata"].(map[string]any)["labels"] = less
		out = append(out, c)
	}
	return out
}

// without is a value with one element less, anywhere in it.
func without(v any) (out []any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			c := runtime.DeepCopyJSON(v)
			delete(c, k)
			out = append(out, c)
			for _, less := range without(inner) {
				c := runtime.DeepCopyJSON(v)
				c[k] = less
				out = append(out, c)
			}
		}
	case []any:
		for i, inner := range v {
			c := runtime.DeepCopyJSONValue(v).([]any)
			out = append(out, append(c[:i:i], c[i+1:]...))
			for _, less := range without(inner) {
				c := runtime.DeepCopyJSONValue(v).([]any)
				c[i] = less
				out = append(out, c)
			}
		}
	}
	return out
}
