package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// sarifOf is a report as SARIF, read back.
func sarifOf(t *testing.T, r Report, files SARIFFiles) (string, sarifRun) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteSARIF(&b, files); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	d := json.NewDecoder(bytes.NewReader(b.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 {
		t.Fatalf("version %q with %d runs", log.Version, len(log.Runs))
	}
	return b.String(), log.Runs[0]
}

// TestSARIF shows a broken, an unknown and a contradicted guarantee. The rules are left
// out: they are the catalog, and have a test of their own.
func TestSARIF(t *testing.T) {
	_, run := sarifOf(t, sample(t), SARIFFiles{Root: "examples", Path: func(file string) string { return path.Join("examples", file) }})
	run.Tool.Driver.Rules = nil
	raw, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sarif.golden", string(raw)+"\n")
}

// TestSARIFRules: a rule per guarantee, as the standard and code scanning want them.
func TestSARIFRules(t *testing.T) {
	_, run := sarifOf(t, sample(t), SARIFFiles{})
	rules := run.Tool.Driver.Rules
	if len(rules) != len(guarantee.All()) {
		t.Fatalf("%d rules for %d guarantees", len(rules), len(guarantee.All()))
	}
	for i, g := range guarantee.All() {
		r := rules[i]
		if r.ID != string(g.ID) || r.ShortDescription.Text != g.Sentence || r.Default.Level != "error" || len(r.Properties.Tags) > 10 {
			t.Errorf("rule %d is %+v", i, r)
		}
		for _, ref := range g.References {
			if !strings.Contains(r.Help.Text, ref) || !strings.Contains(r.Help.Markdown, ref) {
				t.Errorf("the help of %s does not name %s", r.ID, ref)
			}
		}
		if u, err := url.Parse(r.HelpURI); r.HelpURI != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.Contains(r.HelpURI, " ")) {
			t.Errorf("helpUri %q of %s is no address", r.HelpURI, r.ID)
		}
	}
	for _, r := range run.Results {
		if rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("ruleIndex %d is %s, not %s", r.RuleIndex, rules[r.RuleIndex].ID, r.RuleID)
		}
	}
}

// TestReferenceURL: only references whose address follows from their name have one.
func TestReferenceURL(t *testing.T) {
	for reference, want := range map[string]string{
		"ATT&CK T1552.007":              "https://attack.mitre.org/techniques/T1552/007/",
		"CVE-2020-8554":                 "https://www.cve.org/CVERecord?id=CVE-2020-8554",
		"KEP-1040":                      "https://kep.k8s.io/1040",
		"CIS 5.3.2":                     "",
		"kubectl-mtb block_x":           "",
		"KEP-1 and what it says: a lot": "",
	} {
		if got := referenceURL(reference); got != want {
			t.Errorf("%s is at %q, want %q", reference, got, want)
		}
	}
}

// TestSARIFPlaces: how a source becomes a place in a file.
func TestSARIFPlaces(t *testing.T) {
	for _, c := range []struct {
		source, uri string
		document    int
	}{
		{"shop.yaml#3", "shop.yaml", 3},
		{"a b/ä#1.yaml#12", "a%20b/%C3%A4%231.yaml", 12},
		{"c:d.yaml#1", "./c:d.yaml", 1},
		{"100%.yml", "100%25.yml", 0},
		{"../../etc/x.json#2", "../../etc/x.json", 2},
		{"\x1b\xff\u202e.yaml#1", "%1B%FF%E2%80%AE.yaml", 1},
		{"pods", "", 0},        // a resource of a live cluster
		{"pods#0", "", 0},      // no document
		{"shop.yaml#x", "", 0}, // neither
		{"", "", 0},
	} {
		uri, document := "", 0
		if p := sarifPhysicalOf(c.source, SARIFFiles{}); p != nil {
			uri = p.Artifact.URI
			if p.Properties != nil {
				document = p.Properties.Document
			}
		}
		if uri != c.uri || document != c.document {
			t.Errorf("%q is document %d of %q, want %d of %q", c.source, document, uri, c.document, c.uri)
		}
	}
}

// TestSARIFHasAnArtifact where there are files at all: code scanning wants one in the
// first location of every result. On a live cluster there is none, and none is made up.
func TestSARIFHasAnArtifact(t *testing.T) {
	bare := said(guarantee.NET5, guarantee.Broken, "nothing is named")
	bare.Evidence = nil
	unseen := said(guarantee.NET4, guarantee.Broken, "only an object is named")
	unseen.Evidence[0].Source = ""
	second := said(guarantee.NET1, guarantee.Broken, "the second is in a file")
	second.Evidence = []guarantee.Evidence{unseen.Evidence[0], {Object: guarantee.Ref{Kind: "Pod", Name: "p"}, Source: "p.yaml#1"}}
	report := run(t, Input{Snapshot: picture(), AsIfApplied: true, Analyzers: []analyze.Analyzer{saying(bare, unseen, second)}})
	for _, root := range []string{"manifests", ""} {
		_, run := sarifOf(t, report, SARIFFiles{Root: root})
		if len(run.Results) != 3 {
			t.Fatalf("%d results, want 3", len(run.Results))
		}
		for _, r := range run.Results {
			got := "nowhere"
			if len(r.Locations) > 0 && r.Locations[0].Physical != nil {
				got = r.Locations[0].Physical.Artifact.URI
			}
			want := map[string]string{"NET-1": "p.yaml", "NET-4": "manifests", "NET-5": "manifests"}[r.RuleID]
			if root == "" {
				want = "nowhere"
			}
			if got != want {
				t.Errorf("root %q: %s is at %s, want %s", root, r.RuleID, got, want)
			}
		}
	}
}

// TestSARIFFingerprints: other words change nothing, another object, field, reason,
// tenant or column does.
func TestSARIFFingerprints(t *testing.T) {
	base := said(guarantee.NET5, guarantee.Broken, "x")
	change := func(alter func(*guarantee.Finding)) guarantee.Finding {
		f := said(guarantee.NET5, guarantee.Broken, "x")
		alter(&f)
		return f
	}
	for name, c := range map[string]struct {
		f    guarantee.Finding
		same bool
	}{
		"message":  {change(func(f *guarantee.Finding) { f.Message = "y" }), true},
		"detail":   {change(func(f *guarantee.Finding) { f.Evidence[0].Detail = "y" }), true},
		"source":   {change(func(f *guarantee.Finding) { f.Evidence[0].Source = "moved.yaml#7" }), true},
		"doubled":  {change(func(f *guarantee.Finding) { f.Evidence = append(f.Evidence, f.Evidence[0]) }), true},
		"object":   {change(func(f *guarantee.Finding) { f.Evidence[0].Object.Name = "y" }), false},
		"field":    {change(func(f *guarantee.Finding) { f.Evidence[0].Field = "y" }), false},
		"reason":   {change(func(f *guarantee.Finding) { f.Reason = "y" }), false},
		"tenant":   {change(func(f *guarantee.Finding) { f.Tenant = "y" }), false},
		"evidence": {change(func(f *guarantee.Finding) { f.Evidence = nil }), false},
	} {
		if same := fingerprint(c.f) == fingerprint(base); same != c.same {
			t.Errorf("another %s: the same fingerprint is %v, want %v", name, same, c.same)
		}
	}
	_, run := sarifOf(t, sample(t), SARIFFiles{})
	seen := map[string]bool{}
	for _, r := range run.Results {
		key := r.PartialFingerprints["watertight/v1"]
		if key == "" || seen[key] {
			t.Errorf("fingerprint %q of %s is empty or used twice", key, r.RuleID)
		}
		seen[key] = true
	}
}

// TestSARIFLimits: what code scanning would refuse is cut, and the report says so.
func TestSARIFLimits(t *testing.T) {
	long := said(guarantee.NET5, guarantee.Broken, strings.Repeat("ü{", 100_000))
	for i := range 200 {
		long.Evidence = append(long.Evidence, guarantee.Evidence{Object: guarantee.Ref{Kind: "Pod", Name: fmt.Sprint(i)}})
	}
	unsure := said(guarantee.NET4, guarantee.Unknown, "x")
	found := []guarantee.Finding{unsure}
	for i := range mostSARIFResults {
		f := said(guarantee.NET5, guarantee.Broken, "x")
		f.Evidence[0].Field = fmt.Sprint(i)
		found = append(found, f)
	}
	found[1] = long
	report := run(t, Input{Snapshot: picture(), AsIfApplied: true, Analyzers: []analyze.Analyzer{saying(found...)}})
	text, run := sarifOf(t, report, SARIFFiles{})
	if len(run.Results) != mostSARIFResults {
		t.Errorf("%d results, want %d", len(run.Results), mostSARIFResults)
	}
	if !utf8.ValidString(text) {
		t.Error("a character was cut in two")
	}
	for _, r := range run.Results {
		if r.Level != "error" {
			t.Fatal("a warning took the place of an error")
		}
		if len(r.Message.Text) >= 64<<10 || len(r.Locations) > mostSARIFLocations {
			t.Errorf("%d bytes of message and %d locations", len(r.Message.Text), len(r.Locations))
		}
	}
	said := func(n sarifNotification) bool { return strings.Contains(n.Message.Text, "1 results were left out") }
	if !slices.ContainsFunc(run.Invocations[0].Notifications, said) {
		t.Errorf("nothing is said of the one that was left out: %+v", run.Invocations[0].Notifications)
	}
}

// TestHostileSARIF: no tenant's text becomes a link or a placeholder, or drives a
// terminal that prints the file.
func TestHostileSARIF(t *testing.T) {
	const evil = "[click](https://evil.example) {0} \x1b[2J\u202e\x00"
	f := said(guarantee.NET5, guarantee.Broken, evil)
	f.Evidence[0] = guarantee.Evidence{Object: guarantee.Ref{Kind: evil, Name: evil}, Field: evil, Detail: evil, Source: evil}
	report := run(t, Input{Source: evil, Snapshot: picture(), AsIfApplied: true, Analyzers: []analyze.Analyzer{saying(f)}, Notes: []string{evil}})
	report.Tenants[0].Tenant = evil
	text, run := sarifOf(t, report, SARIFFiles{})
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && hostile(r) }); i >= 0 {
		t.Errorf("a hostile character gets through: %q", text[max(i-20, 0):i+5])
	}
	if strings.Contains(text, `\u001b`) || strings.Contains(text, `\u202e`) {
		t.Error("a hostile character gets through to whoever decodes the file")
	}
	messages := []string{run.Results[0].Message.Text, run.Results[0].Locations[0].Message.Text, run.Invocations[0].Notifications[0].Message.Text}
	for _, m := range messages {
		if strings.Contains(m, "](") || !strings.Contains(m, "{{0}}") {
			t.Errorf("a link or a placeholder gets through: %s", m)
		}
	}
}
