package capacity

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// priorities judges CAP-3: pods name no priority class but those of the class, or the
// cluster's default.
func (j *judge) priorities() {
	allowed := slices.Clone(j.class.Spec.Capacity.PriorityClasses)
	if i := slices.IndexFunc(j.snapshot.PriorityClasses, func(p *schedulingv1.PriorityClass) bool { return p.GlobalDefault }); i >= 0 {
		allowed = append(allowed, j.snapshot.PriorityClasses[i].Name)
	}
	pods := 0
	j.eachPod(func(p *corev1.Pod) {
		pods++
		have := p.Spec.PriorityClassName
		usual := !j.ledger.Complete("PriorityClass") // it may be the cluster's default
		if have != "" && !slices.Contains(allowed, have) && !usual {
			j.ledger.Break(guarantee.CAP3, "PriorityClassForbidden", fmt.Sprintf("%s has priority class %s, which class %s does not allow: remove spec.priorityClassName", name(p), have, j.class.Name),
				analyze.About(j.snapshot, p, "spec.priorityClassName", "is "+have))
		}
	})
	j.ledger.Hold(guarantee.CAP3, "NoPriority", fmt.Sprintf("none of its %d pods names a priority class that its class does not allow", pods), j.classEvidence("spec.capacity.priorityClasses"))
}

// classes judges CAP-5: storage, ingress and runtime classes that the class allows.
func (j *judge) classes() {
	claims := 0
	for _, c := range j.snapshot.PersistentVolumeClaims {
		if !slices.Contains(j.namespaces, c.Namespace) {
			continue
		}
		claims++
		j.claim(c, "spec.", &c.Spec)
	}
	for _, w := range j.snapshot.Workloads {
		if set, ok := w.Object.(*appsv1.StatefulSet); ok && slices.Contains(j.namespaces, set.Namespace) {
			for i := range set.Spec.VolumeClaimTemplates {
				claims++
				j.claim(set, fmt.Sprintf("spec.volumeClaimTemplates[%d].spec.", i), &set.Spec.VolumeClaimTemplates[i].Spec)
			}
		}
	}
	j.eachPod(j.podClasses)
	ingresses := j.ingresses()
	j.ledger.Hold(guarantee.CAP5, "AllowedClasses", fmt.Sprintf("its %d claims and %d ingresses name only classes that class %s allows", claims, ingresses, j.class.Name),
		j.classEvidence("spec.capacity.storageClasses"), j.classEvidence("spec.network.ingressClasses"))
}

// claim judges the storage class of a claim, and whether it picks a volume itself.
func (j *judge) claim(o snapshot.Object, path string, spec *corev1.PersistentVolumeClaimSpec) {
	allowed := j.class.Spec.Capacity.StorageClasses
	have, named := j.storageClass(spec)
	switch {
	case named && have == "":
		j.ledger.Break(guarantee.CAP5, "NoStorageClass", fmt.Sprintf("%s asks for an existing volume (storageClassName is empty): name a storage class of class %s", name(o), j.class.Name),
			analyze.About(j.snapshot, o, path+"storageClassName", "is empty"))
	case named && !slices.Contains(allowed, have):
		j.ledger.Break(guarantee.CAP5, "StorageClassForbidden", fmt.Sprintf("%s names storage class %s, which class %s does not allow (%v): name one that it does", name(o), have, j.class.Name, allowed),
			analyze.About(j.snapshot, o, path+"storageClassName", "is "+have))
	}
	if spec.VolumeName != "" && j.snapshot.Origin != snapshot.OriginLive { // binding sets it on a live claim
		j.ledger.Break(guarantee.CAP5, "VolumePicked", fmt.Sprintf("%s picks PersistentVolume %s itself, which may be another tenant's: remove volumeName", name(o), spec.VolumeName),
			analyze.About(j.snapshot, o, path+"volumeName", "is "+spec.VolumeName))
	}
}

// storageClass is the class a claim will get; named is false where that is not known.
func (j *judge) storageClass(spec *corev1.PersistentVolumeClaimSpec) (class string, named bool) {
	if spec.StorageClassName != nil {
		return *spec.StorageClassName, true
	}
	i := slices.IndexFunc(j.snapshot.StorageClasses, func(c *storagev1.StorageClass) bool {
		return c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
	})
	if i < 0 {
		return "", false
	}
	return j.snapshot.StorageClasses[i].Name, true
}

// podClasses judges a pod's ephemeral claims and, where the class has no sandbox (with
// one, KRN-2 judges it), its runtime class.
func (j *judge) podClasses(p *corev1.Pod) {
	for i, v := range p.Spec.Volumes {
		if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
			at := fmt.Sprintf("spec.volumes[%d].ephemeral.volumeClaimTemplate.spec.", i)
			j.claim(p, at, &v.Ephemeral.VolumeClaimTemplate.Spec)
		}
	}
	sandbox := j.class.Spec.Kernel.Sandbox
	if (sandbox == "" || sandbox == v1alpha1.SandboxNone) && p.Spec.RuntimeClassName != nil && *p.Spec.RuntimeClassName != "" {
		j.ledger.Break(guarantee.CAP5, "RuntimeClassForbidden", fmt.Sprintf("%s names runtime class %s, and class %s allows none: remove spec.runtimeClassName", name(p), *p.Spec.RuntimeClassName, j.class.Name),
			analyze.About(j.snapshot, p, "spec.runtimeClassName", "is "+*p.Spec.RuntimeClassName))
	}
}

// ingresses judges ingress classes and returns how many Ingresses there are.
func (j *judge) ingresses() int {
	allowed := j.class.Spec.Network.IngressClasses
	count := 0
	for _, g := range j.snapshot.Ingresses {
		if !slices.Contains(j.namespaces, g.Namespace) {
			continue
		}
		count++
		field, have := "spec.ingressClassName", ""
		if g.Spec.IngressClassName != nil {
			have = *g.Spec.IngressClassName
		} else if old, ok := g.Annotations["kubernetes.io/ingress.class"]; ok {
			field, have = "metadata.annotations[kubernetes.io/ingress.class]", old
		}
		if have == "" && len(allowed) > 0 || slices.Contains(allowed, have) {
			continue
		}
		j.ledger.Break(guarantee.CAP5, "IngressClassForbidden", fmt.Sprintf("%s names ingress class %q, and class %s allows %v: name one that it does", name(g), have, j.class.Name, allowed),
			analyze.About(j.snapshot, g, field, fmt.Sprintf("is %q", have)))
	}
	return count
}

func (j *judge) classEvidence(field string) guarantee.Evidence {
	key := snapshot.ObjectKey{Group: v1alpha1.GroupVersion.Group, Kind: "TenantClass", Name: j.class.Name}
	return analyze.AboutKey(j.snapshot, key, field, "says what is allowed")
}
