package load

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"watertight.dev/watertight/internal/snapshot"
)

// item is an object and where it was read.
type item struct {
	source string
	object snapshot.Object
}

// harvest is what a file yields.
type harvest struct {
	items    []item
	problems []snapshot.Problem
	// spare are workers that may help; nil where there are none.
	spare *crew
}

func (h *harvest) problem(source, kind, format string, args ...any) {
	h.problems = append(h.problems, snapshot.Problem{Source: source, Kind: kind, Message: fmt.Sprintf(format, args...)})
}

func (h *harvest) stray(source, message string) {
	h.problems = append(h.problems, snapshot.Problem{Source: source, Message: message, Stray: true})
}

func (h *harvest) merge(other harvest) {
	h.items = append(h.items, other.items...)
	h.problems = append(h.problems, other.problems...)
}

// clean reports whether everything was taken.
func (h *harvest) clean() bool { return len(h.problems) == 0 }

// decodeFile reads every document of a file.
func (h *harvest) decodeFile(name string, data []byte) {
	documents, err := split(name, data)
	if err != nil {
		h.problem(name, "", "%v: remove it from the folder or save it as text", err)
		return
	}
	h.each(len(documents), func(h *harvest, i int) { h.decodeDocument(documents[i]) })
}

// decodeDocument reads a document. Should a parser ever give up on it, that is the
// document's problem and not the program's.
func (h *harvest) decodeDocument(d document) {
	defer func() {
		if r := recover(); r != nil {
			h.problem(d.source, "", "%s: %s", gaveUp, clip(fmt.Sprint(r)))
		}
	}()
	if d.isJSON {
		h.decodeObject(d.source, d.data)
		return
	}
	if data, ok := plainYAML(d.data); ok {
		h.decodeObject(d.source, data)
		return
	}
	h.decodeYAML(d)
}

const gaveUp = "cannot be read, for the parser gave up"

// decodeYAML reads what plainYAML does not.
func (h *harvest) decodeYAML(d document) {
	parsed, err := parseYAML(d.data)
	var data []byte
	if err == nil {
		data, err = parsed.json(false)
	}
	if err != nil {
		h.problem(d.source, "", "malformed YAML: %s%s", oneLine(err), templated(d.data))
		return
	}
	first := harvest{spare: h.spare}
	first.decodeObject(d.source, data)
	if !first.clean() { // perhaps a name or label such as y or no, which YAML 1.1 takes for a boolean
		second := harvest{spare: h.spare}
		if words, err := parsed.json(true); err == nil && !bytes.Equal(words, data) {
			second.decodeObject(d.source, words)
		}
		if len(second.items) > len(first.items) {
			first = second
		}
	}
	h.merge(first)
}

// templated says that a document is a template, if it looks like one.
func templated(data []byte) string {
	if bytes.Contains(data, []byte("{{")) {
		return " (it is a template: render it first, as with helm template)"
	}
	return ""
}

// maxLists is how deep Lists may stand inside each other.
const maxLists = 4

// decodeObject reads one object, or each of a List.
func (h *harvest) decodeObject(source string, data []byte) {
	h.decodeItem(part{source: source, data: data})
}

// part is an object on its way: a document or an item of a List.
type part struct {
	source string
	data   []byte
	// implied is the kind of a typed list ("PodList"), which its items may leave out.
	implied head
	depth   int
}

func (h *harvest) decodeItem(p part) {
	top, err := peek(p.data)
	if err != nil {
		h.problem(p.source, "", "is no Kubernetes object: %s", oneLine(err))
		return
	}
	if top.Kind == "" && p.implied.Kind != "" {
		top.Kind, top.APIVersion = p.implied.Kind, p.implied.APIVersion
	}
	gv, err := schema.ParseGroupVersion(top.APIVersion)
	switch {
	case top.Kind == "" && top.APIVersion == "":
		h.stray(p.source, "is no Kubernetes object: it has neither apiVersion nor kind")
	case top.Kind == "" && chartFile(p.source):
		h.stray(p.source, "describes a Helm chart and is no Kubernetes object: render the chart first (helm template)")
	case top.Kind == "" || top.APIVersion == "":
		h.problem(p.source, top.Kind, "apiVersion and kind must both be set: add the missing one")
	case err != nil:
		h.problem(p.source, top.Kind, "apiVersion %q is malformed: write group/version", clip(top.APIVersion))
	case top.Items != nil && strings.HasSuffix(top.Kind, "List"):
		h.decodeList(p, top)
	default:
		h.decodeKind(p.source, gv.WithKind(top.Kind), p.data)
	}
}

// decodeList reads the items of a list where they stand.
func (h *harvest) decodeList(p part, top head) {
	if p.depth >= maxLists {
		h.problem(p.source, "", "is a List inside more than %d others: write its items one by one", maxLists-1)
		return
	}
	var items []part
	implied := head{Kind: strings.TrimSuffix(top.Kind, "List"), APIVersion: top.APIVersion}
	whole := eachItem(top.Items, func(data []byte) {
		items = append(items, part{
			source: fmt.Sprintf("%s.items[%d]", p.source, len(items)), data: data, implied: implied, depth: p.depth + 1,
		})
	})
	if !whole || p.depth == 0 && !json.Valid(p.data) {
		var any json.RawMessage
		err := errors.Join(json.Unmarshal(p.data, &any), json.Unmarshal(top.Items, &[]json.RawMessage{}))
		h.problem(p.source, "", "is a List that cannot be read: %s", oneLine(cmp.Or(err, errors.New("items is no list"))))
		return
	}
	h.each(len(items), func(h *harvest, i int) { h.decodeItem(items[i]) })
}

// decodeKind reads an object into the type of its kind; unknown fields are problems,
// and the object is taken without them, as an API server would store it.
func (h *harvest) decodeKind(source string, gvk schema.GroupVersionKind, data []byte) {
	object, known, err := newObject(gvk)
	if err != nil {
		h.problem(source, gvk.Kind, "%v", err)
		return
	}
	if !known {
		u := &unstructured.Unstructured{}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &u.Object); err != nil {
			h.problem(source, gvk.Kind, "%s cannot be read: %s", clip(gvk.Kind), oneLine(err))
			return
		}
		if u.Object == nil { // null, in a typed list
			h.problem(source, gvk.Kind, "is no Kubernetes object: it is null")
			return
		}
		u.SetGroupVersionKind(gvk)
		reduce(u)
		if version := readVersion(gvk); version != "" {
			h.problem(source, gvk.Kind, "%s %s is of version %s, which is not read: write it in %s", gvk.Kind, clip(u.GetName()), gvk.GroupVersion(), version)
		}
		h.take(source, u, gvk)
		return
	}
	if number := tinyNumber(data); number != "" {
		h.problem(source, gvk.Kind, "%s cannot be read: the number %s is too small for any quantity: correct it", gvk.Kind, clip(number))
		return
	}
	strict, err := kjson.UnmarshalStrict(data, object)
	if err != nil {
		h.problem(source, gvk.Kind, "%s cannot be read: %s", gvk.Kind, oneLine(err))
		return
	}
	for _, e := range strict {
		h.problem(source, gvk.Kind, "%s %s: %s: correct or remove it", gvk.Kind, clip(object.GetName()), oneLine(e))
	}
	object.GetObjectKind().SetGroupVersionKind(gvk)
	h.take(source, object, gvk)
}

// newObject makes an empty object of the kind. A group that is Kubernetes' own or ours
// must have the version; of any other group nothing is known. Kinds that the snapshot
// has no field for, and no workloads, stay as they are, unchecked.
func newObject(gvk schema.GroupVersionKind) (snapshot.Object, bool, error) {
	if fresh, ok := typed[gvk]; ok {
		return fresh(), true, nil
	}
	if scheme.Recognizes(gvk) || !scheme.IsGroupRegistered(gvk.Group) {
		return nil, false, nil
	}
	var versions []string
	for _, gv := range scheme.PrioritizedVersionsForGroup(gvk.Group) {
		if scheme.Recognizes(gv.WithKind(gvk.Kind)) {
			versions = append(versions, gv.String())
		}
	}
	if len(versions) == 0 {
		return nil, false, fmt.Errorf("%s has no kind %s: correct apiVersion or kind", gvk.GroupVersion(), clip(gvk.Kind))
	}
	return nil, false, fmt.Errorf("unknown API version %s of %s: use %s", gvk.GroupVersion(), gvk.Kind, versions[0])
}

// readVersion is the version in which a kind is read, "" where it is read in none. Old
// versions hold the same objects, so that what they say is missing from every verdict.
func readVersion(gvk schema.GroupVersionKind) string {
	if gvk.Group == "extensions" { // where some kinds were before they had groups
		for known := range typed {
			if known.Kind == gvk.Kind {
				return known.GroupVersion().String()
			}
		}
	}
	for known := range typed {
		if known.GroupKind() == gvk.GroupKind() {
			return known.GroupVersion().String()
		}
	}
	return ""
}

// kinds that the snapshot has fields for; typed makes those and workloads.
var (
	kinds = snapshot.Kinds()
	typed = typedKinds()
)

func typedKinds() map[schema.GroupVersionKind]func() snapshot.Object {
	out := map[schema.GroupVersionKind]func() snapshot.Object{}
	for _, k := range kinds {
		out[k.GroupVersionKind] = k.New
	}
	apps, batch := appsv1.SchemeGroupVersion, batchv1.SchemeGroupVersion
	out[apps.WithKind("Deployment")] = func() snapshot.Object { return &appsv1.Deployment{} }
	out[apps.WithKind("StatefulSet")] = func() snapshot.Object { return &appsv1.StatefulSet{} }
	out[apps.WithKind("DaemonSet")] = func() snapshot.Object { return &appsv1.DaemonSet{} }
	out[apps.WithKind("ReplicaSet")] = func() snapshot.Object { return &appsv1.ReplicaSet{} }
	out[batch.WithKind("Job")] = func() snapshot.Object { return &batchv1.Job{} }
	out[batch.WithKind("CronJob")] = func() snapshot.Object { return &batchv1.CronJob{} }
	out[corev1.SchemeGroupVersion.WithKind("ReplicationController")] = func() snapshot.Object { return &corev1.ReplicationController{} }
	return out
}

// take checks and defaults an object and adds it.
func (h *harvest) take(source string, object snapshot.Object, gvk schema.GroupVersionKind) {
	if object.GetNamespace() == "" && namespacedKind(object, gvk) {
		object.SetNamespace("default")
	}
	forget(object)
	if faults := check(object); len(faults) > 0 {
		for _, f := range faults {
			h.problem(source, gvk.Kind, "%s %s: %s", gvk.Kind, clip(object.GetName()), f)
		}
		return
	}
	setDefaults(object)
	h.items = append(h.items, item{source, object})
}

func namespacedKind(object snapshot.Object, gvk schema.GroupVersionKind) bool {
	for _, k := range kinds {
		if k.GroupVersionKind == gvk {
			return k.Namespaced
		}
	}
	return snapshot.WorkloadOf(object) != nil
}

// oneLine makes an error fit a line.
func oneLine(err error) string { return clip(strings.Join(strings.Fields(err.Error()), " ")) }

// clip shortens what a user wrote so that a message stays readable.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
