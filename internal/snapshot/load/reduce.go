package load

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/snapshot"
)

// forget drops what no verdict rests on, takes much memory or holds secrets: managed
// fields, and the copy that kubectl apply keeps of the whole object. It also drops the
// mark of made-up pods, which a real one could carry to go unseen.
func forget(object snapshot.Object) {
	if object.GetManagedFields() != nil {
		object.SetManagedFields(nil)
	}
	annotations := object.GetAnnotations()
	_, applied := annotations[corev1.LastAppliedConfigAnnotation]
	_, made := annotations[snapshot.AnnotationTemplate]
	if !applied && !made {
		return
	}
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	delete(annotations, snapshot.AnnotationTemplate)
	object.SetAnnotations(annotations)
}

// reduce keeps of large or secret objects what an analyzer may ask: of a Secret its type
// and keys, of a CustomResourceDefinition its names and versions without their schemas.
func reduce(u *unstructured.Unstructured) {
	gvk := u.GroupVersionKind()
	switch {
	case gvk.Group == "" && gvk.Kind == "Secret":
		for _, field := range []string{"data", "stringData"} {
			if values, ok := u.Object[field].(map[string]any); ok {
				for key := range values {
					values[key] = ""
				}
			}
		}
	case gvk.Group == "apiextensions.k8s.io" && gvk.Kind == "CustomResourceDefinition":
		delete(u.Object, "status")
		spec, _ := u.Object["spec"].(map[string]any)
		delete(spec, "conversion")
		delete(spec, "validation") // v1beta1
		versions, _ := spec["versions"].([]any)
		for _, v := range versions {
			if version, ok := v.(map[string]any); ok {
				delete(version, "schema")
			}
		}
	}
}
