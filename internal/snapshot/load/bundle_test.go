package load

import (
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"watertight.dev/watertight/internal/snapshot"
)

// TestBundle saves a snapshot and gets the same one back.
func TestBundle(t *testing.T) {
	s := folder(t, map[string]string{
		"a.yaml": goodPod + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {metadata: {labels: {app: web}}}}\n",
		"b.yaml": "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: shop}\n---\napiVersion: watertight.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec: {className: c, namespaces: [{name: web}], capacity: {pods: \"3\"}}\n---\nbad: [\n",
	})
	s = s.WithNetworkPlugin("calico")
	s.Origin = snapshot.OriginLive
	file := filepath.Join(t.TempDir(), "bundle.json.gz")
	if err := Save(file, s); err != nil {
		t.Fatal(err)
	}
	back, err := Bundle(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back, cmpopts.IgnoreUnexported(snapshot.Snapshot{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-saved +read):\n%s", diff)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// TestBadBundle says what is wrong with a file.
func TestBadBundle(t *testing.T) {
	pack := func(text string) string {
		file := filepath.Join(t.TempDir(), "b.json.gz")
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		zip := gzip.NewWriter(out)
		_, _ = zip.Write([]byte(text))
		_ = zip.Close()
		_ = out.Close()
		return file
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string]string{
		"no such file":            filepath.Join(t.TempDir(), "nowhere"),
		"is no bundle":            plain,
		"is no bundle of":         pack(`{"a":1}`),
		"use a newer watertight":  pack(`{"watertightBundle":99}`),
		"is cut off at object 1 ": pack(`{"watertightBundle":1,"objects":2}`),
	} {
		if _, err := Bundle(context.Background(), file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestSaveFails leaves nothing behind.
func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(target, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := Save(target, &snapshot.Snapshot{})
	if err == nil || !strings.Contains(err.Error(), "save bundle") {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := Save(filepath.Join(dir, "no", "where"), &snapshot.Snapshot{}); err == nil {
		t.Error("want an error")
	}
}
