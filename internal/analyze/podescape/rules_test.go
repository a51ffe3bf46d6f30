package podescape

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// TestRulesAreComplete: a rule says what it does, where that is documented and how it
// ends, and a case shows that it is found.
func TestRulesAreComplete(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var wanted strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, want, _ := strings.Cut(string(text), "-- want --\n")
		wanted.WriteString("\n" + want)
	}
	seen := map[string]bool{}
	for _, r := range rules {
		if seen[r.id] {
			t.Errorf("two rules are called %s", r.id)
		}
		seen[r.id] = true
		if r.effect == "" || r.reference == "" || r.fix == "" {
			t.Errorf("rule %s lacks effect, reference or fix: %+v", r.id, r)
		}
		if !strings.Contains(wanted.String(), "\n"+r.id+": ") && !strings.Contains(wanted.String(), "\n("+r.id+"): ") {
			t.Errorf("no case finds %s", r.id)
		}
	}
}

// TestPaths: a folder gives away what is in it and above it, and not its neighbours.
func TestPaths(t *testing.T) {
	for _, c := range []struct {
		path, folder string
		want         bool
	}{
		{"/", "/etc", true}, {"/etc", "/etc", true}, {"/etc/cron.d", "/etc", true}, {"/var", "/var/lib/kubelet", true},
		{"/etcd", "/etc", false}, {"/var/lib/kubelet2", "/var/lib/kubelet", false}, {"/srv", "/etc", false},
	} {
		if got := exposes(c.path, []string{c.folder}); got != c.want {
			t.Errorf("exposes(%s, %s) = %v, want %v", c.path, c.folder, got, c.want)
		}
	}
	for from, want := range map[string]string{"/var/run": "/run", "/var/run/x/../y": "/run/y", "/var/runner": "/var/runner", "etc/": "/etc", "": "/"} {
		if got := clean(from); got != want {
			t.Errorf("clean(%q) = %q, want %q", from, got, want)
		}
	}
}

// TestStops: whoever has seen enough gets no more edges.
func TestStops(t *testing.T) {
	s := (&snapshot.Snapshot{}).With(
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "a"}, Spec: corev1.PodSpec{NodeName: "n", HostIPC: true}},
	)
	total := len(slices.Collect(every(s)))
	for most := 1; most <= total; most++ {
		n := 0
		Edges(s, func(analyze.Edge) bool { n++; return n < most })
		if n != most {
			t.Errorf("after %d edges %d were yielded", most, n)
		}
	}
}
