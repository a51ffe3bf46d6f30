package blast

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// kubehound are the 26 edges of KubeHound's attack reference.
var kubehound = strings.Fields(`
CE_MODULE_LOAD CE_NSENTER CE_PRIV_MOUNT CE_SYS_PTRACE CE_UMH_CORE_PATTERN CE_VAR_LOG_SYMLINK CONTAINER_ATTACH
ENDPOINT_EXPLOIT EXPLOIT_CONTAINERD_SOCK EXPLOIT_HOST_READ EXPLOIT_HOST_TRAVERSE EXPLOIT_HOST_WRITE IDENTITY_ASSUME
IDENTITY_IMPERSONATE PERMISSION_DISCOVER POD_ATTACH POD_CREATE POD_EXEC POD_PATCH ROLE_BIND SHARE_PS_NAMESPACE
TOKEN_BRUTEFORCE TOKEN_LIST TOKEN_STEAL VOLUME_ACCESS VOLUME_DISCOVER`)

var (
	quoted = regexp.MustCompile("`([A-Z][A-Za-z0-9]+)`")
	first  = regexp.MustCompile(`(?m)^\| ([A-Z]+(?:_[A-Z]+)+) \|`)
	// literal is a rule's ID in Go or in YAML.
	literal = regexp.MustCompile(`"([A-Z][A-Za-z0-9]+)"|id: ([A-Z][A-Za-z0-9]+)`)
)

// TestDocumentedEdges: docs/attack-edges.md has every edge of KubeHound once, and names
// no rule of ours that is not in the analyzers' sources.
func TestDocumentedEdges(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/attack-edges.md")
	if err != nil {
		t.Fatal(err)
	}
	var theirs []string
	for _, m := range first.FindAllStringSubmatch(string(doc), -1) {
		theirs = append(theirs, m[1])
	}
	if len(kubehound) != 26 || !slices.Equal(theirs, kubehound) {
		t.Errorf("the page lists %d edges of KubeHound, want these %d in their order: %v", len(theirs), len(kubehound), kubehound)
	}
	known := rulesInSources(t)
	named := quoted.FindAllStringSubmatch(string(doc), -1)
	if len(named) < 50 {
		t.Fatalf("the page names %d rules of ours; is it still written with backquotes?", len(named))
	}
	for _, m := range named {
		if !known[m[1]] {
			t.Errorf("the page names %s, which no analyzer has", m[1])
		}
	}
}

// rulesInSources gathers the strings in the analyzers' Go and YAML files that could be
// IDs, tests excepted.
func rulesInSources(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	tree := os.DirFS("..")
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "testdata") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		if ext := path.Ext(name); ext != ".go" && ext != ".yaml" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
			known[m[1]+m[2]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
