package verify_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/config"
	"watertight.dev/watertight/internal/analyze/all"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

// verifyExample judges a folder of examples with the class that Watertight ships.
func verifyExample(t *testing.T, dir string) verify.Report {
	t.Helper()
	picture, err := load.Folder(t.Context(), "../../examples/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	if problems := picture.Problems; len(problems) > 0 {
		t.Fatalf("the example cannot be read: %+v", problems)
	}
	picture = picture.With(shippedClass(t, "standard"))
	report, err := verify.Run(t.Context(), verify.Input{
		Source: dir, Snapshot: picture, AsIfApplied: true,
		Capabilities: verify.CapabilitiesOf(picture), Analyzers: all.All(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func shippedClass(t *testing.T, name string) *v1alpha1.TenantClass {
	t.Helper()
	text, err := config.Classes.ReadFile("classes/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	class := new(v1alpha1.TenantClass)
	if err := yaml.UnmarshalStrict(text, class); err != nil {
		t.Fatal(err)
	}
	return class
}

// TestShopHolds: nothing of the shop is broken, and what is unknown says why.
func TestShopHolds(t *testing.T) {
	for _, tenant := range verifyExample(t, "shop").Tenants {
		if tenant.Rejected != "" {
			t.Errorf("%s is rejected: %s", tenant.Tenant, tenant.Rejected)
		}
		for _, row := range tenant.Rows {
			for _, c := range row.Columns() {
				if c.Verdict == guarantee.Broken {
					t.Errorf("%s %s %s is broken: %+v", tenant.Tenant, row.Guarantee, c.Name, c.Findings)
				}
				if c.Verdict == guarantee.Unknown && c.Reason == "" && len(c.Findings) == 0 {
					t.Errorf("%s %s %s is unknown and does not say why", tenant.Tenant, row.Guarantee, c.Name)
				}
			}
		}
	}
}

// TestLeakyBreaksAsPlanted: every planted mistake is broken, named by object and field,
// and nothing else is. testdata/leaky.expected lists them, a line per broken finding:
// tenant, guarantee, and each object, field and file that it rests on.
func TestLeakyBreaksAsPlanted(t *testing.T) {
	var got bytes.Buffer
	found := map[string][]guarantee.ID{}
	for _, tenant := range verifyExample(t, "leaky").Tenants {
		for _, row := range tenant.Rows {
			for _, c := range row.Columns() {
				for _, f := range c.Findings {
					if f.Verdict == guarantee.Broken {
						fmt.Fprintf(&got, "%s %s\n%s", tenant.Tenant, f.Guarantee, places(f))
						for _, e := range f.Evidence {
							file, _, _ := strings.Cut(e.Source, "#")
							note(found, file, f.Guarantee)
						}
					}
				}
			}
		}
	}
	const file = "testdata/leaky.expected"
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("what is broken differs from what is planted (-planted +broken):\n%s", d)
	}
	if d := cmp.Diff(commented(t), found); d != "" {
		t.Errorf("what is broken differs from what the manifests' comments say (-comment +broken):\n%s", d)
	}
}

func places(f guarantee.Finding) string {
	var b strings.Builder
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, "    %s %s (%s)\n", e.Object, e.Field, e.Source)
	}
	return b.String()
}

// commented are the guarantees that each manifest of the leaky tenant says it breaks.
func commented(t *testing.T) map[string][]guarantee.ID {
	t.Helper()
	files, err := filepath.Glob(leaky + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]guarantee.ID{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "#") {
				for _, id := range guaranteeID.FindAllString(line, -1) {
					note(out, filepath.Base(file), guarantee.ID(id))
				}
			}
		}
	}
	return out
}

var guaranteeID = regexp.MustCompile(`\b[A-Z]{3}-[0-9]{1,2}\b`)

const leaky = "../../examples/leaky"

// note adds an ID to a file's, sorted and once.
func note(ids map[string][]guarantee.ID, file string, id guarantee.ID) {
	if !slices.Contains(ids[file], id) {
		ids[file] = append(ids[file], id)
		slices.Sort(ids[file])
	}
}
