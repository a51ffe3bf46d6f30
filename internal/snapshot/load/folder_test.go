package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// write makes a folder of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func folder(t *testing.T, files map[string]string) *snapshot.Snapshot {
	t.Helper()
	s, err := Folder(context.Background(), write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const goodPod = "apiVersion: v1\nkind: Pod\nmetadata: {name: good, namespace: shop}\n"

// TestBadInput puts one bad file beside a good one: it is named, and the rest is loaded.
func TestBadInput(t *testing.T) {
	policy := func(spec string) string {
		return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: " + spec + "\n"
	}
	long := strings.Repeat("n", 5000)
	cases := map[string]struct{ text, source, kind, message string }{
		"malformed YAML":     {goodPod + "---\na: [\n", "bad.yaml#2", "", "malformed YAML"},
		"doubled key":        {"kind: Pod\nkind: Pod\n", "bad.yaml#1", "", "already set"},
		"binary":             {"\x00\x01\x02", "bad.yaml", "", "binary file"},
		"latin1":             {"kind: \xe9", "bad.yaml", "", "binary file"},
		"unknown field":      {policy("{podSelectors: {}}"), "bad.yaml#1", "NetworkPolicy", `unknown field "spec.podSelectors"`},
		"wrong type":         {policy("{podSelector: 7}"), "bad.yaml#1", "NetworkPolicy", "cannot unmarshal number"},
		"unknown version":    {"apiVersion: apps/v1beta9\nkind: Deployment\nmetadata: {name: d}\n", "bad.yaml#1", "Deployment", "use apps/v1"},
		"unknown kind":       {"apiVersion: v1\nkind: Pot\nmetadata: {name: d}\n", "bad.yaml#1", "Pot", "v1 has no kind Pot"},
		"no apiVersion":      {"kind: Pod\nmetadata: {name: d}\n", "bad.yaml#1", "Pod", "must both be set"},
		"invalid selector":   {policy("{podSelector: {matchExpressions: [{key: a, operator: Near}]}}"), "bad.yaml#1", "NetworkPolicy", "spec.podSelector is invalid"},
		"invalid CIDR":       {policy("{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/40}}]}]}"), "bad.yaml#1", "NetworkPolicy", "spec.ingress[0].from[0].ipBlock.cidr"},
		"except outside":     {policy("{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]}"), "bad.yaml#1", "NetworkPolicy", "must be inside 10.0.0.0/8"},
		"empty peer":         {policy("{ingress: [{from: [{}]}]}"), "bad.yaml#1", "NetworkPolicy", "spec.ingress[0].from[0] is empty"},
		"end before port":    {policy("{ingress: [{ports: [{port: 90, endPort: 80}]}]}"), "bad.yaml#1", "NetworkPolicy", "endPort must be from port"},
		"name too long":      {"apiVersion: v1\nkind: Pod\nmetadata: {name: " + long + "}\n", "bad.yaml#1", "Pod", "metadata.name has 5000 characters"},
		"no name":            {"apiVersion: v1\nkind: Pod\nmetadata: {}\n", "bad.yaml#1", "Pod", "metadata.name is missing"},
		"doubled object":     {goodPod, "good.yaml#1", "Pod", "Pod shop/good is in bad.yaml#1 already"},
		"bad item of a List": {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- {apiVersion: v1, kind: Pod, spec: {x: 1}, metadata: {name: b}}\n", "bad.yaml#1.items[1]", "Pod", "unknown field"},
		"number as document": {"7\n", "bad.yaml#1", "", "is no Kubernetes object"},
		"tenant's CIDR":      {"apiVersion: watertight.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec: {className: c, namespaces: [{name: a}], network: {flows: [{from: {namespace: a}, to: {cidr: 10/8}}]}}\n", "bad.yaml#1", "Tenant", "spec.network.flows[0].to.cidr"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := folder(t, map[string]string{"bad.yaml": c.text, "good.yaml": goodPod})
			found := slices.ContainsFunc(s.Problems, func(p snapshot.Problem) bool {
				return p.Source == c.source && p.Kind == c.kind && !p.Stray && strings.Contains(p.Message, c.message)
			})
			if !found {
				t.Errorf("want %s (%s): …%s…; got %+v", c.source, c.kind, c.message, s.Problems)
			}
			if !slices.ContainsFunc(s.PodsIn("shop"), func(p *corev1.Pod) bool { return p.Name == "good" }) {
				t.Error("the good pod is lost")
			}
			for _, p := range s.Problems {
				if len(p.Message) > 600 {
					t.Errorf("a message of %d characters", len(p.Message))
				}
			}
		})
	}
}

// TestNothingThere is an error: an empty answer would look like an empty cluster.
func TestNothingThere(t *testing.T) {
	for name, dir := range map[string]string{
		"missing": filepath.Join(t.TempDir(), "nowhere"), "empty": t.TempDir(),
		"no manifest": write(t, map[string]string{"README.md": "hello", ".hidden/x.yaml": goodPod}),
	} {
		if _, err := Folder(context.Background(), dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: want an error that names the folder, got %v", name, err)
		}
	}
}

// TestStray keeps files that are no manifests from making everything unknown.
func TestStray(t *testing.T) {
	s := folder(t, map[string]string{"values.yaml": "image: x\nreplicas: 3\n", "pod.yaml": goodPod, "blank.yaml": "# nothing\n---\n"})
	if len(s.Problems) != 1 || !s.Problems[0].Stray || len(s.Missing("Pod")) != 0 {
		t.Errorf("got %+v", s.Problems)
	}
}

// TestLinks follows no symbolic link out of the folder.
func TestLinks(t *testing.T) {
	outside := write(t, map[string]string{"secret.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: secret}\n"})
	dir := write(t, map[string]string{"pod.yaml": goodPod, "..data/mounted.yaml": strings.ReplaceAll(goodPod, "good", "mounted")})
	for link, target := range map[string]string{
		"out.yaml": filepath.Join(outside, "secret.yaml"), "folder": outside, "twice.yaml": "pod.yaml", "mounted.yaml": "..data/mounted.yaml", "loop.yaml": "loop.yaml",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	s, err := Folder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var names, sources []string
	for _, p := range s.Pods {
		names = append(names, p.Name)
	}
	for _, p := range s.Problems {
		sources = append(sources, p.Source)
	}
	if diff := cmp.Diff([]string{"mounted", "good"}, names); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"folder", "loop.yaml", "out.yaml"}, sources); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// TestYes reads y and no as words where a word is wanted.
func TestYes(t *testing.T) {
	s := folder(t, map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: y, namespace: no, labels: {on: off}}\nspec: {hostNetwork: true}\n"})
	if len(s.Problems) != 0 || len(s.PodsIn("no")) != 1 || s.Pods[0].Labels["on"] != "off" || !s.Pods[0].Spec.HostNetwork {
		t.Errorf("got %+v, problems %+v", s.Pods, s.Problems)
	}
}

// TestFormats reads JSON, a stream of it, typed lists and Windows line ends alike.
func TestFormats(t *testing.T) {
	s := folder(t, map[string]string{
		"a.json":    `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}} {"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"}}`,
		"b.yml":     "\xef\xbb\xbf---\r\napiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: c\r\n---\r\n",
		"sub/l.yml": "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: d}\n",
		"e.yaml":    "{apiVersion: v1, kind: Pod, metadata: {name: e}}\n--- # next\napiVersion: v1\nkind: Pod\nmetadata: {name: f}\n",
	})
	if len(s.Problems) != 0 {
		t.Errorf("problems: %+v", s.Problems)
	}
	var got []string
	for _, p := range s.Pods {
		got = append(got, p.Name+" "+s.Source(snapshot.KeyOf(p)))
	}
	want := []string{"a a.json#1", "b a.json#2", "c b.yml#1", "e e.yaml#1", "f e.yaml#2", "d sub/l.yml#1.items[0]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDefaults fills in what the API server would.
func TestDefaults(t *testing.T) {
	s := folder(t, map[string]string{"c.yaml": "apiVersion: watertight.dev/v1alpha1\nkind: TenantClass\nmetadata: {name: c}\n"})
	spec := s.TenantClasses[0].Spec
	if spec.Kernel.PodSecurity != "restricted" || spec.Network.DNSPorts[0] != 53 || spec.Network.ServiceTypes[0] != "ClusterIP" {
		t.Errorf("got %+v", spec)
	}
}

// TestTooLarge does not read a file without end.
func TestTooLarge(t *testing.T) {
	dir := write(t, map[string]string{"pod.yaml": goodPod})
	if err := os.Truncate(filepath.Join(dir, "pod.yaml"), maxFile+1); err != nil {
		t.Fatal(err)
	}
	s, err := Folder(context.Background(), dir)
	if err != nil || len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Message, "larger than 64 MiB") {
		t.Errorf("got %v, %+v", err, s)
	}
}

// TestLargeConfigMap passes over what no verdict needs, at 10 MB, without a problem.
func TestLargeConfigMap(t *testing.T) {
	s := folder(t, map[string]string{
		"pod.yaml": goodPod,
		"big.json": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"big"},"data":{"x":"` + strings.Repeat("x", 10<<20) + `"}}`,
	})
	if len(s.Problems) != 0 || len(s.Pods) != 1 {
		t.Errorf("got %d problems, %d pods", len(s.Problems), len(s.Pods))
	}
}

// TestCancelled stops.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Folder(ctx, write(t, map[string]string{"pod.yaml": goodPod})); err == nil {
		t.Error("want an error")
	}
}

// FuzzDecode must not panic, and must account for every document: an object or a problem.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		goodPod, "", "---\n---\n", "{", "a: &a [*a]", "kind: List\napiVersion: v1\nitems: [null, 1, {}]",
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}{`, "\xef\xbb\xbf", "? [a]\n: b",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: y}\nspec: {ingress: [{from: [{ipBlock: {cidr: ::/0, except: [1.2.3.4]}}]}]}",
		"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [null]}}}}}",
		"apiVersion: v1\nkind: ReplicationController\nmetadata: {name: c}\nspec: {template: null}",
		"apiVersion: a/b/c\nkind: X", "apiVersion: watertight.dev/v1alpha1\nkind: Tenant\nmetadata: {name: a}\nspec: {capacity: {pods: 1e99}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var h harvest
		h.decodeFile("fuzz.yaml", data)
		s := h.snapshot()
		if again := s.With(); len(again.Pods) != len(s.Pods) {
			t.Errorf("With() changed %d pods to %d", len(s.Pods), len(again.Pods))
		}
		for _, p := range s.Problems {
			if p.Message == "" || p.Source == "" {
				t.Errorf("empty problem %+v", p)
			}
		}
		var out bytes.Buffer
		if err := writeBundle(&out, s); err != nil {
			t.Fatal(err)
		}
		back, err := readBundle(context.Background(), &out)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(names(back)), fmt.Sprint(names(s)); got != want {
			t.Errorf("the bundle of %s gave back %s", want, got)
		}
	})
}

// names lists what is in a snapshot.
func names(s *snapshot.Snapshot) []string {
	var out []string
	for _, o := range bundleObjects(s) {
		out = append(out, snapshot.KeyOf(o).String())
	}
	return out
}
