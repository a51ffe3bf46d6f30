package localcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// StateDir is the folder in which the cluster called name keeps its state.
func StateDir(name string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the home folder: %w", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "watertight", name), nil
}

// dir is a state folder; its methods name what is in it.
type dir string

func (d dir) join(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}

func (d dir) lock() string                 { return d.join("lock") }
func (d dir) options() string              { return d.join("options.json") }
func (d dir) status() string               { return d.join("status.json") }
func (d dir) ports() string                { return d.join("ports.json") }
func (d dir) pki() string                  { return d.join("pki") }
func (d dir) log(name string) string       { return d.join("logs", name+".log") }
func (d dir) config(name string) string    { return d.join("config", name) }
func (d dir) etcdData() string             { return d.join("etcd") }
func (d dir) kubeconfig(who string) string { return d.join("kubeconfig", who) }

// make creates the folder and those inside it, for its owner only.
func (d dir) make() error {
	for _, sub := range []string{"", "pki", "logs", "config", "kubeconfig", "etcd"} {
		if err := os.MkdirAll(d.join(sub), 0o700); err != nil {
			return fmt.Errorf("create state folder: %w", err)
		}
	}
	return os.Chmod(string(d), 0o700)
}

// writeFile replaces the file at path in one step, so that a crash leaves the old
// content or the new one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	err := replaceFile(path, data, mode)
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err // it names the temporary file, which tells nobody anything
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func replaceFile(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(data); err == nil {
		err = errors.Join(tmp.Chmod(mode), tmp.Sync())
	}
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return writeFile(path, append(data, '\n'), 0o600)
}

// readJSON reads the file at path into v; found is false when there is none.
func readJSON(path string, v any) (found bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("decode %s: %w", path, err)
	}
	return true, nil
}

// ReadOptions returns the options with which the cluster in a state folder was
// started last.
func ReadOptions(stateDir string) (opts Options, err error) {
	found, err := readJSON(dir(stateDir).options(), &opts)
	if err == nil && !found {
		err = ErrNotFound
	}
	return opts, err
}

// errLocked says that another process holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock takes the exclusive lock on the file at path, or fails with errLocked. The
// kernel drops it when the last process that holds the file has gone, however it went.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}
