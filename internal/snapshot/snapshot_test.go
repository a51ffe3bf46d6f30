package snapshot_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func tenant(name string, namespaces ...string) *v1alpha1.Tenant {
	t := &v1alpha1.Tenant{ObjectMeta: named("", name)}
	for _, n := range namespaces {
		t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: n})
	}
	return t
}

func space(name, label string) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: named("", name)}
	if label != "" {
		n.Labels = map[string]string{v1alpha1.LabelTenant: label}
	}
	return n
}

// TestOwnership takes owners from the record, never from labels.
func TestOwnership(t *testing.T) {
	left := tenant("acme", "web")
	left.Status.Namespaces = []string{"acme-web", "acme-legacy"}
	s := new(snapshot.Snapshot).With(left, tenant("globex", "api"),
		space("acme-web", "acme"), space("acme-legacy", ""), space("globex-api", "acme"), space("stray", "globex"))
	if diff := cmp.Diff([]string{"acme-legacy", "acme-web"}, s.NamespacesOf("acme")); diff != "" {
		t.Error(diff)
	}
	if got := s.TenantOf("stray"); got != "" {
		t.Errorf("a label gave the namespace to %s", got)
	}
	drift := map[string]string{}
	for _, d := range s.Drift() {
		drift[d.Namespace] = d.Tenant
	}
	if diff := cmp.Diff(map[string]string{"acme-legacy": "acme", "globex-api": "globex", "stray": "globex"}, drift); diff != "" {
		t.Error(diff)
	}
}

// TestConflict gives a namespace that two Tenants name to the one whose record has it.
func TestConflict(t *testing.T) {
	first, second := tenant("a", "b-c"), tenant("a-b", "c")
	second.Status.Namespaces = []string{"a-b-c"}
	s := new(snapshot.Snapshot).With(first, second)
	if got := s.TenantOf("a-b-c"); got != "a-b" {
		t.Errorf("it belongs to %s", got)
	}
	if d := s.Drift(); len(d) != 1 || d[0].Tenant != "a" || !strings.Contains(d[0].Message, "both name namespace a-b-c") {
		t.Errorf("drift: %+v", d)
	}
}

// TestWith adds and replaces, and leaves the old snapshot alone.
func TestWith(t *testing.T) {
	old := new(snapshot.Snapshot).With(&corev1.Pod{ObjectMeta: named("n", "a"), Spec: corev1.PodSpec{NodeName: "one"}})
	next := old.With(&corev1.Pod{ObjectMeta: named("n", "a"), Spec: corev1.PodSpec{NodeName: "two"}}, &corev1.Pod{ObjectMeta: named("n", "b")})
	if len(old.Pods) != 1 || old.Pods[0].Spec.NodeName != "one" {
		t.Errorf("the old snapshot changed: %+v", old.Pods)
	}
	if len(next.PodsIn("n")) != 2 || next.Pods[0].Spec.NodeName != "two" {
		t.Errorf("got %+v", next.Pods)
	}
}

// TestWithUntyped gives an untyped object its type, keeps what has none, and reports what
// cannot be read.
func TestWithUntyped(t *testing.T) {
	object := func(version, kind string, spec any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": "x", "namespace": "n"}, "spec": spec,
		}}
	}
	s := new(snapshot.Snapshot).With(
		object("v1", "Pod", map[string]any{"nodeName": "one"}), object("example.com/v1", "Pod", nil), object("v1", "Service", "oops"))
	if len(s.Pods) != 1 || s.Pods[0].Spec.NodeName != "one" || len(s.Others) != 1 {
		t.Errorf("pods %+v, others %+v", s.Pods, s.Others)
	}
	if len(s.Missing("Service")) != 1 || len(s.Missing("Pod")) != 0 {
		t.Errorf("problems %+v", s.Problems)
	}
}

// TestWorkloads makes one pod for each workload that nothing real stands for.
func TestWorkloads(t *testing.T) {
	web := &appsv1.Deployment{ObjectMeta: named("n", "web")}
	web.Spec.Template.Labels = map[string]string{"app": "web"}
	s := new(snapshot.Snapshot).With(web)
	if len(s.Pods) != 1 || !snapshot.Synthetic(s.Pods[0]) || s.Pods[0].Labels["app"] != "web" {
		t.Fatalf("got %+v", s.Pods)
	}
	owner, path, ok := snapshot.Template(s.Pods[0])
	if want := (snapshot.ObjectKey{Group: "apps", Kind: "Deployment", Namespace: "n", Name: "web"}); !ok || owner != want || path != "spec.template" {
		t.Errorf("got %+v %s", owner, path)
	}
	if again := s.With(); len(again.Pods) != 1 {
		t.Errorf("made twice: %+v", again.Pods)
	}
	replica := &appsv1.ReplicaSet{ObjectMeta: named("n", "web-1")}
	replica.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}
	pod := &corev1.Pod{ObjectMeta: named("n", "web-1-a")}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1"}}
	if real := s.With(replica, pod); len(real.Pods) != 1 || snapshot.Synthetic(real.Pods[0]) {
		t.Errorf("got %+v", real.Pods)
	}
}

// TestForgedTemplate keeps a real pod that carries the mark of made-up ones.
func TestForgedTemplate(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: named("n", "sly")}
	pod.UID, pod.Annotations = "1", map[string]string{snapshot.AnnotationTemplate: "spec.template"}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "other"}}
	s := new(snapshot.Snapshot).With(pod)
	if len(s.Pods) != 1 || snapshot.KeyOf(s.Pods[0]) != (snapshot.ObjectKey{Kind: "Pod", Namespace: "n", Name: "sly"}) {
		t.Errorf("got %+v", s.Pods)
	}
}

// TestKinds keeps the table in order: every kind can be made and found again.
func TestKinds(t *testing.T) {
	for _, k := range snapshot.Kinds() {
		o := k.New()
		o.SetName("x")
		s := new(snapshot.Snapshot).With(o)
		if got := k.Of(s); len(got) != 1 || snapshot.KeyOf(got[0]).Kind != k.Kind || k.Resource == "" {
			t.Errorf("%s: got %v", k.Kind, got)
		}
	}
}

// TestOthersOf finds untyped objects by group and kind, whatever their version.
func TestOthersOf(t *testing.T) {
	object := func(version, kind, name string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": name}}}
	}
	s := new(snapshot.Snapshot).With(object("cilium.io/v2", "CiliumNetworkPolicy", "a"), object("cilium.io/v2alpha1", "CiliumNetworkPolicy", "b"),
		object("cilium.io/v2", "CiliumNode", "c"), object("example.com/v2", "CiliumNetworkPolicy", "d"), object("v1", "Secret", "e"))
	names := func(group, kind string) string {
		var out []string
		for _, o := range s.OthersOf(group, kind) {
			out = append(out, o.GetName())
		}
		return strings.Join(out, " ")
	}
	if got := names("cilium.io", "CiliumNetworkPolicy"); got != "a b" {
		t.Errorf("got %q", got)
	}
	if got := names("", "Secret"); got != "e" {
		t.Errorf("got %q", got)
	}
	if got := names("", "CiliumNetworkPolicy"); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestNew makes in one go what With makes step by step, and shares what does not change.
func TestNew(t *testing.T) {
	web := &appsv1.Deployment{ObjectMeta: named("n", "web")}
	problem := snapshot.Problem{Source: "x", Message: "unread"}
	sources := map[snapshot.ObjectKey]string{{Kind: "Namespace", Name: "n"}: "a.yaml#1"}
	whole := snapshot.New(snapshot.Parts{
		Objects: []runtime.Object{space("n", ""), web}, Problems: []snapshot.Problem{problem}, Sources: sources, Origin: snapshot.OriginLive,
	})
	empty := &snapshot.Snapshot{Origin: snapshot.OriginLive}
	steps := empty.With(space("n", "")).With(web).WithProblems(problem).WithSources(sources)
	if diff := cmp.Diff(steps, whole, cmpopts.IgnoreUnexported(snapshot.Snapshot{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-steps +whole):\n%s", diff)
	}
	next := whole.With(space("m", ""))
	if len(whole.Namespaces) != 1 || len(next.Namespaces) != 2 || len(next.Pods) != 1 || next.Pods[0] != whole.Pods[0] {
		t.Errorf("got %+v", next)
	}
	one, two := whole.WithProblems(problem), whole.WithProblems(snapshot.Problem{Source: "y"})
	if one.Problems[1].Source != "x" || two.Problems[1].Source != "y" || len(whole.Problems) != 1 {
		t.Errorf("two snapshots share what they added: %+v %+v", one.Problems, two.Problems)
	}
	if more := whole.WithSources(map[snapshot.ObjectKey]string{{Name: "x"}: "b"}); len(whole.Sources) != 1 || len(more.Sources) != 2 {
		t.Errorf("sources %v, then %v", whole.Sources, more.Sources)
	}
}

// TestNetworkPlugin: what was said of the network plugin stays through every change.
func TestNetworkPlugin(t *testing.T) {
	first := snapshot.New(snapshot.Parts{})
	said := first.WithNetworkPlugin("cilium")
	mapped, err := snapshot.ParseMapping("label=team")
	if err != nil {
		t.Fatal(err)
	}
	changed := said.With(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "red"}}}).
		WithProblems(snapshot.Problem{Source: "x"}).WithSources(nil).WithTenancy(mapped)
	made := snapshot.New(snapshot.Parts{NetworkPlugin: "calico"})
	if first.NetworkPlugin != "" || said.NetworkPlugin != "cilium" || changed.NetworkPlugin != "cilium" || made.NetworkPlugin != "calico" {
		t.Errorf("got %q, %q, %q, %q", first.NetworkPlugin, said.NetworkPlugin, changed.NetworkPlugin, made.NetworkPlugin)
	}
	if back := changed.WithNetworkPlugin(""); back.NetworkPlugin != "" || back.TenantOf("shop") != "red" {
		t.Errorf("taken back: %q, %q", back.NetworkPlugin, back.TenantOf("shop"))
	}
}
