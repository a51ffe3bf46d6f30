package placement

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

func node(name string, labels map[string]string, taints ...corev1.Taint) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.NodeSpec{Taints: taints}}
}

// requires is a pod with one required affinity term.
func requires(key string, operator corev1.NodeSelectorOperator, values ...string) corev1.PodSpec {
	return corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}}},
		}},
	}}}
}

func TestMay(t *testing.T) {
	n := node("n", map[string]string{"pool": "a", "cores": "8"}, corev1.Taint{Key: "own", Value: "a", Effect: corev1.TaintEffectNoSchedule})
	own := corev1.Toleration{Key: "own", Value: "a"}
	for name, c := range map[string]struct {
		spec corev1.PodSpec
		want bool
	}{
		"bound here":         {corev1.PodSpec{NodeName: "n"}, true}, // past selector and taints
		"bound elsewhere":    {corev1.PodSpec{NodeName: "m", Tolerations: []corev1.Toleration{own}}, false},
		"taint":              {corev1.PodSpec{}, false},
		"selector":           {corev1.PodSpec{NodeSelector: map[string]string{"pool": "a"}}, true},
		"other pool":         {corev1.PodSpec{NodeSelector: map[string]string{"pool": "b"}}, false},
		"In":                 {requires("pool", corev1.NodeSelectorOpIn, "b", "a"), true},
		"In misses":          {requires("pool", corev1.NodeSelectorOpIn, "b"), false},
		"NotIn":              {requires("pool", corev1.NodeSelectorOpNotIn, "a"), false},
		"NotIn, no label":    {requires("zone", corev1.NodeSelectorOpNotIn, "a"), true},
		"Exists":             {requires("pool", corev1.NodeSelectorOpExists), true},
		"DoesNotExist":       {requires("pool", corev1.NodeSelectorOpDoesNotExist), false},
		"Gt":                 {requires("cores", corev1.NodeSelectorOpGt, "7"), true},
		"Gt is not Ge":       {requires("cores", corev1.NodeSelectorOpGt, "8"), false},
		"Lt":                 {requires("cores", corev1.NodeSelectorOpLt, "9"), true},
		"Lt, not a number":   {requires("pool", corev1.NodeSelectorOpLt, "9"), false},
		"empty term, no one": {corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}}}}}, false},
	} {
		if name != "taint" && name != "bound elsewhere" {
			c.spec.Tolerations = append(c.spec.Tolerations, own)
		}
		if name == "bound here" {
			c.spec.Tolerations = nil
		}
		x := In((&snapshot.Snapshot{}).With(n))
		if got := x.May(&corev1.Pod{Spec: c.spec}, n); got != c.want {
			t.Errorf("%s: may is %v, want %v", name, got, c.want)
		}
	}
}

func TestTolerates(t *testing.T) {
	taint := corev1.Taint{Key: "k", Value: "v", Effect: corev1.TaintEffectNoSchedule}
	for _, c := range []struct {
		toleration corev1.Toleration
		want       bool
	}{
		{corev1.Toleration{Key: "k", Value: "v"}, true},
		{corev1.Toleration{Key: "k", Value: "w"}, false},
		{corev1.Toleration{Key: "k", Operator: corev1.TolerationOpExists}, true},
		{corev1.Toleration{Operator: corev1.TolerationOpExists}, true},
		{corev1.Toleration{}, false}, // an empty key needs Exists
		{corev1.Toleration{Key: "j", Operator: corev1.TolerationOpExists}, false},
		{corev1.Toleration{Key: "k", Value: "v", Effect: corev1.TaintEffectNoExecute}, false},
	} {
		if got := Tolerates(c.toleration, taint); got != c.want {
			t.Errorf("%+v tolerates: %v, want %v", c.toleration, got, c.want)
		}
	}
}

// TestOf: a node that is not in the picture is not known, and what admission will add to
// a folder's pods counts.
func TestOf(t *testing.T) {
	s := (&snapshot.Snapshot{}).With(
		node("n1", map[string]string{"pool": "a"}), node("n2", map[string]string{"pool": "b"}),
		&v1alpha1.Guard{ObjectMeta: metav1.ObjectMeta{Name: "watertight", Namespace: "x"}, Spec: v1alpha1.GuardSpec{NodeSelector: map[string]string{"pool": "a"}}},
		&admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}},
	)
	x := In(s)
	made := metav1.ObjectMeta{Namespace: "x", Annotations: map[string]string{snapshot.AnnotationTemplate: "spec.template"}}
	for name, c := range map[string]struct {
		pod   corev1.Pod
		nodes int
		known bool
	}{
		"anywhere":      {corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "x"}}, 2, true},
		"by admission":  {corev1.Pod{ObjectMeta: made}, 1, true},
		"unknown node":  {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n9"}}, 0, false},
		"no node fits":  {corev1.Pod{Spec: corev1.PodSpec{NodeSelector: map[string]string{"pool": "c"}}}, 0, true},
		"bound to a n1": {corev1.Pod{Spec: corev1.PodSpec{NodeName: "n1"}}, 1, true},
	} {
		if nodes, known := x.Of(&c.pod); len(nodes) != c.nodes || known != c.known {
			t.Errorf("%s: %d nodes, known %v, want %d, %v", name, len(nodes), known, c.nodes, c.known)
		}
	}
	if _, known := In(&snapshot.Snapshot{}).Of(&corev1.Pod{}); known {
		t.Error("without nodes, where a pod may come to is known")
	}
}
