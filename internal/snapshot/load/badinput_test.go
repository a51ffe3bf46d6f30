package load

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"watertight.dev/watertight/internal/snapshot"
)

// problems lists "source kind: message" of what could not be read, strays marked.
func problems(s *snapshot.Snapshot) []string {
	var out []string
	for _, p := range s.Problems {
		mark := ""
		if p.Stray {
			mark = "(stray) "
		}
		out = append(out, strings.TrimSpace(mark+p.Source+" "+p.Kind)+": "+p.Message)
	}
	return out
}

// expect asks that each problem begins as wanted, and that the good pod was loaded.
func expect(t *testing.T, s *snapshot.Snapshot, want ...string) {
	t.Helper()
	got := problems(s)
	fits := slices.EqualFunc(got, want, func(g, w string) bool {
		head, part, _ := strings.Cut(w, " … ")
		return strings.HasPrefix(g, head) && strings.Contains(g, part)
	})
	if !fits {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	if len(s.PodsIn("shop")) != 1 {
		t.Errorf("the good pod is lost: %v", s.Pods)
	}
}

// TestHelmTemplates: each file of a chart is named, once a document, and the rest is read.
func TestHelmTemplates(t *testing.T) {
	s := folder(t, map[string]string{
		"chart/Chart.yaml":               "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"chart/values.yaml":              "replicas: 1\n",
		"chart/templates/a-control.yaml": "{{- if .Values.enabled }}\napiVersion: v1\nkind: Service\nmetadata:\n  name: x\n{{- end }}\n",
		"chart/templates/b-value.yaml":   "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n",
		"chart/templates/c-quoted.yaml":  "apiVersion: v1\nkind: Service\nmetadata:\n  name: \"{{ .Release.Name }}\"\n",
		"chart/templates/d-label.yaml":   "apiVersion: v1\nkind: Service\nmetadata:\n  name: x\n  labels: {app: '{{ .Chart.Name }}'}\n",
		"good.yaml":                      goodPod,
		"rule.yaml":                      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: alerts}\ndata: {text: \"{{ $value }} is too much\"}\n",
	})
	expect(t, s,
		"(stray) chart/Chart.yaml#1: describes a Helm chart",
		"chart/templates/a-control.yaml#1: malformed YAML … it is a template: render it first",
		"chart/templates/b-value.yaml#1: malformed YAML … it is a template: render it first",
		"chart/templates/c-quoted.yaml#1 Service: … metadata.name is a template: render it first",
		"chart/templates/d-label.yaml#1 Service: … metadata.labels is a template",
		"(stray) chart/values.yaml#1: is no Kubernetes object",
	)
}

// TestOldVersions: what is written in a version that is not read is missing from every
// verdict, and is named; it stays among the untyped objects for who can do with its name.
func TestOldVersions(t *testing.T) {
	s := folder(t, map[string]string{
		"rbac.yaml":   "apiVersion: rbac.authorization.k8s.io/v1beta1\nkind: ClusterRoleBinding\nmetadata: {name: all}\n",
		"deploy.yaml": "apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n",
		"extra.yaml":  "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: in, namespace: shop}\n",
		"good.yaml":   goodPod,
		"pdb.yaml":    "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p, namespace: shop}\n",
	})
	expect(t, s,
		"deploy.yaml#1 Deployment: Deployment web is of version apps/v1beta1, which is not read: write it in apps/v1",
		"extra.yaml#1 Ingress: Ingress in is of version extensions/v1beta1, which is not read: write it in networking.k8s.io/v1",
		"rbac.yaml#1 ClusterRoleBinding: ClusterRoleBinding all is of version rbac.authorization.k8s.io/v1beta1, which is not read: write it in rbac.authorization.k8s.io/v1",
	)
}

// TestMixedList reads what is good in a List, and names what is not by its place.
func TestMixedList(t *testing.T) {
	list := "apiVersion: v1\nkind: List\nitems:\n" +
		"- {apiVersion: v1, kind: Pod, metadata: {name: good, namespace: shop}}\n" +
		"- {apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: aGlkZGVu}}\n" +
		"- {apiVersion: policy/v9, kind: PodDisruptionBudget, metadata: {name: p}}\n" +
		"- {apiVersion: example.com/v1, kind: Anything, metadata: {name: x}}\n" +
		"- null\n- 7\n- {kind: Pod}\n- {}\n"
	for _, form := range []string{"yaml", "json"} {
		text := list
		if form == "json" {
			d, err := parseYAML([]byte(list))
			if err != nil {
				t.Fatal(err)
			}
			data, err := d.json(false)
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		s := folder(t, map[string]string{"list." + form: text})
		at := "list." + form + "#1.items"
		expect(t, s,
			at+"[2] PodDisruptionBudget: unknown API version policy/v9 of PodDisruptionBudget: use policy/v1",
			"(stray) "+at+"[4]: is no Kubernetes object", at+"[5]: is no Kubernetes object",
			at+"[6] Pod: apiVersion and kind must both be set", "(stray) "+at+"[7]: is no Kubernetes object",
		)
		if len(s.OthersOf("example.com", "Anything")) != 1 {
			t.Errorf("others: %v", s.Others)
		}
		for _, secret := range s.OthersOf("", "Secret") {
			if strings.Contains(fmt.Sprint(secret.Object), "aGlkZGVu") {
				t.Error("the content of a Secret is kept")
			}
		}
	}
}

// TestLists of Lists are read as deep as anybody writes them, and refused beyond.
func TestLists(t *testing.T) {
	nest := func(depth int) string {
		text := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"good","namespace":"shop"}}`
		for range depth {
			text = `{"apiVersion":"v1","kind":"List","items":[` + text + `]}`
		}
		return text
	}
	expect(t, folder(t, map[string]string{"a.json": nest(maxLists)}))
	expect(t, folder(t, map[string]string{"a.yaml": goodPod, "b.json": strings.ReplaceAll(nest(maxLists+1), "good", "bad")}),
		"b.json#1.items[0].items[0].items[0].items[0]: is a List inside more than 3 others")
	deep := strings.Repeat(`{"apiVersion":"v1","kind":"List","items":[`, 100_000)
	expect(t, folder(t, map[string]string{"a.yaml": goodPod, "b.json": deep + strings.Repeat("]}", 100_000)}),
		"b.json#1: malformed YAML")
	expect(t, folder(t, map[string]string{"a.yaml": goodPod, "b.json": `{"apiVersion":"v1","kind":"List","items":{"a":1}}`}),
		"b.json#1: is a List that cannot be read")
}

// TestTexts reads every text that Windows and editors write, and no other.
func TestTexts(t *testing.T) {
	utf16of := func(order binary.AppendByteOrder, mark bool, text string) string {
		units := utf16.Encode([]rune(text))
		if mark {
			units = append([]uint16{0xfeff}, units...)
		}
		var out []byte
		for _, u := range units {
			out = order.AppendUint16(out, u)
		}
		return string(out)
	}
	for name, c := range map[string]struct {
		text     string
		problems []string
	}{
		"UTF-16, little end first": {utf16of(binary.LittleEndian, true, goodPod), nil},
		"UTF-16, big end first":    {utf16of(binary.BigEndian, true, goodPod), nil},
		"UTF-16 without a mark":    {utf16of(binary.LittleEndian, false, goodPod), []string{"a.yaml: is a binary file"}},
		"a mark in the middle":     {"# first\n---\n\xef\xbb\xbf" + goodPod, nil},
		"Windows line ends":        {strings.ReplaceAll("---\n"+goodPod+"---\n# end\n...\n", "\n", "\r\n"), nil},
		"a directive":              {"%YAML 1.1\n---\n" + goodPod, nil},
		"an end and nothing after": {goodPod + "...\n", nil},
		"a marker inside a text":   {goodPod + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: |\n    x\n    ---\n    y\n", nil},
		"a word like a marker":     {goodPod + "----\n", []string{"a.yaml#1: malformed YAML"}},
		"a document on its marker": {"--- {apiVersion: v1, kind: Pod, metadata: {name: good, namespace: shop}}\n", nil},
		"tabs":                     {goodPod + "---\nkind:\n\tx: y\n", []string{"a.yaml#2: malformed YAML"}},
		"JSON in YAML":             {"---\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"good\", \"namespace\": \"shop\"}}\n---\n", nil},
		"flow YAML":                {"{apiVersion: v1, kind: Pod, metadata: {name: good, namespace: shop}}\n", nil},
		"JSON, and then broken":    {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"good","namespace":"shop"}} {"kind":`, []string{"a.yaml#2: is no Kubernetes object"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"a.yaml": c.text}
			if len(c.problems) > 0 && !strings.HasPrefix(c.problems[0], "a.yaml#2") {
				files["good.yaml"] = goodPod
			}
			expect(t, folder(t, files), c.problems...)
		})
	}
}

// TestNumbers that no field can hold are named, and cost nothing.
func TestNumbers(t *testing.T) {
	pod := func(spec string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: bad, namespace: other}\nspec: " + spec + "\n"
	}
	for name, c := range map[string]struct{ spec, message string }{
		"a port":        {"{containers: [{name: a, ports: [{containerPort: 99999999999999999999}]}]}", "cannot be read"},
		"a float":       {"{containers: [{name: a, ports: [{containerPort: 80.5}]}]}", "cannot be read"},
		"an exponent":   {"{containers: [{name: a, ports: [{containerPort: 1e400}]}]}", "cannot be read"},
		"an infinity":   {"{priority: .inf}", "no number that JSON can hold"},
		"a long number": {"{priority: 1" + strings.Repeat("0", 1000) + "}", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := folder(t, map[string]string{"bad.yaml": pod(c.spec), "good.yaml": goodPod})
			if got := problems(s); len(got) != 1 || !strings.Contains(got[0], c.message) || len(got[0]) > 700 {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestTinyNumbers would keep the parser of quantities busy for ever.
func TestTinyNumbers(t *testing.T) {
	pod := func(quantity string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: bad, namespace: other, labels: {commit: '5e-123', build: be-12345}}\nspec: {containers: [{name: a, resources: {limits: {cpu: " + quantity + "}}}]}\n"
	}
	for _, quantity := range []string{"'1E-2147483647'", "\"0.5e-0099999\"", "'-1e-99999'"} {
		s := folder(t, map[string]string{"bad.yaml": pod(quantity), "bad.json": `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":1e-99999999}}}]}}`, "good.yaml": goodPod})
		expect(t, s, "bad.json#1 Pod: Pod cannot be read: the number 1e-99999999 is too small", "bad.yaml#1 Pod: … is too small")
	}
	for _, quantity := range []string{"1e-3", "'1e-999'", "'1e999'", "'1e2147483647'"} {
		s := folder(t, map[string]string{"pod.yaml": pod(quantity)})
		if len(s.Pods) != 1 || len(s.Problems) != 0 {
			t.Errorf("%s: %v", quantity, problems(s))
		}
	}
}

// TestDeepNesting ends in a message and not in an exhausted stack.
func TestDeepNesting(t *testing.T) {
	const depth = 200_000
	s := folder(t, map[string]string{
		"a.yaml": strings.Repeat("[", depth), "b.yaml": strings.Repeat("- ", depth) + "x", "c.json": `{"kind":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}",
		"d.json":    `{"apiVersion":"a.b/v1","kind":"X","metadata":{"name":"x"},"spec":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}",
		"good.yaml": goodPod,
	})
	var sources []string
	for _, p := range s.Problems {
		sources = append(sources, p.Source)
		if len(p.Message) > 600 {
			t.Errorf("a message of %d characters", len(p.Message))
		}
	}
	if diff := cmp.Diff([]string{"a.yaml#1", "b.yaml#1", "c.json#1", "d.json#1"}, sources); diff != "" {
		t.Error(diff)
	}
}

// TestReduced: what is large or secret is not kept.
func TestReduced(t *testing.T) {
	s := folder(t, map[string]string{"a.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example.com}\n" +
		"spec: {group: example.com, names: {kind: X, plural: xs}, scope: Namespaced, versions: [{name: v1, served: true, schema: {openAPIV3Schema: {type: object}}}]}\n",
		"pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: good\n  namespace: shop\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: x\n" +
			"    snapshot.watertight.dev/template: spec.template\n    keep: y\n"})
	crds := s.OthersOf("apiextensions.k8s.io", "CustomResourceDefinition")
	if len(crds) != 1 || strings.Contains(fmt.Sprint(crds[0].Object), "openAPIV3Schema") || !strings.Contains(fmt.Sprint(crds[0].Object), "plural:xs") {
		t.Errorf("got %v", crds)
	}
	expect(t, s)
	if diff := cmp.Diff(map[string]string{"keep": "y"}, s.Pods[0].Annotations); diff != "" {
		t.Error(diff)
	}
}
