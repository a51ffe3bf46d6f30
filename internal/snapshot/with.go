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

// With returns a new snapshot in which the objects are added, or take the place of
// those of the same kind and name. The old one stays as it is; both share what did not
// change. An object that cannot be taken becomes a Problem.
func (s *Snapshot) With(objects ...runtime.Object) *Snapshot {
	b := newBuilder(s)
	for _, o := range objects {
		b.add(o)
	}
	return b.finish()
}

// WithProblems returns a new snapshot that has these problems too.
func (s *Snapshot) WithProblems(problems ...Problem) *Snapshot {
	b := newBuilder(s)
	b.out.Problems = append(b.out.Problems, problems...)
	return b.finish()
}

// WithSources returns a new snapshot that knows where these objects were read.
func (s *Snapshot) WithSources(sources map[ObjectKey]string) *Snapshot {
	b := newBuilder(s)
	maps.Copy(b.out.Sources, sources)
	return b.finish()
}

// builder holds what With changes: per kind, the objects in order and their places.
type builder struct {
	out       *Snapshot
	kinds     map[schema.GroupKind]*shelf
	workloads *shelf
	others    *shelf
}

// shelf is a list of objects that can be replaced by name.
type shelf struct {
	kind    Kind
	objects []Object
	place   map[ObjectKey]int
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
		Origin:   s.Origin,
		Problems: slices.Clone(s.Problems),
		Sources:  maps.Clone(s.Sources),
	}
	if out.Sources == nil {
		out.Sources = map[ObjectKey]string{}
	}
	b := &builder{out: out, kinds: map[schema.GroupKind]*shelf{}}
	for _, k := range kinds {
		h := &shelf{kind: k, place: map[ObjectKey]int{}}
		for _, o := range k.Of(s) {
			h.put(ObjectKey{k.Group, k.Kind, o.GetNamespace(), o.GetName()}, o)
		}
		b.kinds[k.GroupKind()] = h
	}
	b.workloads, b.others = &shelf{place: map[ObjectKey]int{}}, &shelf{place: map[ObjectKey]int{}}
	for _, w := range s.Workloads {
		b.workloads.put(w.Key(), w.Object)
	}
	for _, o := range s.Others {
		b.others.put(keyOf(o), o)
	}
	return b
}

// add takes one object, typed or not.
func (b *builder) add(object runtime.Object) {
	o, ok := object.(Object)
	if !ok {
		b.problem(ObjectKey{}, "is no Kubernetes object")
		return
	}
	if w := WorkloadOf(o); w != nil {
		b.workloads.put(w.Key(), o)
		return
	}
	if u, ok := o.(*unstructured.Unstructured); ok {
		b.addUnstructured(u)
		return
	}
	if k, ok := kindByType[reflect.TypeOf(o)]; ok {
		b.kinds[k.GroupKind()].put(ObjectKey{k.Group, k.Kind, o.GetNamespace(), o.GetName()}, o)
		return
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil || o.GetObjectKind().GroupVersionKind().Kind == "" {
		b.problem(ObjectKey{Namespace: o.GetNamespace(), Name: o.GetName()}, "is of a kind that cannot be told")
		return
	}
	u := &unstructured.Unstructured{Object: content}
	b.others.put(keyOf(u), u)
}

// addUnstructured gives the object the type of its kind, where the kind has a field.
func (b *builder) addUnstructured(u *unstructured.Unstructured) {
	h, ok := b.kinds[u.GroupVersionKind().GroupKind()]
	if !ok || h.kind.Version != u.GroupVersionKind().Version {
		b.others.put(keyOf(u), u)
		return
	}
	typed := h.kind.New()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, typed); err != nil {
		b.problem(keyOf(u), "cannot be read: "+err.Error())
		return
	}
	h.put(keyOf(u), typed)
}

func (b *builder) problem(key ObjectKey, message string) {
	b.out.Problems = append(b.out.Problems, Problem{
		Source: strings.Trim(key.Namespace+"/"+key.Name, "/"), Kind: key.Kind,
		Message: strings.TrimSpace(key.Kind + " " + key.Name + " " + message),
	})
}

func (b *builder) finish() *Snapshot {
	for _, h := range b.kinds {
		h.kind.replace(b.out, h.objects)
	}
	for _, o := range b.workloads.objects {
		b.out.Workloads = append(b.out.Workloads, WorkloadOf(o))
	}
	for _, o := range b.others.objects {
		b.out.Others = append(b.out.Others, o.(*unstructured.Unstructured))
	}
	b.out.expand()
	return b.out
}
