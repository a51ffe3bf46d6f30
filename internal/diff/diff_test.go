package diff_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/config"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/podsecurity"
	"watertight.dev/watertight/internal/analyze/rbacreach"
	"watertight.dev/watertight/internal/diff"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

var update = flag.Bool("update", false, "rewrite what the cases want")

// TestCases compares the folders before/ and after/ of each case; base.yaml is in both.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			last := len(archive.Files) - 1
			for _, f := range archive.Files[:last] {
				write(t, filepath.Join(dir, f.Name), f.Data)
			}
			var got bytes.Buffer
			if err := diff.Compare(sideOf(t, dir, "before"), sideOf(t, dir, "after")).WriteText(&got); err != nil {
				t.Fatal(err)
			}
			if *update {
				archive.Files[last].Data = got.Bytes()
				write(t, file, txtar.Format(archive))
			}
			if d := cmp.Diff(string(archive.Files[last].Data), got.String()); d != "" {
				t.Errorf("(-want +got; go test ./internal/diff -update rewrites it)\n%s", d)
			}
		})
	}
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// sideOf judges a folder, and base.yaml with it.
func sideOf(t *testing.T, dir, side string) diff.Side {
	t.Helper()
	base, err := os.ReadFile("testdata/base.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, side, "base.yaml"), base)
	s, err := load.Folder(t.Context(), filepath.Join(dir, side))
	if err != nil {
		t.Fatal(err)
	}
	text, err := config.Classes.ReadFile("classes/standard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	class := new(v1alpha1.TenantClass)
	if err := yaml.UnmarshalStrict(text, class); err != nil {
		t.Fatal(err)
	}
	return judged(t, side, s.With(class))
}

func judged(t *testing.T, name string, s *snapshot.Snapshot) diff.Side {
	t.Helper()
	side := diff.Side{Snapshot: s}
	looking := analyze.Analyzer{Run: func(p *snapshot.Snapshot) []guarantee.Finding {
		side.Picture = p
		return nil
	}}
	var err error
	side.Report, err = verify.Run(t.Context(), verify.Input{
		Source: name, Snapshot: s, AsIfApplied: s.Origin == snapshot.OriginFolder, Capabilities: verify.CapabilitiesOf(s),
		Analyzers: []analyze.Analyzer{plain(rbacreach.Analyzer()), plain(netreach.Analyzer()), plain(podsecurity.Analyzer()), looking},
	})
	if err != nil {
		t.Fatal(err)
	}
	return side
}

// plain lets findings say their reason, so that the cases do not depend on wording.
func plain(a analyze.Analyzer) analyze.Analyzer {
	run := a.Run
	a.Run = func(s *snapshot.Snapshot) []guarantee.Finding {
		findings := run(s)
		for i := range findings {
			findings[i].Message = findings[i].Reason
		}
		return findings
	}
	return a
}

// TestOutcomes is what each case comes to, which decides the exit code.
func TestOutcomes(t *testing.T) {
	want := map[string]diff.Outcome{
		"same": diff.Same, "foreign-kept": diff.Same,
		"closed": diff.NotWorse, "tenant-new": diff.NotWorse,
		"unreadable": diff.CannotTell, "foreign": diff.CannotTell, "tenant-gone": diff.CannotTell,
		"reopened": diff.Worse, "across": diff.Worse, "outside": diff.Worse, "declared": diff.NotWorse, "wider": diff.Worse, "rights": diff.Worse, "tenant-broken": diff.Worse,
	}
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) != len(want) {
		t.Errorf("%d cases, and outcomes of %d", len(files), len(want))
	}
	for name, outcome := range want {
		archive, err := txtar.ParseFile("testdata/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range archive.Files {
			if f.Name != "want" {
				write(t, filepath.Join(dir, f.Name), f.Data)
			}
		}
		before, after := sideOf(t, dir, "before"), sideOf(t, dir, "after")
		if got := diff.Compare(before, after).Outcome; got != outcome {
			t.Errorf("%s: %s, want %s", name, got, outcome)
		}
		if got := diff.Compare(after, after).Outcome; got != diff.Same && name != "unreadable" {
			t.Errorf("%s: after compared with itself is %s", name, got)
		}
	}
}

// TestOrderIsStable: maps must not shine through.
func TestOrderIsStable(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/across.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "after/open.yaml"), archive.Files[0].Data)
	for i := range 20 {
		name := fmt.Sprintf("open-%02d", i)
		write(t, filepath.Join(dir, "after", name+".yaml"), bytes.ReplaceAll(archive.Files[0].Data, []byte("admit-globex"), []byte(name)))
	}
	before, after := sideOf(t, dir, "before"), sideOf(t, dir, "after")
	var once string
	for range 20 {
		var b bytes.Buffer
		d := diff.Compare(before, after)
		if err := d.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if once != "" && once != b.String() {
			t.Fatal("the same difference in another order")
		}
		once = b.String()
	}
}

// TestHostileNames: what tenants write can neither drive a terminal nor leave its cell,
// mention somebody or link anywhere in a comment.
func TestHostileNames(t *testing.T) {
	const evil = "x\x1b[2J\r\n| a | ``` @everyone #1 <img src=x> [a](https://evil.example) ![b](c)\u202e\n\nworse    acme"
	f := guarantee.Finding{Guarantee: guarantee.NET5, Tenant: evil, Verdict: guarantee.Broken, Reason: "X", Message: evil,
		Evidence: []guarantee.Evidence{{Object: guarantee.Ref{Kind: evil, Namespace: evil, Name: evil}, Field: evil, Source: evil}}}
	d := diff.Difference{
		Before: evil, After: evil, Outcome: diff.Worse, Doubts: []string{evil}, Added: []string{evil}, Gone: []string{evil},
		Verdicts: []diff.VerdictChange{{Tenant: evil, Guarantee: guarantee.NET5, Effect: diff.Worsens, Before: guarantee.Holds, After: guarantee.Broken}},
		Findings: []diff.FindingChange{{Appears: true, Column: "predicted", Finding: f}},
		Reach: []diff.ReachChange{{Gained: true, Ports: "TCP 80", From: diff.End{Tenant: evil, Namespace: evil, Members: []string{evil, evil}},
			To: diff.End{Tenant: "b", Namespace: "b", Members: []string{evil}}}},
		Objects: []diff.ObjectChange{{Change: "changed", Object: f.Evidence[0].Object, Fields: []string{evil}, Source: evil, Cause: true}},
	}
	var text, markdown bytes.Buffer
	if err := d.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"text": text.String(), "markdown": markdown.String()} {
		if strings.ContainsAny(out, "\x1b\r\u202e") {
			t.Errorf("%s: a hostile character gets through", name)
		}
		if strings.Contains(out, "\nworse    acme") || strings.Contains(out, "\n| a |") {
			t.Errorf("%s: a forged line", name)
		}
	}
	for line := range strings.Lines(markdown.String()) {
		if rest := outsideSpans(line); strings.ContainsAny(rest, "@#[!") && !strings.HasPrefix(line, "### ") || strings.Contains(rest, "<img") {
			t.Errorf("hostile text outside of a code span: %s", line)
		}
		if cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); strings.HasPrefix(line, "|") && cells > 6 {
			t.Errorf("hostile text made cells: %s", line)
		}
	}
}

// outsideSpans is a line of Markdown without its code spans, found as CommonMark does: by
// a run of backticks and the next of the same length.
func outsideSpans(line string) string {
	var out strings.Builder
	for line != "" {
		at := strings.IndexByte(line, '`')
		if at < 0 {
			break
		}
		out.WriteString(line[:at])
		line = line[at:]
		run := len(line) - len(strings.TrimLeft(line, "`"))
		rest, end := line[run:], -1
		for i := 0; i < len(rest); {
			if rest[i] != '`' {
				i++
				continue
			}
			n := len(rest[i:]) - len(strings.TrimLeft(rest[i:], "`"))
			if n == run {
				end = i + n
				break
			}
			i += n
		}
		if end < 0 {
			break
		}
		line = rest[end:]
	}
	return out.String() + line
}

// TestRollout: in a live cluster a rollout gives every pod another name, and nothing
// changes for isolation; the finding about the same privileged container stays the same.
func TestRollout(t *testing.T) {
	live := func(hash string, replicas int) diff.Side {
		s := &snapshot.Snapshot{Origin: snapshot.OriginLive}
		var objects []runtime.Object
		tenant := &v1alpha1.Tenant{}
		tenant.Name, tenant.Spec.ClassName = "acme", "standard"
		tenant.Spec.Namespaces = []v1alpha1.TenantNamespace{{Name: "web"}}
		class := &v1alpha1.TenantClass{}
		class.Name = "standard"
		objects = append(objects, tenant, class)
		for i := range replicas {
			objects = append(objects, replica(hash, i))
		}
		return judged(t, "cluster", s.With(objects...))
	}
	before := live("aaa", 3)
	if row, _ := before.Report.Tenants[0].Row(guarantee.KRN1); row.Predicted.Verdict != guarantee.Broken {
		t.Fatalf("the privileged pods are %s", row.Predicted.Verdict)
	}
	for name, after := range map[string]diff.Side{"rollout": live("bbb", 3), "scaling": live("aaa", 5)} {
		if d := diff.Compare(before, after); d.Outcome != diff.Same || len(d.Objects) > 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// replica is a pod that a Deployment made.
func replica(hash string, n int) *corev1.Pod {
	yes := true
	p := &corev1.Pod{}
	p.Name, p.Namespace = fmt.Sprintf("web-%s-%d", hash, n), "acme-web"
	p.Labels = map[string]string{"app": "web", "pod-template-hash": hash}
	p.OwnerReferences = append(p.OwnerReferences, ownerOf("web-"+hash))
	p.Spec.Containers = []corev1.Container{{Name: "web", SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}
	return p
}

func ownerOf(replicaSet string) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: replicaSet, Controller: &yes}
}
