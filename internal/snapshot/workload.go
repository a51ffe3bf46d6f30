package snapshot

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AnnotationTemplate marks a pod that was made up from a workload's template; its value
// is the path of the template inside the workload, which the pod's owner reference names.
const AnnotationTemplate = "snapshot.watertight.dev/template"

// Workload is an object that would create pods.
type Workload struct {
	Object     Object
	APIVersion string
	Kind       string
	// Path of the template inside the object ("spec.template").
	Path     string
	Template *corev1.PodTemplateSpec
}

// Key names the workload.
func (w *Workload) Key() ObjectKey {
	return ObjectKey{
		Group: groupOf(w.APIVersion), Kind: w.Kind,
		Namespace: w.Object.GetNamespace(), Name: w.Object.GetName(),
	}
}

// WorkloadOf returns an object's pod template, or nil where it is no workload.
func WorkloadOf(object runtime.Object) *Workload {
	const template = "spec.template"
	apps, batch := appsv1.SchemeGroupVersion.String(), batchv1.SchemeGroupVersion.String()
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &Workload{o, apps, "Deployment", template, &o.Spec.Template}
	case *appsv1.StatefulSet:
		return &Workload{o, apps, "StatefulSet", template, &o.Spec.Template}
	case *appsv1.DaemonSet:
		return &Workload{o, apps, "DaemonSet", template, &o.Spec.Template}
	case *appsv1.ReplicaSet:
		return &Workload{o, apps, "ReplicaSet", template, &o.Spec.Template}
	case *batchv1.Job:
		return &Workload{o, batch, "Job", template, &o.Spec.Template}
	case *batchv1.CronJob:
		return &Workload{o, batch, "CronJob", "spec.jobTemplate.spec.template", &o.Spec.JobTemplate.Spec.Template}
	case *corev1.ReplicationController:
		if o.Spec.Template == nil {
			return nil
		}
		return &Workload{o, "v1", "ReplicationController", template, o.Spec.Template}
	}
	return nil
}

// pod is the pod that the workload would create.
func (w *Workload) pod() *corev1.Pod {
	controller := true
	meta := w.Template.ObjectMeta.DeepCopy()
	meta.Name, meta.Namespace, meta.UID = w.Object.GetName(), w.Object.GetNamespace(), ""
	if meta.Annotations == nil {
		meta.Annotations = map[string]string{}
	}
	meta.Annotations[AnnotationTemplate] = w.Path
	meta.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: w.APIVersion, Kind: w.Kind, Name: w.Object.GetName(), Controller: &controller,
	}}
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: *meta, Spec: w.Template.Spec,
	}
}

// Synthetic reports whether a pod was made up from a template. A pod of an API server has
// a UID, and does not pass for one whatever it is annotated with.
func Synthetic(pod *corev1.Pod) bool {
	return pod.Annotations[AnnotationTemplate] != "" && pod.UID == ""
}

// expand replaces the snapshot's synthetic pods: one for each workload that no real pod
// and no other workload in the snapshot stands for.
func (s *Snapshot) expand() {
	pods := make([]*corev1.Pod, 0, len(s.Pods)+len(s.Workloads))
	taken := map[ObjectKey]bool{}
	for _, p := range s.Pods {
		if Synthetic(p) {
			continue
		}
		pods = append(pods, p)
		taken[ObjectKey{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}] = true
		for _, o := range p.OwnerReferences {
			taken[ObjectKey{groupOf(o.APIVersion), o.Kind, p.Namespace, o.Name}] = true
		}
	}
	for _, w := range s.Workloads { // a Deployment is running when its ReplicaSet is
		for _, o := range w.Object.GetOwnerReferences() {
			taken[ObjectKey{groupOf(o.APIVersion), o.Kind, w.Object.GetNamespace(), o.Name}] = true
		}
	}
	for _, w := range s.Workloads {
		if taken[w.Key()] {
			continue
		}
		p := w.pod()
		key := ObjectKey{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
		if taken[key] { // a Deployment and a Job of the same name
			p.Name += "-" + lower(w.Kind)
			key.Name = p.Name
		}
		taken[key] = true
		pods = append(pods, p)
	}
	s.Pods = pods
}
