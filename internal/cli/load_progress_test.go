package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watertight.dev/watertight/internal/snapshot/load"
)

// TestLoadProgress shows a long load on a terminal, a short one not, and leaves no line.
func TestLoadProgress(t *testing.T) {
	var out strings.Builder
	clock := time.Unix(0, 0)
	now := func() time.Time { return clock }
	p := &loadProgress{out: &out, now: now, began: clock}
	p.show(load.Progress{Files: 1, Of: 4, Objects: 7})
	if out.Len() > 0 {
		t.Errorf("shown at once: %q", out.String())
	}
	clock = clock.Add(2 * time.Second)
	p.show(load.Progress{Files: 2, Of: 4, Objects: 9})
	p.show(load.Progress{Files: 3, Of: 4, Objects: 9}) // too soon after the last
	p.end()
	p.end()
	if got, want := out.String(), "\r\033[K  reading [============            ] 2 of 4 files, 9 objects\r\033[K"; got != want {
		t.Errorf("got %q", got)
	}
}

// TestLoadProgressElsewhere says nothing to what is no terminal.
func TestLoadProgressElsewhere(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	clock := time.Unix(0, 0)
	p := newLoadProgress(file, func() time.Time { return clock })
	clock = clock.Add(time.Minute)
	p.show(load.Progress{Files: 1, Of: 2})
	p.end()
	for _, out := range []io.Writer{nil, new(strings.Builder)} {
		if p := newLoadProgress(out, func() time.Time { return clock }); p.out != nil {
			t.Errorf("%T is taken for a terminal", out)
		}
	}
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("wrote %d bytes, %v", info.Size(), err)
	}
}

// TestVerifyBadFolder goes on past everything bad, and the verdict says what was not read.
func TestVerifyBadFolder(t *testing.T) {
	dir := t.TempDir()
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		laughs += strings.NewReplacer("P", string(rune('a'+i)), "N", string(rune('b'+i))).Replace("N: &N [*P,*P,*P,*P,*P,*P,*P,*P,*P]\n")
	}
	role := "kind: ClusterRole\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: ring, labels: {ring: x}}\n" +
		"aggregationRule: {clusterRoleSelectors: [{matchLabels: {ring: x}}]}\nrules: []\n"
	for name, text := range map[string]string{
		"binary.yaml": "\x7fELF\x00\x01", "bomb.yaml": laughs, "ring.yaml": role, "half.yaml": "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: red-web}\nspec: {podSelector: {matchExpressions: [{key: a}]}}\n",
		"large.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large}\ndata:\n  a: " + strings.Repeat("x", 10<<20) + "\n",
		"list.yaml":  "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: red-web, labels: {team: red}}}\n- {apiVersion: v7, kind: Pod, metadata: {name: a}}\n- 3\n",
		"chart.yaml": "kind: {{ .Values.kind }}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err, code := runCommand(t, newVerifyCommand, "-f", dir, "--tenancy", "label=team")
	if err != nil && !strings.Contains(err.Error(), "exit status") || code == exitHolds || code == exitUsage {
		t.Fatalf("exit %d, %v", code, err)
	}
	for _, want := range []string{
		"could not read binary.yaml: is a binary file", "could not read bomb.yaml#1: malformed YAML: its aliases expand", "could not read half.yaml#1: NetworkPolicy p: spec.podSelector is invalid",
		"could not read list.yaml#1.items[1]: unknown API version v7 of Pod: use v1", "could not read list.yaml#1.items[2]", "could not read chart.yaml#1", "render it first", "tenant red",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%.3000s", want, out)
		}
	}
}
