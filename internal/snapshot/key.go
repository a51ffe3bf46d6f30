package snapshot

import (
	"cmp"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// KeyOf names an object of a kind that the snapshot has a field for, of a workload or of
// an untyped object. A made-up pod has the name of its workload.
func KeyOf(o Object) ObjectKey {
	switch t := o.(type) {
	case *unstructured.Unstructured:
		return keyOf(t)
	case *corev1.Pod:
		if owner, _, ok := Template(t); ok {
			return owner
		}
	}
	if w := WorkloadOf(o); w != nil {
		return w.Key()
	}
	if k, ok := kindByType[reflect.TypeOf(o)]; ok {
		return ObjectKey{k.Group, k.Kind, o.GetNamespace(), o.GetName()}
	}
	gvk := o.GetObjectKind().GroupVersionKind()
	return ObjectKey{gvk.Group, gvk.Kind, o.GetNamespace(), o.GetName()}
}

// Template names the workload that a made-up pod stands for, and the path of the pod's
// template inside it.
func Template(pod *corev1.Pod) (owner ObjectKey, path string, ok bool) {
	path = pod.Annotations[AnnotationTemplate]
	if !Synthetic(pod) || len(pod.OwnerReferences) == 0 {
		return ObjectKey{}, "", false
	}
	o := pod.OwnerReferences[0]
	return ObjectKey{groupOf(o.APIVersion), o.Kind, pod.Namespace, o.Name}, path, true
}

// String prints "Kind namespace/name".
func (k ObjectKey) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.Namespace + "/" + k.Name
}

// Compare orders keys.
func (k ObjectKey) Compare(other ObjectKey) int {
	return cmp.Or(
		cmp.Compare(k.Kind, other.Kind), cmp.Compare(k.Namespace, other.Namespace),
		cmp.Compare(k.Name, other.Name), cmp.Compare(k.Group, other.Group),
	)
}

// kinds is what Kinds returns, made once; the maps find one by its name and by the type
// of its objects.
var (
	kinds      = Kinds()
	kindByType = byType(kinds)
	kindByName = byName(kinds)
	podKind    = schema.GroupKind{Kind: "Pod"}
)

func byName(kinds []Kind) map[schema.GroupKind]Kind {
	names := make(map[schema.GroupKind]Kind, len(kinds))
	for _, k := range kinds {
		names[k.GroupKind()] = k
	}
	return names
}

func byType(kinds []Kind) map[reflect.Type]Kind {
	types := map[reflect.Type]Kind{}
	for _, k := range kinds {
		types[reflect.TypeOf(k.New())] = k
	}
	return types
}

func keyOf(u *unstructured.Unstructured) ObjectKey {
	return ObjectKey{groupOf(u.GetAPIVersion()), u.GetKind(), u.GetNamespace(), u.GetName()}
}

func groupOf(apiVersion string) string {
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return group
}

func lower(s string) string { return strings.ToLower(s) }
