package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// load measures how long a folder takes to read: a file for each tenant.
func (b *bench) load(ctx context.Context) error {
	s := loaded(thousand.options)
	for _, form := range []string{"json", "yaml"} {
		if err := b.loadForm(ctx, s, form); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) loadForm(ctx context.Context, s *snapshot.Snapshot, form string) (err error) {
	dir, err := os.MkdirTemp("", "watertight-bench-")
	if err != nil {
		return fmt.Errorf("make temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	size, err := writeFolder(s, dir, form)
	if err != nil {
		return err
	}
	c, err := b.measure(1, func() error {
		got, err := load.Folder(ctx, dir)
		if err != nil {
			return err
		}
		if len(got.Pods) != len(s.Pods) || len(got.NetworkPolicies) != len(s.NetworkPolicies) || len(got.Problems) > 0 {
			return fmt.Errorf("read %d pods, %d policies, %v", len(got.Pods), len(got.NetworkPolicies), got.Problems)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.timed(fmt.Sprintf("1,000 tenants: load a folder of %s (%d MB)", form, size/1e6), c, 0, fmt.Sprintf("; %d MB allocated in all", c.allocated/1e6))
	return nil
}

// writeFolder writes the objects of each tenant to a file, the platform's to another, and
// says how many bytes they have.
func writeFolder(s *snapshot.Snapshot, dir, form string) (int, error) {
	files := map[string]*bytes.Buffer{}
	for _, k := range snapshot.Kinds() {
		for _, o := range k.Of(s) {
			o = o.DeepCopyObject().(snapshot.Object)
			o.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
			name := s.TenantOf(cmp.Or(o.GetNamespace(), o.GetName()))
			if files[name] == nil {
				files[name] = &bytes.Buffer{}
			}
			if err := write(files[name], o, form); err != nil {
				return 0, err
			}
		}
	}
	size := 0
	for name, text := range files {
		size += text.Len()
		if err := os.WriteFile(filepath.Join(dir, cmp.Or(name, "platform")+"."+form), text.Bytes(), 0o600); err != nil {
			return 0, fmt.Errorf("write manifests: %w", err)
		}
	}
	return size, nil
}

func write(to *bytes.Buffer, o snapshot.Object, form string) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("write %s: %w", o.GetName(), err)
	}
	if form == "yaml" {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("write %s: %w", o.GetName(), err)
		}
		to.WriteString("---\n")
	}
	to.Write(append(text, '\n'))
	return nil
}
