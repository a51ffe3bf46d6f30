package compile

import (
	"bytes"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
)

var update = flag.Bool("update", false, "write what is compiled into testdata instead of comparing it")

// TestGolden compiles every folder of testdata: input.yaml holds a class and tenants, and
// output.yaml what they become.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*/input.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	for _, input := range inputs {
		dir := filepath.Dir(input)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var objects []Object
			for _, in := range readCase(t, input) {
				result, err := Tenant(in)
				if err != nil {
					t.Fatal(err)
				}
				objects = append(objects, result.Objects...)
			}
			compareGolden(t, filepath.Join(dir, "output.yaml"), objects)
		})
	}
}

func TestGoldenInstallation(t *testing.T) {
	guards, err := Guards(Capabilities{MutatingAdmissionPolicy: true}, v1alpha1.OperatorUser)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "testdata/guards.yaml", guards)
	compareGolden(t, "testdata/system.yaml", System(v1alpha1.OperatorUser))
	compareGolden(t, "testdata/canary.yaml", Canary())
}

func compareGolden(t *testing.T, file string, objects []Object) {
	t.Helper()
	got := toYAML(t, objects)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got; go test ./internal/compile -update writes it):\n%s", file, diff)
	}
}

func toYAML(t *testing.T, objects []Object) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			t.Fatal(err)
		}
		delete(content, "status")
		doc, err := yaml.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(doc)
	}
	return out.Bytes()
}

// readCase reads one Input per tenant of a file.
func readCase(t *testing.T, file string) []Input {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var capabilities Capabilities
	var class *v1alpha1.TenantClass
	var tenants []*v1alpha1.Tenant
	for _, doc := range bytes.Split(text, []byte("\n---\n")) {
		var head struct {
			Kind         string        `json:"kind"`
			Capabilities *Capabilities `json:"capabilities"`
		}
		into := any(&head)
		if err := yaml.Unmarshal(doc, into); err != nil {
			t.Fatal(err)
		}
		switch head.Kind {
		case "TenantClass":
			class = &v1alpha1.TenantClass{}
			into = class
		case "Tenant":
			tenants = append(tenants, &v1alpha1.Tenant{})
			into = tenants[len(tenants)-1]
		default:
			capabilities = *head.Capabilities
			continue
		}
		if err := yaml.UnmarshalStrict(doc, into); err != nil {
			t.Fatal(err)
		}
	}
	var out []Input
	for i, tenant := range tenants {
		peers := slices.Delete(slices.Clone(tenants), i, i+1)
		out = append(out, Input{Tenant: tenant, Class: class, Peers: peers, Capabilities: capabilities})
	}
	return out
}

// TestRejected asks for what cannot be given: the answer names the field and the fix.
func TestRejected(t *testing.T) {
	text, err := os.ReadFile("testdata/rejected.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name         string                   `json:"name"`
		Class        v1alpha1.TenantClassSpec `json:"class"`
		Tenant       v1alpha1.TenantSpec      `json:"tenant"`
		Capabilities Capabilities             `json:"capabilities"`
		Peer         *struct {
			Name       string                     `json:"name"`
			Namespaces []v1alpha1.TenantNamespace `json:"namespaces"`
		} `json:"peer"`
		Want string `json:"want"`
	}
	if err := yaml.UnmarshalStrict(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}, Spec: c.Class}
			class.Spec.Capacity.Max = defaultMax()
			tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme", CreationTimestamp: metav1.Unix(100, 0)}, Spec: c.Tenant}
			if tenant.Spec.Namespaces == nil {
				tenant.Spec.Namespaces = []v1alpha1.TenantNamespace{{Name: "web"}}
			}
			in := Input{Tenant: tenant, Class: class, Capabilities: c.Capabilities}
			if c.Tenant.ClassName == "nowhere" {
				in.Class = nil
			}
			if c.Peer != nil {
				in.Peers = []*v1alpha1.Tenant{{
					ObjectMeta: metav1.ObjectMeta{Name: c.Peer.Name, CreationTimestamp: metav1.NewTime(time.Unix(50, 0))},
					Spec:       v1alpha1.TenantSpec{Namespaces: c.Peer.Namespaces},
				}}
			}
			_, err := Tenant(in)
			rejected := (*Rejected)(nil)
			if !errors.As(err, &rejected) {
				t.Fatalf("got %v, want a rejection", err)
			}
			if got := rejected.Reason + " " + rejected.Error(); got != c.Want {
				t.Errorf("got  %s\nwant %s", got, c.Want)
			}
		})
	}
}

func defaultMax() corev1.ResourceList {
	return corev1.ResourceList{"pods": resource.MustParse("10"), "bananas": resource.MustParse("10")}
}

// TestGuardsAreConstant: no guard names a tenant, and every guard fails closed.
func TestGuardsAreConstant(t *testing.T) {
	guards, err := Guards(Capabilities{MutatingAdmissionPolicy: true}, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, g := range guards {
		names[g.GetName()]++
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] != 2 {
			t.Errorf("guard %s has %d objects, want a policy and a binding", name, names[name])
		}
	}
}
