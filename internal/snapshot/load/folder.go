package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	kruntime "k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/snapshot"
)

// maxFile is the largest manifest that is read. etcd holds objects of 1.5 MiB; a file
// may hold many.
const maxFile = 64 << 20

// Progress is how far the reading of a folder has come.
type Progress struct {
	Files, Of, Objects int
}

// Folder reads every .yaml, .yml and .json file below a folder, or a single file. Files
// are read in parallel and taken in the order of their names. Hidden files and folders
// are passed over, and symbolic links that leave the folder are not followed.
func Folder(ctx context.Context, dir string) (*snapshot.Snapshot, error) {
	return WatchedFolder(ctx, dir, func(Progress) {})
}

// WatchedFolder is Folder, and says after each file how far it is; watch is called from
// several goroutines.
func WatchedFolder(ctx context.Context, dir string, watch func(Progress)) (*snapshot.Snapshot, error) {
	root, names, walkProblems, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	defer root.Close() //nolint:errcheck // read only
	harvests := make([]harvest, len(names))
	spare := newCrew(runtime.GOMAXPROCS(0) - 1)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var files, objects atomic.Int64
	for i, name := range names {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			harvests[i].spare = spare
			harvests[i].readFile(root, name)
			watch(Progress{Files: int(files.Add(1)), Of: len(names), Objects: int(objects.Add(int64(len(harvests[i].items))))})
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	all := gather(harvests, walkProblems)
	if len(all.items) == 0 && len(all.problems) == 0 {
		return nil, fmt.Errorf("read folder %s: no Kubernetes manifest in it (*.yaml, *.yml, *.json): name another folder", dir)
	}
	return all.snapshot(), nil
}

// list opens the folder and names its manifests.
func list(dir string) (*os.Root, []string, []snapshot.Problem, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	if !info.IsDir() {
		root, err := os.OpenRoot(filepath.Dir(dir))
		return root, []string{filepath.Base(dir)}, nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	w := walker{root: root}
	if err := fs.WalkDir(root.FS(), ".", w.visit); err != nil {
		return nil, nil, nil, errors.Join(err, root.Close())
	}
	return root, w.names, w.problems, nil
}

// walker gathers the manifests below a folder.
type walker struct {
	root     *os.Root
	names    []string
	problems []snapshot.Problem
}

func (w *walker) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil && name == ".":
		return err
	case err != nil:
		w.problems = append(w.problems, snapshot.Problem{Source: name, Message: "cannot be read: " + err.Error()})
	case hidden(name) && entry.IsDir():
		return fs.SkipDir
	case hidden(name) || entry.IsDir():
	case entry.Type()&fs.ModeSymlink != 0:
		w.visitLink(name)
	case manifest(name) && entry.Type().IsRegular():
		w.names = append(w.names, name)
	}
	return nil
}

// visitLink takes a link to a file that the walk passes over (as in a mounted
// ConfigMap); what else stays inside the folder is read under its own name.
func (w *walker) visitLink(name string) {
	info, err := w.root.Stat(name)
	target, readErr := w.root.Readlink(name)
	switch {
	case err != nil || readErr != nil:
		w.problems = append(w.problems, snapshot.Problem{
			Source: name, Stray: !manifest(name),
			Message: "is a symbolic link that leaves the folder or leads nowhere, and is not followed: copy the file into the folder",
		})
	case info.Mode().IsRegular() && manifest(name) && hidden(path.Join(path.Dir(name), target)):
		w.names = append(w.names, name)
	}
}

func manifest(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// chartFile reports whether a document is in a file that Helm keeps beside manifests.
func chartFile(source string) bool {
	name, _, _ := strings.Cut(path.Base(source), "#")
	return name == "Chart.yaml"
}

func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." && part != ".." {
			return true
		}
	}
	return false
}

func (h *harvest) readFile(root *os.Root, name string) {
	file, err := root.Open(name)
	if err != nil {
		h.problem(name, "", "cannot be read: %v", err)
		return
	}
	defer file.Close() //nolint:errcheck // read only
	data, err := readAll(file)
	switch {
	case err != nil:
		h.problem(name, "", "cannot be read: %v", err)
	case len(data) > maxFile:
		h.problem(name, "", "is larger than %d MiB and was not read: split it", maxFile>>20)
	default:
		h.decodeFile(name, data)
	}
}

// readAll reads a file up to one byte more than is allowed, in one piece where its size
// is known.
func readAll(file *os.File) ([]byte, error) {
	var buffer bytes.Buffer
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		buffer.Grow(int(min(info.Size(), maxFile)) + bytes.MinRead)
	}
	_, err := buffer.ReadFrom(io.LimitReader(file, maxFile+1))
	return buffer.Bytes(), err
}

// gather puts what the files yield into one harvest, in their order.
func gather(harvests []harvest, problems []snapshot.Problem) harvest {
	items := 0
	for _, h := range harvests {
		items += len(h.items)
	}
	all := harvest{problems: problems, items: make([]item, 0, items)}
	for _, h := range harvests {
		all.merge(h)
	}
	return all
}

// snapshot puts the harvest together. Of doubled objects the last stays, as after
// kubectl apply.
func (h *harvest) snapshot() *snapshot.Snapshot {
	sources := make(map[snapshot.ObjectKey]string, len(h.items))
	objects := make([]kruntime.Object, 0, len(h.items))
	for _, it := range h.items {
		key := snapshot.KeyOf(it.object)
		if first, ok := sources[key]; ok {
			h.problem(it.source, key.Kind, "%s is in %s already: remove one of them", key, first)
		}
		sources[key] = it.source
		objects = append(objects, it.object)
	}
	return snapshot.New(snapshot.Parts{Objects: objects, Sources: sources, Problems: h.problems})
}
