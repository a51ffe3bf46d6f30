package localcluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// SourceVariable names the environment variable with the folder of the sources.
const SourceVariable = "WATERTIGHT_SRC"

// BuildOptions says where the engines come from.
type BuildOptions struct {
	// Prebuilt is a folder with the programs kubernetes and kwok, or the former's
	// path; nothing is built then.
	Prebuilt string
	// Source is a checkout of Watertight. When it is empty, SourceVariable, the
	// folders above the working directory and those above this program are tried.
	Source string
	// KWOK asks for the engine that simulates nodes, too.
	KWOK bool
	// Progress gets the progress: a bar on a terminal, else plain lines.
	Progress io.Writer
}

// engine is a nested module that is built into one program.
type engine struct {
	name string
	// module is the requirement in its go.mod whose version the engine carries,
	// and stamp the linker flags that make the program say so.
	module string
	stamp  func(version string) string
}

var (
	kubernetesEngine = engine{name: "kubernetes", module: "k8s.io/kubernetes", stamp: stampKubernetes}
	kwokEngine       = engine{name: "kwok", module: "sigs.k8s.io/kwok", stamp: func(version string) string {
		return " -X sigs.k8s.io/kwok/pkg/consts.Version=" + version
	}}
)

// stampKubernetes sets what Kubernetes' own build sets; without it every component
// reports v0.0.0.
func stampKubernetes(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	var flags strings.Builder
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, v := range [][2]string{{"gitVersion", version}, {"gitMajor", parts[0]}, {"gitMinor", parts[1]}, {"gitTreeState", "clean"}} {
			fmt.Fprintf(&flags, " -X %s.%s=%s", pkg, v[0], v[1])
		}
	}
	return flags.String()
}

// Build returns the engines' programs, out of the cache or newly built. Two builds
// at once wait for one another.
func Build(ctx context.Context, o BuildOptions) (Engines, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Prebuilt != "" {
		return prebuilt(o)
	}
	source, err := findSource(o.Source)
	if err != nil {
		return Engines{}, err
	}
	var engines Engines
	if engines.Kubernetes, err = kubernetesEngine.build(ctx, source, o.Progress); err != nil {
		return Engines{}, err
	}
	if o.KWOK {
		if engines.KWOK, err = kwokEngine.build(ctx, source, o.Progress); err != nil {
			return Engines{}, err
		}
	}
	return engines, nil
}

// build returns the path of the engine's program, in the user's cache folder under a
// key of everything that goes into it.
func (e engine) build(ctx context.Context, source string, progress io.Writer) (string, error) {
	module := filepath.Join(source, e.name)
	goVersion, err := goVersion(ctx, module)
	if err != nil {
		return "", err
	}
	version, err := e.version(module)
	if err != nil {
		return "", err
	}
	ldflags := "-s -w" + e.stamp(version)
	key, err := buildKey(module, goVersion, runtime.GOOS, runtime.GOARCH, ldflags)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	folder := filepath.Join(cache, "watertight", "engines", fmt.Sprintf("%s-%s-%s", e.name, version, key))
	program := filepath.Join(folder, e.name)
	if executable(program) == nil {
		return program, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("create the cache folder: %w", err)
	}
	unlock, err := waitLock(ctx, folder+".lock", progress, "waiting for another build of "+e.name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if executable(program) == nil {
		return program, nil
	}
	return program, e.compile(ctx, module, program, ldflags, newBuildProgress(progress, e.name+" "+version))
}

// compile builds the module into program, which appears in one step.
func (e engine) compile(ctx context.Context, module, program, ldflags string, progress *buildProgress) error {
	list := goCommand(ctx, module, "list", "-deps", "-f", "{{.ImportPath}}", ".")
	list.Stderr = progress
	packages, err := list.Output()
	if err != nil {
		return progress.failed(fmt.Errorf("list the packages of engine %s: %w", e.name, err))
	}
	progress.total = strings.Count(string(packages), "\n")
	partial := program + ".partial"
	defer os.Remove(partial)
	build := goCommand(ctx, module, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", partial, ".")
	build.Stderr = progress
	if err := build.Run(); err != nil {
		return progress.failed(fmt.Errorf("build engine %s: %w", e.name, err))
	}
	if err := os.Rename(partial, program); err != nil {
		return fmt.Errorf("keep engine %s: %w", e.name, err)
	}
	progress.finished()
	return nil
}

func (e engine) version(module string) (string, error) {
	data, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("read the module of engine %s: %w", e.name, err)
	}
	match := regexp.MustCompile(`(?m)^(?:require)?\s+` + regexp.QuoteMeta(e.module) + `\s+(v\S+)`).FindSubmatch(data)
	if match == nil {
		return "", fmt.Errorf("read the module of engine %s: it does not require %s", e.name, e.module)
	}
	return string(match[1]), nil
}

// goCommand runs the go tool in a module, free of settings meant for other work.
func goCommand(ctx context.Context, module string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=", "GOARCH=")
	// Let the tool remove its temporary files.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func goVersion(ctx context.Context, module string) (string, error) {
	out, err := goCommand(ctx, module, "env", "GOVERSION").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("build the engines: the go tool is not on the PATH; install Go, or give built engines with --engine")
	}
	if err != nil {
		return "", fmt.Errorf("ask the go tool for its version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildKey is a hash of the module's files and of what else decides the result.
func buildKey(module string, with ...string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q\n", with)
	err := fs.WalkDir(os.DirFS(module), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(filepath.Join(module, path))
		fmt.Fprintf(sum, "%q %d\n", path, len(data))
		sum.Write(data)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the sources of an engine: %w", err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

// waitLock takes the lock at path, telling progress why it takes long.
func waitLock(ctx context.Context, path string, progress io.Writer, why string) (unlock func(), err error) {
	for told := false; ; {
		lock, err := tryLock(path)
		if err == nil {
			return func() { lock.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		if !told {
			fmt.Fprintln(progress, why)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}
