package apply

import (
	"maps"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

// ownPrefix begins the labels and annotations that are Watertight's alone.
const ownPrefix = "watertight.dev/"

// Same says whether live is what is desired: the content compared whole, labels and
// annotations as far as they are ours. Status is not compared.
func Same(desired, live client.Object) bool {
	return sameNotes(desired.GetLabels(), live.GetLabels()) &&
		sameNotes(desired.GetAnnotations(), live.GetAnnotations()) &&
		equality.Semantic.DeepEqual(content(desired), content(live))
}

// sameNotes says whether live has every desired label, and none of ours beyond them.
func sameNotes(desired, live map[string]string) bool {
	for k, v := range desired {
		if w, ok := live[k]; !ok || w != v {
			return false
		}
	}
	for k := range live {
		if _, ok := desired[k]; !ok && strings.HasPrefix(k, ownPrefix) {
			return false
		}
	}
	return true
}

// content is the part of an object that apply decides: a copy without metadata, status
// and what the cluster itself keeps in it.
func content(o client.Object) client.Object {
	c, ok := o.DeepCopyObject().(client.Object)
	if !ok {
		return o
	}
	c.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	setMeta(c, metav1.ObjectMeta{})
	switch t := c.(type) {
	case *corev1.Namespace:
		t.Spec, t.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
	case *corev1.ServiceAccount:
		t.Secrets, t.ImagePullSecrets = nil, nil
	case *corev1.ResourceQuota:
		t.Status = corev1.ResourceQuotaStatus{}
	case *admissionv1.ValidatingAdmissionPolicy:
		t.Status = admissionv1.ValidatingAdmissionPolicyStatus{}
	case *policyv1alpha2.ClusterNetworkPolicy:
		t.Status = policyv1alpha2.ClusterNetworkPolicyStatus{}
	}
	return c
}

// setMeta replaces an object's metadata.
func setMeta(o client.Object, m metav1.ObjectMeta) {
	if a, ok := o.(metav1.ObjectMetaAccessor); ok {
		if p, ok := a.GetObjectMeta().(*metav1.ObjectMeta); ok {
			*p = m
		}
	}
}

// replaced is what is desired in place of what is stored, with the stored identity and
// the labels and annotations of others.
func replaced(desired, stored client.Object) client.Object {
	out, ok := desired.DeepCopyObject().(client.Object)
	if !ok {
		return desired
	}
	labels, notes := foreign(stored.GetLabels()), foreign(stored.GetAnnotations())
	maps.Copy(labels, desired.GetLabels())
	maps.Copy(notes, desired.GetAnnotations())
	setMeta(out, metav1.ObjectMeta{
		Name: stored.GetName(), Namespace: stored.GetNamespace(), UID: stored.GetUID(),
		ResourceVersion: stored.GetResourceVersion(), Labels: labels, Annotations: notes,
		Finalizers: stored.GetFinalizers(), OwnerReferences: stored.GetOwnerReferences(),
	})
	return out
}

func foreign(notes map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range notes {
		if !strings.HasPrefix(k, ownPrefix) {
			out[k] = v
		}
	}
	return out
}
