package snapshot

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Parts is what a snapshot is made of.
type Parts struct {
	Objects  []runtime.Object
	Problems []Problem
	// Sources is kept, not copied.
	Sources map[ObjectKey]string
	Origin  Origin
	// NetworkPlugin is as in Snapshot.
	NetworkPlugin string
}

// New makes a snapshot in one go. Of objects of the same kind and name the last counts;
// one that cannot be taken becomes a Problem.
func New(p Parts) *Snapshot {
	b := newBuilder(&Snapshot{Origin: p.Origin, Problems: p.Problems, Sources: p.Sources, NetworkPlugin: p.NetworkPlugin})
	b.addAll(p.Objects)
	return b.finish()
}

// With returns a new snapshot in which the objects are added, or take the place of
// those of the same kind and name. The old one stays as it is; both share what did not
// change. An object that cannot be taken becomes a Problem.
func (s *Snapshot) With(objects ...runtime.Object) *Snapshot {
	b := newBuilder(s)
	b.addAll(objects)
	return b.finish()
}

// WithProblems returns a new snapshot that has these problems too.
func (s *Snapshot) WithProblems(problems ...Problem) *Snapshot {
	b := newBuilder(s)
	b.out.Problems = append(b.out.Problems, problems...)
	return b.finish()
}

// WithNetworkPlugin returns a new snapshot in which this network plugin is said to enforce
// policies, by one of the names of netreach.PluginNames; "" takes back what was said.
func (s *Snapshot) WithNetworkPlugin(name string) *Snapshot {
	b := newBuilder(s)
	b.out.NetworkPlugin = name
	return b.finish()
}

// WithSources returns a new snapshot that knows where these objects were read.
func (s *Snapshot) WithSources(sources map[ObjectKey]string) *Snapshot {
	b := newBuilder(s)
	b.out.Sources = maps.Clone(s.Sources)
	if b.out.Sources == nil {
		b.out.Sources = map[ObjectKey]string{}
	}
	maps.Copy(b.out.Sources, sources)
	return b.finish()
}

// builder holds what With changes: per kind that is touched, the objects in order and
// their places. Everything else is shared with the snapshot that it starts from.
type builder struct {
	from, out         *Snapshot
	kinds             map[schema.GroupKind]*shelf
	workloads, others *shelf
}

// shelf is a list of objects that can be replaced by name.
type shelf struct {
	kind    Kind
	objects []Object
	place   map[ObjectKey]int
}

func newShelf(size int) *shelf {
	return &shelf{objects: make([]Object, 0, size), place: make(map[ObjectKey]int, size)}
}

func (h *shelf) put(key ObjectKey, o Object) {
	if i, ok := h.place[key]; ok {
		h.objects[i] = o
		return
	}
	h.place[key] = len(h.objects)
	h.objects = append(h.objects, o)
}

func newBuilder(s *Snapshot) *builder {
	out := &Snapshot{
		Origin: s.Origin, Problems: slices.Clip(s.Problems), Sources: s.Sources,
		Workloads: s.Workloads, Others: s.Others, NetworkPlugin: s.NetworkPlugin, mapped: s.mapped,
	}
	for _, k := range kinds {
		k.share(s, out)
	}
	return &builder{from: s, out: out, kinds: map[schema.GroupKind]*shelf{}}
}

// shelfOf takes a kind in hand; nil where the snapshot has no field for it.
func (b *builder) shelfOf(gk schema.GroupKind) *shelf {
	if h, ok := b.kinds[gk]; ok {
		return h
	}
	k, ok := kindByName[gk]
	if !ok {
		return nil
	}
	old := k.Of(b.from)
	h := newShelf(len(old))
	h.kind = k
	for _, o := range old {
		h.put(ObjectKey{k.Group, k.Kind, o.GetNamespace(), o.GetName()}, o)
	}
	b.kinds[gk] = h
	return h
}

func (b *builder) putWorkload(w *Workload) {
	if b.workloads == nil {
		b.workloads = newShelf(len(b.from.Workloads))
		for _, old := range b.from.Workloads {
			b.workloads.put(old.Key(), old.Object)
		}
	}
	b.workloads.put(w.Key(), w.Object)
}

func (b *builder) putOther(u *unstructured.Unstructured) {
	if b.others == nil {
		b.others = newShelf(len(b.from.Others))
		for _, old := range b.from.Others {
			b.others.put(keyOf(old), old)
		}
	}
	b.others.put(keyOf(u), u)
}

func (b *builder) addAll(objects []runtime.Object) {
	for _, o := range objects {
		b.add(o)
	}
}

// add takes one object, typed or not.
func (b *builder) add(object runtime.Object) {
	o, ok := object.(Object)
	if !ok {
		b.problem(ObjectKey{}, "is no Kubernetes object")
		return
	}
	if w := WorkloadOf(o); w != nil {
		b.putWorkload(w)
		return
	}
	if u, ok := o.(*unstructured.Unstructured); ok {
		b.addUnstructured(u)
		return
	}
	if k, ok := kindByType[reflect.TypeOf(o)]; ok {
		b.shelfOf(k.GroupKind()).put(ObjectKey{k.Group, k.Kind, o.GetNamespace(), o.GetName()}, o)
		return
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil || o.GetObjectKind().GroupVersionKind().Kind == "" {
		b.problem(ObjectKey{Namespace: o.GetNamespace(), Name: o.GetName()}, "is of a kind that cannot be told")
		return
	}
	b.putOther(&unstructured.Unstructured{Object: content})
}

// addUnstructured gives the object the type of its kind, where the kind has a field.
func (b *builder) addUnstructured(u *unstructured.Unstructured) {
	gvk := u.GroupVersionKind()
	k, ok := kindByName[gvk.GroupKind()]
	if !ok || k.Version != gvk.Version {
		b.putOther(u)
		return
	}
	typed := k.New()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, typed); err != nil {
		b.problem(keyOf(u), "cannot be read: "+err.Error())
		return
	}
	b.shelfOf(gvk.GroupKind()).put(keyOf(u), typed)
}

func (b *builder) problem(key ObjectKey, message string) {
	b.out.Problems = append(b.out.Problems, Problem{
		Source: strings.Trim(key.Namespace+"/"+key.Name, "/"), Kind: key.Kind,
		Message: strings.TrimSpace(key.Kind + " " + key.Name + " " + message),
	})
}

// finish puts the shelves back. Made-up pods depend on pods and workloads alone.
func (b *builder) finish() *Snapshot {
	for _, h := range b.kinds {
		h.kind.replace(b.out, h.objects)
	}
	if b.workloads != nil {
		b.out.Workloads = make([]*Workload, 0, len(b.workloads.objects))
		for _, o := range b.workloads.objects {
			b.out.Workloads = append(b.out.Workloads, WorkloadOf(o))
		}
	}
	if b.others != nil {
		b.out.Others = make([]*unstructured.Unstructured, 0, len(b.others.objects))
		for _, o := range b.others.objects {
			b.out.Others = append(b.out.Others, o.(*unstructured.Unstructured))
		}
	}
	if _, touched := b.kinds[podKind]; touched || b.workloads != nil {
		b.out.expand()
	}
	return b.out
}
