package localcluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

const theirs = `apiVersion: v1
kind: Config
current-context: work
clusters:
- name: work
  cluster: {server: "https://work.example", certificate-authority: relative/ca.crt}
contexts:
- name: work
  context: {cluster: work, user: work, namespace: mine}
users:
- name: work
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: login, interactiveMode: Never}}
`

const ours = `apiVersion: v1
kind: Config
clusters:
- {name: watertight-x, cluster: {server: "https://127.0.0.1:1"}}
contexts:
- {name: watertight-x, context: {cluster: watertight-x, user: watertight-x}}
users:
- {name: watertight-x, user: {token: t}}
`

// kubeconfigs writes theirs and ours and returns their paths.
func kubeconfigs(t *testing.T, theirs string) (path, from string) {
	t.Helper()
	folder := t.TempDir()
	path, from = filepath.Join(folder, "config"), filepath.Join(folder, "ours")
	for file, content := range map[string]string{path: theirs, from: ours} {
		if err := os.WriteFile(file, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return path, from
}

func load(t *testing.T, path string) *api.Config {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return stripOrigins(config)
}

func TestMergeLeavesOthersAlone(t *testing.T) {
	path, from := kubeconfigs(t, theirs)
	before := load(t, path)
	if err := mergeKubeconfig(path, from, "watertight-x"); err != nil {
		t.Fatal(err)
	}
	merged := load(t, path)
	if merged.Contexts["watertight-x"] == nil || merged.Clusters["watertight-x"].Server != "https://127.0.0.1:1" {
		t.Errorf("our context is not there: %v", merged.Contexts)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v (%v), want the one it had", info.Mode(), err)
	}
	if _, err := os.Stat(path + ".lock"); !os.IsNotExist(err) {
		t.Errorf("the lock is still there (%v)", err)
	}
	if err := unmergeKubeconfig(path, "watertight-x"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, load(t, path)); diff != "" {
		t.Errorf("what others own changed (-before +after):\n%s", diff)
	}
}

func TestMergeAgainWritesNothing(t *testing.T) {
	path, from := kubeconfigs(t, theirs)
	for range 2 {
		if err := mergeKubeconfig(path, from, "watertight-x"); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.Stat(path)
	if err := mergeKubeconfig(path, from, "watertight-x"); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !os.SameFile(before, after) {
		t.Error("the file was replaced although nothing changed")
	}
}

func TestMergeIntoNothing(t *testing.T) {
	_, from := kubeconfigs(t, theirs)
	path := filepath.Join(t.TempDir(), "new", "config")
	if err := mergeKubeconfig(path, from, "watertight-x"); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path).CurrentContext; got != "watertight-x" {
		t.Errorf("current context %q, want ours where there was none", got)
	}
	if err := unmergeKubeconfig(path, "watertight-x"); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path).CurrentContext; got != "" {
		t.Errorf("current context %q names what is gone", got)
	}
}

func TestMergeFollowsLinks(t *testing.T) {
	path, from := kubeconfigs(t, theirs)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := mergeKubeconfig(link, from, "watertight-x"); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("link %q (%v), want one to %s", target, err, path)
	}
	if load(t, path).Contexts["watertight-x"] == nil {
		t.Error("the file behind the link has no context of ours")
	}
}

func TestMergeRefusesMalformed(t *testing.T) {
	for _, content := range []string{"{", "kind: Config\nclusters: 7\n", "\x00\x01"} {
		path, from := kubeconfigs(t, content)
		for name, err := range map[string]error{
			"merge":   mergeKubeconfig(path, from, "watertight-x"),
			"unmerge": unmergeKubeconfig(path, "watertight-x"),
		} {
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s into %q: %v, want an error that names the file", name, content, err)
			}
		}
		if now, _ := os.ReadFile(path); string(now) != content {
			t.Errorf("%q became %q", content, now)
		}
	}
}
