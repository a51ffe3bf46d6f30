package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// picture has two tenants of one class.
func picture() *snapshot.Snapshot {
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}}
	class.Spec.Kernel.PodSecurity = v1alpha1.PodSecurityRestricted
	return new(snapshot.Snapshot).With(class, tenantNamed("acme"), tenantNamed("globex"))
}

func tenantNamed(name string) *v1alpha1.Tenant {
	t := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
	t.Spec.ClassName = "standard"
	t.Spec.Namespaces = []v1alpha1.TenantNamespace{{Name: "frontend"}, {Name: "backend"}}
	return t
}

// saying is an analyzer that says these things.
func saying(findings ...guarantee.Finding) analyze.Analyzer {
	a := analyze.Analyzer{Name: "test", Run: func(*snapshot.Snapshot) []guarantee.Finding { return findings }}
	for _, f := range findings {
		a.Guarantees = append(a.Guarantees, f.Guarantee)
	}
	return a
}

func said(id guarantee.ID, v guarantee.Verdict, message string) guarantee.Finding {
	return guarantee.Finding{
		Guarantee: id, Tenant: "acme", Verdict: v, Reason: "Test", Message: message,
		Evidence: []guarantee.Evidence{{
			Object: guarantee.Ref{Kind: "NetworkPolicy", Namespace: "acme-backend", Name: "open"},
			Field:  "spec.egress[0].to", Detail: "no peer is named", Source: "open.yaml#1",
		}},
	}
}

func run(t *testing.T, in Input) Report {
	t.Helper()
	r, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// golden compares with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test ./internal/verify -update writes it)", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (go test ./internal/verify -update rewrites it):\n%s", name, d)
	}
}

// TestReports shows what each format looks like for one broken, one held, one unknown
// and one contradicted guarantee.
func TestReports(t *testing.T) {
	in := Input{
		Source: "manifests in examples", Snapshot: picture(), AsIfApplied: true, Tenants: []string{"acme"},
		Analyzers: []analyze.Analyzer{saying(
			said(guarantee.API1, guarantee.Holds, "nobody reads others"),
			said(guarantee.NET5, guarantee.Broken, "egress is open to everybody; name the peers"),
			said(guarantee.KRN1, guarantee.Holds, "every pod is restricted"),
		)},
		Observe: func(context.Context, string) ([]guarantee.Finding, error) {
			return []guarantee.Finding{
				said(guarantee.API1, guarantee.Holds, "12 of 12 tries were refused"),
				said(guarantee.KRN1, guarantee.Broken, "the tenant's owner can run a privileged container"),
			}, nil
		},
	}
	report := few(run(t, in), guarantee.API1, guarantee.API2, guarantee.NET5, guarantee.KRN1, guarantee.KRN2)
	for name, write := range map[string]func(io.Writer) error{
		"table.golden": func(w io.Writer) error { return report.WriteTable(w, false) },
		"junit.golden": report.WriteJUnit,
		"json.golden":  report.WriteJSON,
		"explain.golden": func(w io.Writer) error {
			return report.Tenants[0].WriteExplanation(w, guarantee.KRN1, false)
		},
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
	var table bytes.Buffer
	if err := report.WriteTable(&table, false); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(table.String()) {
		if isRow := strings.HasPrefix(line, "API-") && strings.Contains(line, "not asked"); isRow && len([]rune(line)) > tableWidth+1 {
			t.Errorf("a row of the table is wider than %d columns: %q", tableWidth, line)
		}
	}
}

// few keeps some rows, without the list of what compile makes: that has tests of its own.
func few(r Report, ids ...guarantee.ID) Report {
	var rows []Row
	for _, row := range r.Tenants[0].Rows {
		if slices.Contains(ids, row.Guarantee) {
			for i := range row.Compiled.Findings {
				row.Compiled.Findings[i].Message, row.Compiled.Findings[i].Evidence = "by construction: 4 objects enforce it", nil
			}
			rows = append(rows, row)
		}
	}
	r.Tenants[0].Rows = rows
	return r
}

// TestWorstColumnDecides is the rule behind the exit code.
func TestWorstColumnDecides(t *testing.T) {
	const h, b, u = guarantee.Holds, guarantee.Broken, guarantee.Unknown
	cases := []struct {
		predicted, observed, want guarantee.Verdict
		differs                   bool
	}{
		{h, h, h, false}, {h, b, b, true}, {b, h, b, true}, {h, u, u, false}, {u, h, u, false}, {b, u, b, false}, {b, b, b, false},
	}
	for _, c := range cases {
		report := run(t, Input{
			Snapshot: picture(), AsIfApplied: true, Tenants: []string{"acme"},
			Analyzers: []analyze.Analyzer{saying(said(guarantee.KRN1, c.predicted, "x"))},
			Observe: func(context.Context, string) ([]guarantee.Finding, error) {
				return []guarantee.Finding{said(guarantee.KRN1, c.observed, "y")}, nil
			},
		})
		row, _ := report.Tenants[0].Row(guarantee.KRN1)
		if row.Verdict != c.want || (row.Difference != nil) != c.differs {
			t.Errorf("predicted %s, observed %s: row %s (difference %v), want %s (%v)", c.predicted, c.observed, row.Verdict, row.Difference != nil, c.want, c.differs)
		}
	}
}

// TestSilenceIsUnknown: no analyzer, a silent one, a failed probe and an unreadable file
// leave a row unknown, whatever else holds.
func TestSilenceIsUnknown(t *testing.T) {
	holds := saying(said(guarantee.KRN1, guarantee.Holds, "x"))
	silent := analyze.Analyzer{Guarantees: []guarantee.ID{guarantee.KRN1}, Run: func(*snapshot.Snapshot) []guarantee.Finding { return nil }}
	unread := picture().WithProblems(snapshot.Problem{Source: "a.yaml#2", Message: "not YAML"})
	failing := func(context.Context, string) ([]guarantee.Finding, error) { return nil, errors.New("no token") }
	cases := map[string]Input{
		"no analyzer":     {Snapshot: picture()},
		"silent analyzer": {Snapshot: picture(), Analyzers: []analyze.Analyzer{silent}},
		"failed probes":   {Snapshot: picture(), Analyzers: []analyze.Analyzer{holds}, Observe: failing},
		"unreadable file": {Snapshot: unread, Analyzers: []analyze.Analyzer{holds}},
	}
	for name, in := range cases {
		t.Run(name, func(t *testing.T) {
			in.AsIfApplied, in.Tenants = true, []string{"acme"}
			row, _ := run(t, in).Tenants[0].Row(guarantee.KRN1)
			if row.Verdict != guarantee.Unknown {
				t.Errorf("verdict %s, want unknown: %+v", row.Verdict, row)
			}
		})
	}
}

// TestNotPromised: what the class does not promise touches nothing.
func TestNotPromised(t *testing.T) {
	row, _ := run(t, Input{Snapshot: picture(), AsIfApplied: true}).Tenants[0].Row(guarantee.KRN2)
	for _, c := range row.Columns() {
		if c.Verdict != guarantee.NotPromised {
			t.Errorf("%s is %s, want -", c.Name, c.Verdict)
		}
	}
}

func TestUnknownTenant(t *testing.T) {
	_, err := Run(t.Context(), Input{Snapshot: picture(), Tenants: []string{"acmee"}})
	var unknown *UnknownTenant
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "acme, globex") {
		t.Errorf("got %v, want an error that lists the tenants", err)
	}
}

// TestNothingToJudge: an empty folder gives no good news.
func TestNothingToJudge(t *testing.T) {
	report := run(t, Input{Snapshot: new(snapshot.Snapshot).With(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}), AsIfApplied: true})
	if report.Verdict != guarantee.Unknown || len(report.Notes) == 0 {
		t.Errorf("got %+v, want unknown with a note", report)
	}
}

// TestRejectedTenant: nothing is compiled for it, and the report says why.
func TestRejectedTenant(t *testing.T) {
	lost := tenantNamed("initech")
	lost.Spec.ClassName = "nosuch"
	report := run(t, Input{Snapshot: picture().With(lost), AsIfApplied: true, Tenants: []string{"initech"}})
	got := report.Tenants[0]
	if got.Verdict != guarantee.Unknown || !strings.Contains(got.Rejected, "ClassNotFound") {
		t.Errorf("got %s, rejected %q", got.Verdict, got.Rejected)
	}
}

// TestHostileText: whatever a tenant writes into names and messages, no format lets it
// drive a terminal, forge a line or break out of XML.
func TestHostileText(t *testing.T) {
	const evil = "x\x1b[2J\x1b]0;owned\x07\r\nNET-1      holds\u202e\u200b]]></failure><testcase name=\"ok\"/>\x00\xff"
	f := said(guarantee.NET5, guarantee.Broken, evil)
	f.Evidence[0].Object.Name, f.Evidence[0].Field, f.Evidence[0].Detail, f.Evidence[0].Source = evil, evil, evil, evil
	report := run(t, Input{
		Source: evil, Snapshot: picture().WithProblems(snapshot.Problem{Source: evil, Kind: "X", Message: evil}),
		AsIfApplied: true, Analyzers: []analyze.Analyzer{saying(f)},
	})
	report.Tenants[0].Tenant, report.Tenants[0].Class, report.Tenants[0].Rejected = evil, evil, evil
	for name, write := range map[string]func(io.Writer) error{
		"table":   func(w io.Writer) error { return report.WriteTable(w, false) },
		"explain": func(w io.Writer) error { return report.Tenants[0].WriteExplanation(w, guarantee.NET5, false) },
		"junit":   report.WriteJUnit,
		"json":    report.WriteJSON,
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && name != "json" && hostile(r) }); i >= 0 {
			t.Errorf("%s: a hostile character gets through: %q", name, b.String()[max(i-20, 0):i+5])
		}
		if strings.ContainsAny(b.String(), "\x1b\x00\r") {
			t.Errorf("%s: a control character gets through", name)
		}
		if strings.Contains(b.String(), "\nNET-1      holds") {
			t.Errorf("%s: a forged row", name)
		}
	}
}

// TestJUnitIsWellFormed also with hostile text, and counts what it holds.
func TestJUnitIsWellFormed(t *testing.T) {
	report := run(t, Input{Snapshot: picture(), AsIfApplied: true, Analyzers: []analyze.Analyzer{
		saying(said(guarantee.NET5, guarantee.Broken, `<&"'>]]>`+"\x1b\x00")),
	}})
	var b bytes.Buffer
	if err := report.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil {
		t.Fatalf("not well-formed: %v", err)
	}
	if len(suites.Suites) != 2 || suites.Failures != 1 || suites.Tests != 2*len(guarantee.All()) {
		t.Errorf("got %d suites, %d failures, %d tests", len(suites.Suites), suites.Failures, suites.Tests)
	}
}

// TestJSONReadsBack: the structure is documented and stable.
func TestJSONReadsBack(t *testing.T) {
	report := run(t, Input{Source: "x", Snapshot: picture(), AsIfApplied: true})
	var b bytes.Buffer
	if err := report.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(report, back); d != "" {
		t.Error(d)
	}
}

// TestNeverColourWhenNotAsked keeps escapes out of files.
func TestNeverColourWhenNotAsked(t *testing.T) {
	report := run(t, Input{Snapshot: picture(), AsIfApplied: true})
	for _, colour := range []bool{false, true} {
		var b bytes.Buffer
		if err := report.WriteTable(&b, colour); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "\x1b") != colour {
			t.Errorf("colour=%v, and the output disagrees", colour)
		}
	}
}
