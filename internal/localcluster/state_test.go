package localcluster

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateDir(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	for xdg, want := range map[string]string{
		"":         "/home/u/.local/state/watertight/x",
		"/state":   "/state/watertight/x",
		"relative": "/home/u/.local/state/watertight/x", // the XDG specification says to ignore it
	} {
		t.Setenv("XDG_STATE_HOME", xdg)
		if got, err := StateDir("x"); err != nil || got != want {
			t.Errorf("XDG_STATE_HOME=%s: %s (%v), want %s", xdg, got, err, want)
		}
	}
}

func TestValidateName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "dev": true, "dev-2": true, strings.Repeat("a", 40): true,
		"": false, "-a": false, "a-": false, "A": false, "a/b": false, "..": false, "a b": false,
		strings.Repeat("a", 41): false, strings.Repeat("a", 5000): false,
	} {
		if err := ValidateName(name); (err == nil) != ok {
			t.Errorf("%.50q: %v, want ok %t", name, err, ok)
		} else if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.50q: the error has %d characters", name, len(err.Error()))
		}
	}
}

func TestWriteFileReplacesInOneStep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"long content", "short"} {
		if err := writeFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != content {
			t.Errorf("got %q, want %q", got, content)
		}
	}
	if err := writeFile(filepath.Join(path, "below-a-file"), nil, 0o600); err == nil {
		t.Error("no error where a file cannot be")
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("temporary files are left: %v", entries)
	}
}

func TestReadJSONRefusesGarbage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var v ports
	if found, err := readJSON(path, &v); found || err != nil {
		t.Errorf("no file: found %t, %v", found, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readJSON(path, &v); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want an error that names the file", err)
	}
}

func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); !errors.Is(err, errLocked) {
		t.Errorf("second lock: %v, want %v", err, errLocked)
	}
	lock.Close()
	again, err := tryLock(path)
	if err != nil {
		t.Fatalf("lock after it was dropped: %v", err)
	}
	again.Close()
}

func TestPickPortsKeepsWhatIsFree(t *testing.T) {
	names := []string{"a", "b", "c"}
	first, err := pickPorts(nil, names)
	if err != nil {
		t.Fatal(err)
	}
	if first["a"] == first["b"] || first["b"] == first["c"] || first["a"] == first["c"] {
		t.Fatalf("a port twice: %v", first)
	}
	taken, err := net.Listen("tcp", loopback(first["b"]))
	if err != nil {
		t.Skipf("another program was quicker: %v", err)
	}
	defer taken.Close()
	second, err := pickPorts(first, names)
	if err != nil {
		t.Fatal(err)
	}
	if second["a"] != first["a"] || second["c"] != first["c"] || second["b"] == first["b"] {
		t.Errorf("%v after %v with b taken", second, first)
	}
}
