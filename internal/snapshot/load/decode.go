package load

import (
	"encoding/json"
	"fmt"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

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
}

func (h *harvest) problem(source, kind, format string, args ...any) {
	h.problems = append(h.problems, snapshot.Problem{Source: source, Kind: kind, Message: fmt.Sprintf(format, args...)})
}

func (h *harvest) stray(source, message string) {
	h.problems = append(h.problems, snapshot.Problem{Source: source, Message: message, Stray: true})
}

// head is what every object begins with.
type head struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []json.RawMessage `json:"items"`
}

// decodeFile reads every document of a file.
func (h *harvest) decodeFile(name string, data []byte) {
	documents, err := split(name, data)
	if err != nil {
		h.problem(name, "", "%v: remove it from the folder or save it as text", err)
		return
	}
	for _, d := range documents {
		h.decodeDocument(d)
	}
}

func (h *harvest) decodeDocument(d document) {
	if d.isJSON {
		h.decodeObject(d.source, d.data)
		return
	}
	data, err := yaml.YAMLToJSONStrict(d.data)
	if err != nil {
		h.problem(d.source, "", "malformed YAML: %s", oneLine(err))
		return
	}
	first := harvest{}
	first.decodeObject(d.source, data)
	if first.clean() {
		h.merge(first)
		return
	}
	second := harvest{} // a name or label such as y or no, which YAML 1.1 takes for a boolean
	if data, err := modernJSON(d.data); err == nil {
		second.decodeObject(d.source, data)
	}
	if len(second.items) > len(first.items) {
		first = second
	}
	h.merge(first)
}

// modernJSON converts YAML 1.2, in which y, n, yes, no, on and off are words.
func modernJSON(data []byte) ([]byte, error) {
	var value any
	if err := yaml3.Unmarshal(data, &value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// clean reports whether everything was taken.
func (h *harvest) clean() bool { return len(h.problems) == 0 }

func (h *harvest) merge(other harvest) {
	h.items = append(h.items, other.items...)
	h.problems = append(h.problems, other.problems...)
}

// decodeObject reads one object, or each of a List.
func (h *harvest) decodeObject(source string, data []byte) {
	var top head
	if err := json.Unmarshal(data, &top); err != nil {
		h.problem(source, "", "is no Kubernetes object: %s", oneLine(err))
		return
	}
	gv, err := schema.ParseGroupVersion(top.APIVersion)
	switch {
	case top.Kind == "" && top.APIVersion == "":
		h.stray(source, "is no Kubernetes object: it has neither apiVersion nor kind")
	case top.Kind == "" || top.APIVersion == "":
		h.problem(source, top.Kind, "apiVersion and kind must both be set: add the missing one")
	case err != nil:
		h.problem(source, top.Kind, "apiVersion %q is malformed: write group/version", clip(top.APIVersion))
	case top.Items != nil && strings.HasSuffix(top.Kind, "List"):
		for i, raw := range top.Items {
			h.decodeObject(fmt.Sprintf("%s.items[%d]", source, i), withHead(raw, top))
		}
	default:
		h.decodeKind(source, gv.WithKind(top.Kind), data)
	}
}

// withHead gives an item of a typed list ("PodList") the kind that its list implies.
func withHead(raw json.RawMessage, list head) json.RawMessage {
	kind := strings.TrimSuffix(list.Kind, "List")
	if kind == "" {
		return raw
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil || fields["kind"] != nil {
		return raw
	}
	fields["kind"], _ = json.Marshal(kind)
	fields["apiVersion"], _ = json.Marshal(list.APIVersion)
	filled, err := json.Marshal(fields)
	if err != nil {
		return raw
	}
	return filled
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
		if err := u.UnmarshalJSON(data); err != nil {
			h.problem(source, gvk.Kind, "cannot be read: %s", oneLine(err))
			return
		}
		h.take(source, u, gvk)
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
// must have the version; of any other group nothing is known.
func newObject(gvk schema.GroupVersionKind) (snapshot.Object, bool, error) {
	if fresh, err := scheme.New(gvk); err == nil {
		object, ok := fresh.(snapshot.Object)
		if !ok || !read(gvk, object) {
			return nil, false, nil
		}
		return object, true, nil
	}
	if !scheme.IsGroupRegistered(gvk.Group) {
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

// read reports whether a kind is read into its type: those that the snapshot has fields
// for and workloads. The rest stays as it is, unchecked.
func read(gvk schema.GroupVersionKind, object snapshot.Object) bool {
	if snapshot.WorkloadOf(object) != nil || gvk.Kind == "ReplicationController" && gvk.Group == "" {
		return true
	}
	for _, k := range kinds {
		if k.GroupVersionKind == gvk {
			return true
		}
	}
	return false
}

// kinds that the snapshot has fields for.
var kinds = snapshot.Kinds()

// take checks and defaults an object and adds it.
func (h *harvest) take(source string, object snapshot.Object, gvk schema.GroupVersionKind) {
	if object.GetNamespace() == "" && namespacedKind(object, gvk) {
		object.SetNamespace("default")
	}
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
