package snapshot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// mapping reads a mapping that must be right.
func mapping(t *testing.T, text string) snapshot.Mapping {
	t.Helper()
	m, err := snapshot.ParseMapping(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// labelled is a namespace with labels "key=value".
func labelled(name string, labels ...string) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: named("", name)}
	n.Labels = map[string]string{}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		n.Labels[key] = value
	}
	return n
}

func annotated(n *corev1.Namespace, key, value string) *corev1.Namespace {
	n.Annotations = map[string]string{key: value}
	return n
}

func synced(namespace, name, cluster string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: named(namespace, name)}
	p.Labels = map[string]string{"vcluster.loft.sh/managed-by": cluster}
	return p
}

// owners lists "namespace=tenant" for all that have one.
func owners(s *snapshot.Snapshot) string {
	var out []string
	for _, ns := range s.NamespaceNames() {
		if t := s.TenantOf(ns); t != "" {
			out = append(out, ns+"="+t)
		}
	}
	return strings.Join(out, " ")
}

// TestMappings finds tenants by each convention, and none where it does not say so.
func TestMappings(t *testing.T) {
	const tree = ".tree.hnc.x-k8s.io/depth"
	cases := map[string]struct {
		mapping string
		objects []runtime.Object
		owners  string
	}{
		"a label":                              {"label=example.com/team", []runtime.Object{labelled("a", "example.com/team=red"), labelled("b", "team=red"), labelled("c", "example.com/team=")}, "a=red"},
		"a prefix, up to the first separator":  {"prefix={tenant}-*", []runtime.Object{labelled("red-web-1"), labelled("red"), labelled("red-"), labelled("kube-public")}, "red-web-1=red"},
		"a prefix with words around":           {"prefix=team-{tenant}--*", []runtime.Object{labelled("team-red-x--web"), labelled("red-x--web"), labelled("team---web")}, "team-red-x--web=red-x"},
		"a name that ends where the form ends": {"prefix=team-{tenant}-prod", []runtime.Object{labelled("team-red-prod"), labelled("team-red-test")}, "team-red-prod=red"},
		"a namespace that only a pod names":    {"prefix={tenant}-*", []runtime.Object{&corev1.Pod{ObjectMeta: named("red-web", "p")}}, "red-web=red"},
		"every namespace":                      {"namespace", []runtime.Object{labelled("a"), labelled("kube-system"), labelled("openshift-x"), labelled("watertight-system"), labelled("default")}, "a=a"},
		"default, when something runs there":   {"namespace", []runtime.Object{&corev1.Pod{ObjectMeta: named("default", "p")}}, "default=default"},
		"Capsule":                              {"capsule", []runtime.Object{labelled("a", "capsule.clastix.io/tenant=oil"), labelled("b")}, "a=oil"},
		"HNC: the root of the tree": {"hnc", []runtime.Object{
			labelled("org", "org"+tree+"=0"), labelled("dev", "dev"+tree+"=0", "org"+tree+"=1"), labelled("svc", "svc"+tree+"=0", "dev"+tree+"=1", "org"+tree+"=2"),
			labelled("odd", "odd"+tree+"=deep"), labelled("kube-system", "kube-system"+tree+"=0"),
		}, "dev=org org=org svc=org"},
		"Rancher: annotation before label": {"rancher", []runtime.Object{
			annotated(labelled("a", "field.cattle.io/projectId=p-old"), "field.cattle.io/projectId", "c-m-1:p-x"), labelled("b", "field.cattle.io/projectId=p-y"), labelled("c"),
		}, "a=p-x b=p-y"},
		"vCluster: its namespaces and its host namespace": {"vcluster", []runtime.Object{
			labelled("v1-ns", "vcluster.loft.sh/vcluster-name=v1", "vcluster.loft.sh/vcluster-namespace=host-1"),
			synced("host-2", "a", "v2"), synced("host-2", "b", "v2"), labelled("other"),
		}, "host-2=v2 v1-ns=v1"},
		"vCluster: two of one name": {"vcluster", []runtime.Object{synced("host-1", "a", "v"), synced("host-2", "b", "v")}, "host-1=host-1.v host-2=host-2.v"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := new(snapshot.Snapshot).With(c.objects...).WithTenancy(mapping(t, c.mapping))
			if got := owners(s); got != c.owners {
				t.Errorf("got %s, want %s", got, c.owners)
			}
			if len(s.Problems)+len(s.Drift()) > 0 {
				t.Errorf("problems %+v, drift %+v", s.Problems, s.Drift())
			}
			if notes := s.TenancyNotes(); len(notes) == 0 {
				t.Error("nothing says where tenants come from")
			}
		})
	}
}

// TestMappedTenant is marked, has the class that stands in, and knows where it was found.
func TestMappedTenant(t *testing.T) {
	before := new(snapshot.Snapshot).With(labelled("red-a", "team=red"), labelled("rest"))
	s := before.WithTenancy(mapping(t, "label=team")).With(labelled("red-b"))
	red := s.Tenant("red")
	if red == nil || !s.IsMapped("red") || s.IsMapped("rest") || before.IsMapped("red") || len(before.Tenants) != 0 {
		t.Fatalf("got %+v", red)
	}
	if class := s.ClassOf(red); class == nil || class.Spec.Kernel.PodSecurity != v1alpha1.PodSecurityBaseline {
		t.Errorf("class %+v", class)
	}
	if got := s.Source(snapshot.KeyOf(red)); got != "--tenancy label=team" {
		t.Errorf("source %q", got)
	}
	notes := strings.Join(s.TenancyNotes(), "\n")
	for _, want := range []string{"whoever may set it decides who is a tenant", "who owns these tenants is not known", "nothing is judged for them: rest"} {
		if !strings.Contains(notes, want) {
			t.Errorf("want %q in %s", want, notes)
		}
	}
	if none := before.WithTenancy(); none != before {
		t.Error("no mapping changed something")
	}
}

// TestMappedTwice keeps what the first call made.
func TestMappedTwice(t *testing.T) {
	s := new(snapshot.Snapshot).With(labelled("a", "team=red"), labelled("b", "unit=blue")).
		WithTenancy(mapping(t, "label=team")).WithTenancy(mapping(t, "label=unit"))
	if got := owners(s); got != "a=red b=blue" || !s.IsMapped("red") || !s.IsMapped("blue") || len(s.Drift()) != 0 {
		t.Errorf("got %s, drift %+v", got, s.Drift())
	}
}

// TestMappingConflicts: Tenants have the last word, and two mappings must agree.
func TestMappingConflicts(t *testing.T) {
	left := tenant("acme", "web")
	s := new(snapshot.Snapshot).With(left,
		labelled("acme-web", v1alpha1.LabelTenant+"=acme", "team=globex"), // a label against a Tenant
		labelled("extra", "team=acme"),                                    // a label that joins a Tenant
		labelled("red-web", "team=blue"),                                  // two mappings
		labelled("red-api", "team=red"),                                   // two that agree
		labelled("bad", "team=not a name"),
	).WithTenancy(mapping(t, "label=team"), mapping(t, "prefix={tenant}-*"))
	if got := owners(s); got != "acme-web=acme red-api=red red-web=blue" {
		t.Errorf("owners %s", got)
	}
	var drift []string
	for _, d := range s.Drift() {
		drift = append(drift, d.Namespace+" "+d.Tenant)
	}
	if diff := cmp.Diff([]string{"acme-web acme", "extra acme"}, drift); diff != "" {
		t.Error(diff)
	}
	var problems []string
	for _, p := range s.Missing("Tenant") {
		problems = append(problems, p.Source+": "+p.Message)
	}
	want := []string{
		`namespace bad: --tenancy label=team gives it to tenant "not a name" by its label team, which is no name for a tenant: correct it`,
		"namespace red-web: belongs to tenant blue by its label team (--tenancy label=team) and to red by its name (--tenancy prefix={tenant}-*): correct one, or leave out a mapping",
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
}

// TestTwoVirtualClusters in one host namespace cannot be told apart there.
func TestTwoVirtualClusters(t *testing.T) {
	s := new(snapshot.Snapshot).With(synced("host", "a", "v1"), synced("host", "b", "v2")).WithTenancy(mapping(t, "vcluster"))
	if len(s.Missing("Tenant")) != 1 {
		t.Errorf("problems %+v", s.Problems)
	}
}

// TestMappedLabel sees a label that claims a mapped tenant's namespace for another.
func TestMappedLabel(t *testing.T) {
	s := new(snapshot.Snapshot).With(labelled("a", "team=red", v1alpha1.LabelTenant+"=acme")).WithTenancy(mapping(t, "label=team"))
	if d := s.Drift(); len(d) != 1 || d[0].Tenant != "red" || d[0].Label != "acme" {
		t.Errorf("drift %+v", d)
	}
}

// TestCapsuleOwners come from Capsule's own Tenants.
func TestCapsuleOwners(t *testing.T) {
	oil := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "capsule.clastix.io/v1beta2", "kind": "Tenant", "metadata": map[string]any{"name": "oil"},
		"spec": map[string]any{"owners": []any{
			map[string]any{"kind": "User", "name": "alice"},
			map[string]any{"kind": "ServiceAccount", "name": "system:serviceaccount:ci:robot"},
			map[string]any{"kind": "Robot", "name": "x"}, "nonsense",
		}},
	}}
	s := new(snapshot.Snapshot).With(oil, labelled("a", "capsule.clastix.io/tenant=oil")).WithTenancy(mapping(t, "capsule"))
	want := []v1alpha1.Owner{{Kind: "User", Name: "alice"}, {Kind: "ServiceAccount", Namespace: "ci", Name: "robot"}}
	if diff := cmp.Diff(want, s.Tenant("oil").Spec.Owners); diff != "" {
		t.Error(diff)
	}
	if notes := fmt.Sprint(s.TenancyNotes()); strings.Contains(notes, "is not known") {
		t.Errorf("notes %s", notes)
	}
}

// TestParseMapping names the fix of a form that it does not read.
func TestParseMapping(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "is one of label=KEY, prefix={tenant}-*",
		"team":                    "is one of label=KEY",
		"label":                   "write label=KEY",
		"label=a b":               "is no label key",
		"prefix":                  "say where the tenant's name stands",
		"prefix={tenant}*":        "put a separator",
		"prefix={tenant}-*-x":     "* only at the end",
		"prefix={tenant}{tenant}": "{tenant} stands once",
		"prefix=*-{tenant}":       "* only at the end",
		"capsule=x":               "takes no argument",
		"namespace=":              "takes no argument",
	} {
		if _, err := snapshot.ParseMapping(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", text, want, err)
		}
	}
	for _, form := range []string{"label=team", "prefix={tenant}-*", "namespace", "capsule", "hnc", "rancher", "vcluster"} {
		if got := mapping(t, form).String(); got != form {
			t.Errorf("%q became %q", form, got)
		}
	}
}
