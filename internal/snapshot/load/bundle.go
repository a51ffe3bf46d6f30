package load

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"watertight.dev/watertight/internal/snapshot"
)

// bundleFormat is raised when older programs could misread a bundle.
const bundleFormat = 1

// bundleHead is a bundle's first line; a line per object follows.
type bundleHead struct {
	Format   int                `json:"watertightBundle"`
	Origin   snapshot.Origin    `json:"origin,omitempty"`
	Objects  int                `json:"objects"`
	Problems []snapshot.Problem `json:"problems,omitempty"`
	Plugin   string             `json:"networkPlugin,omitempty"`
}

// bundleLine is one object.
type bundleLine struct {
	Source string          `json:"source,omitempty"`
	Group  string          `json:"group,omitempty"`
	Kind   string          `json:"kind"`
	Object json.RawMessage `json:"object"`
}

// Save writes a snapshot to a file, by convention NAME.json.gz, that Bundle reads back.
// The file appears whole or not at all.
func Save(file string, s *snapshot.Snapshot) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(file), ".bundle-*")
	if err != nil {
		return fmt.Errorf("save bundle %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("save bundle %s: %w", file, err), os.Remove(temp.Name()))
		}
	}()
	if err := errors.Join(writeBundle(temp, s), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}

func writeBundle(out io.Writer, s *snapshot.Snapshot) error {
	zip := gzip.NewWriter(out)
	encoder := json.NewEncoder(zip)
	lines := bundleObjects(s)
	if err := encoder.Encode(bundleHead{bundleFormat, s.Origin, len(lines), s.Problems, s.NetworkPlugin}); err != nil {
		return err
	}
	for _, o := range lines {
		key := snapshot.KeyOf(o)
		raw, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
		if err := encoder.Encode(bundleLine{s.Sources[key], key.Group, key.Kind, raw}); err != nil {
			return err
		}
	}
	return zip.Close()
}

// bundleObjects lists what a bundle holds: everything but made-up pods, which loading
// makes again.
func bundleObjects(s *snapshot.Snapshot) []snapshot.Object {
	var objects []snapshot.Object
	made := map[snapshot.Object]bool{}
	for _, p := range s.Pods {
		made[p] = snapshot.Synthetic(p)
	}
	for _, k := range kinds {
		for _, o := range k.Of(s) {
			if !made[o] {
				objects = append(objects, o)
			}
		}
	}
	for _, w := range s.Workloads {
		objects = append(objects, w.Object)
	}
	for _, o := range s.Others {
		objects = append(objects, o)
	}
	return objects
}

// Bundle reads a snapshot that Save wrote.
func Bundle(ctx context.Context, file string) (*snapshot.Snapshot, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	defer in.Close() //nolint:errcheck // read only
	s, err := readBundle(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("read bundle %s: %w", file, err)
	}
	return s, nil
}

func readBundle(ctx context.Context, in io.Reader) (*snapshot.Snapshot, error) {
	zip, err := gzip.NewReader(bufio.NewReader(in))
	if err != nil {
		return nil, fmt.Errorf("is no bundle of watertight: %w", err)
	}
	decoder := json.NewDecoder(zip)
	var top bundleHead
	if err := decoder.Decode(&top); err != nil || top.Format == 0 {
		return nil, errors.Join(errors.New("is no bundle of watertight"), err)
	}
	if top.Format > bundleFormat {
		return nil, fmt.Errorf("has format %d, and this program reads up to %d: use a newer watertight", top.Format, bundleFormat)
	}
	all := harvest{problems: top.Problems}
	for n := range top.Objects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var line bundleLine
		if err := decoder.Decode(&line); err != nil {
			return nil, fmt.Errorf("is cut off at object %d of %d: %w", n+1, top.Objects, err)
		}
		all.decodeLine(n, line)
	}
	s := all.snapshot()
	s.Origin, s.NetworkPlugin = top.Origin, top.Plugin
	return s, nil
}

// decodeLine reads an object as it was saved: without checks or defaults, which the
// first load has made.
func (h *harvest) decodeLine(n int, line bundleLine) {
	fresh := harvest{}
	source := line.Source
	gvk := schema.GroupVersionKind{Group: line.Group, Kind: line.Kind}
	if top, err := peek(line.Object); err == nil && top.APIVersion != "" {
		fresh.decodeObject(source, line.Object)
	} else {
		fresh.decodeKind(source, versioned(gvk), line.Object)
	}
	h.items = append(h.items, fresh.items...)
	for _, p := range fresh.problems {
		p.Source = place("bundle", n+1)
		h.problems = append(h.problems, p)
	}
}

// versioned finds the version in which the snapshot holds a kind.
func versioned(gvk schema.GroupVersionKind) schema.GroupVersionKind {
	for _, k := range kinds {
		if k.GroupKind() == gvk.GroupKind() {
			return k.GroupVersionKind
		}
	}
	gvk.Version = "v1" // workloads
	return gvk
}
