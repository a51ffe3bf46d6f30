package diff

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// mostFields is how many fields of a changed object are named.
const mostFields = 5

// written are the objects that people wrote: those that a controller made out of others,
// as pods and endpoints, are left to the objects that they were made of.
func written(s *snapshot.Snapshot) map[snapshot.ObjectKey]snapshot.Object {
	out := map[snapshot.ObjectKey]snapshot.Object{}
	add := func(o snapshot.Object) {
		if metav1.GetControllerOf(o) == nil {
			out[snapshot.KeyOf(o)] = o
		}
	}
	for _, k := range snapshot.Kinds() {
		for _, o := range k.Of(s) {
			add(o)
		}
	}
	for _, w := range s.Workloads {
		add(w.Object)
	}
	for _, o := range s.Others {
		add(o)
	}
	for key := range out {
		service := snapshot.ObjectKey{Kind: "Service", Namespace: key.Namespace, Name: key.Name}
		if _, ok := out[service]; key.Kind == "Endpoints" && key.Group == "" && ok {
			delete(out, key)
		}
	}
	return out
}

// objects lists what was added, removed or changed.
func (c *comparison) objects() map[snapshot.ObjectKey]ObjectChange {
	before, after := written(c.before.Snapshot), written(c.after.Snapshot)
	out := map[snapshot.ObjectKey]ObjectChange{}
	for key, b := range before {
		a, ok := after[key]
		if !ok {
			out[key] = ObjectChange{Change: "removed", Source: c.before.Snapshot.Source(key)}
			continue
		}
		if fields := changedFields(b, a); len(fields) > 0 {
			out[key] = ObjectChange{Change: "changed", Fields: fields, Source: c.after.Snapshot.Source(key)}
		}
	}
	for key := range after {
		if _, ok := before[key]; !ok {
			out[key] = ObjectChange{Change: "added", Source: c.after.Snapshot.Source(key)}
		}
	}
	for key, o := range out {
		o.Object = guarantee.Ref{Kind: key.Kind, Namespace: key.Namespace, Name: key.Name}
		out[key] = o
	}
	return out
}

// causes marks the objects that bear on what changed, and sorts them: those first.
func (c *comparison) causes(objects map[snapshot.ObjectKey]ObjectChange) []ObjectChange {
	named, spaces := map[guarantee.Ref]bool{}, map[string]bool{}
	for _, v := range c.out.Verdicts {
		named[guarantee.Ref{Kind: "Tenant", Name: v.Tenant}] = true
	}
	for _, f := range c.out.Findings {
		for _, e := range f.Evidence {
			named[guarantee.Ref{Kind: e.Object.Kind, Namespace: e.Object.Namespace, Name: e.Object.Name}] = true
		}
	}
	for _, r := range c.out.Reach {
		spaces[r.From.Namespace] = true
		spaces[r.To.Namespace] = true
		named[guarantee.Ref{Kind: "Tenant", Name: r.From.Tenant}] = true
		named[guarantee.Ref{Kind: "Tenant", Name: r.To.Tenant}] = true
	}
	delete(spaces, "")
	var out []ObjectChange
	for _, o := range objects {
		o.Cause = named[o.Object] || spaces[o.Object.Namespace] || o.Object.Kind == "Namespace" && spaces[o.Object.Name]
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b ObjectChange) int {
		return cmp.Or(
			cmp.Compare(first(b.Cause), first(a.Cause)),
			cmp.Compare(a.Object.Namespace, b.Object.Namespace),
			cmp.Compare(a.Object.Kind, b.Object.Kind),
			cmp.Compare(a.Object.Name, b.Object.Name),
			cmp.Compare(a.Change, b.Change),
			cmp.Compare(a.Source, b.Source),
		)
	})
	return out
}

// changedFields names the first fields in which two objects differ. What the API server
// keeps for itself, and the status, is no change that anybody made.
func changedFields(before, after snapshot.Object) []string {
	b, errB := json.Marshal(before)
	a, errA := json.Marshal(after)
	if errA != nil || errB != nil {
		return []string{"cannot be compared"}
	}
	if bytes.Equal(a, b) {
		return nil
	}
	var was, is map[string]any
	if json.Unmarshal(b, &was) != nil || json.Unmarshal(a, &is) != nil {
		return []string{"cannot be compared"}
	}
	bare(was)
	bare(is)
	w := &fieldWalk{}
	w.differ("", was, is)
	return w.fields
}

// bare takes out of an object what nobody wrote.
func bare(o map[string]any) {
	for _, field := range []string{"status", "apiVersion", "kind"} {
		delete(o, field)
	}
	meta, _ := o["metadata"].(map[string]any)
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"} {
		delete(meta, field)
	}
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, "kubectl.kubernetes.io/last-applied-configuration")
		if len(notes) == 0 {
			delete(meta, "annotations")
		}
	}
}

// fieldWalk gathers the paths at which two values differ.
type fieldWalk struct{ fields []string }

func (w *fieldWalk) differ(path string, before, after any) {
	if len(w.fields) == mostFields {
		return
	}
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			w.note(path)
			return
		}
		keys := maps.Clone(b)
		maps.Copy(keys, a)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			w.differ(strings.TrimPrefix(path+"."+k, "."), b[k], a[k])
		}
	case []any:
		a, ok := after.([]any)
		if !ok || len(a) != len(b) {
			w.note(path)
			return
		}
		for i := range b {
			w.differ(fmt.Sprintf("%s[%d]", path, i), b[i], a[i])
		}
	default:
		switch after.(type) {
		case map[string]any, []any:
			w.note(path)
		default:
			if before != after {
				w.note(path)
			}
		}
	}
}

func (w *fieldWalk) note(path string) {
	if len(w.fields) < mostFields {
		w.fields = append(w.fields, path)
	}
}
