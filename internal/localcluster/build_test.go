package localcluster

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFiles makes a folder of files.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestBuildKey(t *testing.T) {
	base := map[string]string{"go.mod": "module m", "main.go": "package main", "sub/x.yaml": "a: b"}
	key := func(change map[string]string, with ...string) string {
		files := map[string]string{}
		for _, m := range []map[string]string{base, change} {
			for name, content := range m {
				files[name] = content
			}
		}
		got, err := buildKey(writeFiles(t, files), with...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same := key(nil, "go1", "linux")
	if got := key(map[string]string{"main_test.go": "package main"}, "go1", "linux"); got != same {
		t.Error("a test file changes the key")
	}
	for name, got := range map[string]string{
		"a source":     key(map[string]string{"main.go": "package main // "}, "go1", "linux"),
		"a data file":  key(map[string]string{"sub/x.yaml": "a: c"}, "go1", "linux"),
		"a new file":   key(map[string]string{"y.go": ""}, "go1", "linux"),
		"go's version": key(nil, "go2", "linux"),
		"the platform": key(nil, "go1", "darwin"),
	} {
		if got == same {
			t.Errorf("%s does not change the key", name)
		}
	}
}

func TestEngineVersion(t *testing.T) {
	for name, content := range map[string]string{
		"in a block":  "require (\n\tk8s.io/kubernetes-not v1.0.0\n\tk8s.io/kubernetes v1.37.2\n)\n",
		"on one line": "require k8s.io/kubernetes v1.37.2\n",
	} {
		if got, err := kubernetesEngine.version(writeFiles(t, map[string]string{"go.mod": content})); err != nil || got != "v1.37.2" {
			t.Errorf("%s: %s (%v)", name, got, err)
		}
	}
	if _, err := kubernetesEngine.version(writeFiles(t, map[string]string{"go.mod": "module m\n"})); err == nil {
		t.Error("no error without the requirement")
	}
	if got := stampKubernetes("v1.37.2"); strings.Count(got, "gitMinor=37") != 2 || strings.Count(got, "gitVersion=v1.37.2") != 2 {
		t.Errorf("linker flags %s", got)
	}
}

func TestFindSource(t *testing.T) {
	checkout := writeFiles(t, map[string]string{"engine/kubernetes/go.mod": "module m", "deep/er/x": ""})
	want := filepath.Join(checkout, "engine")
	if got, err := findSource(checkout); err != nil || got != want {
		t.Errorf("named: %s (%v)", got, err)
	}
	t.Setenv(SourceVariable, checkout)
	if got, err := findSource(""); err != nil || got != want {
		t.Errorf("from the environment: %s (%v)", got, err)
	}
	t.Setenv(SourceVariable, "")
	t.Chdir(filepath.Join(checkout, "deep", "er"))
	if got, err := findSource(""); err != nil || !samePath(t, got, want) {
		t.Errorf("from a folder below: %s (%v)", got, err)
	}
	t.Chdir(t.TempDir())
	if _, err := findSource(""); err == nil || !strings.Contains(err.Error(), "--engine-src") {
		t.Errorf("%v, want an error that names the flag", err)
	}
	if _, err := findSource(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no checkout") {
		t.Errorf("%v, want an error about the folder", err)
	}
}

func samePath(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

func TestBuildWithoutGo(t *testing.T) {
	checkout := writeFiles(t, map[string]string{"engine/kubernetes/go.mod": "module m\nrequire k8s.io/kubernetes v1.37.2\n"})
	t.Setenv("PATH", t.TempDir())
	_, err := Build(t.Context(), BuildOptions{Source: checkout})
	if err == nil || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("%v, want an error that says what to install", err)
	}
}

func TestPrebuilt(t *testing.T) {
	both := writeFiles(t, map[string]string{"kubernetes": "", "kwok": ""})
	one := writeFiles(t, map[string]string{"kubernetes": ""})
	for _, path := range []string{both, filepath.Join(both, "kubernetes")} {
		got, err := Build(t.Context(), BuildOptions{Prebuilt: path, KWOK: true})
		if want := (Engines{filepath.Join(both, "kubernetes"), filepath.Join(both, "kwok")}); err != nil || got != want {
			t.Errorf("%s: %+v (%v)", path, got, err)
		}
	}
	if got, err := Build(t.Context(), BuildOptions{Prebuilt: one}); err != nil || got.KWOK != "" {
		t.Errorf("without nodes: %+v (%v)", got, err)
	}
	if _, err := Build(t.Context(), BuildOptions{Prebuilt: one, KWOK: true}); err == nil {
		t.Error("no error where the simulator is missing")
	}
	if _, err := Build(t.Context(), BuildOptions{Prebuilt: filepath.Join(one, "none")}); err == nil {
		t.Error("no error where there is nothing")
	}
}

func TestBuildProgress(t *testing.T) {
	var out bytes.Buffer
	p := newBuildProgress(&out, "kubernetes v1.37.2")
	p.total = 4
	// Lines may come in pieces.
	for _, piece := range []string{"go: downloading k8s.io/api v0.37.2\nk8s.io/ap", "i/core/v1\ncrypto/tls\n", "# k8s.io/bad\nbad.go:1:2: undefined: x\n"} {
		if _, err := p.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if p.downloads != 1 || p.packages != 2 {
		t.Errorf("%d downloads, %d packages; want 1 and 2", p.downloads, p.packages)
	}
	if got := p.state(); !strings.Contains(got, "[###############---------------] 2 of at most 4 packages") {
		t.Errorf("state %q", got)
	}
	err := p.failed(errors.New("exit status 1"))
	if got := err.Error(); !strings.Contains(got, "undefined: x") || strings.Contains(got, "downloading") {
		t.Errorf("error %q", got)
	}
	if strings.ContainsAny(out.String(), "\r\033") {
		t.Errorf("control characters where no terminal is: %q", out.String())
	}
}
