package podsecurity

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// nodeProvisioners make volumes that are paths or disks of a node. What others make is
// not known here, and taken for what the platform says it is.
var nodeProvisioners = []string{
	"rancher.io/local-path", "k8s.io/minikube-hostpath", "docker.io/hostpath", "microk8s.io/hostpath",
	"kubevirt.io/hostpath-provisioner", "kubevirt.io.hostpath-provisioner", "hostpath.csi.k8s.io",
	"openebs.io/local", "kubernetes.io/host-path", "kubernetes.io/no-provisioner",
}

// nodeDrivers are CSI drivers whose volumes are directories of the node.
var nodeDrivers = []string{"hostpath.csi.k8s.io", "kubevirt.io.hostpath-provisioner"}

// selfContained are CSI drivers whose inline volumes hold what the driver fetched, and
// nothing of the node (their own pages: Secrets Store, cert-manager, SPIFFE).
var selfContained = []string{"secrets-store.csi.k8s.io", "csi.cert-manager.io", "csi.spiffe.io"}

// inline judges volumes for which a driver on the node acts at the pod's own word: what
// it takes the attributes for is up to the driver (KEP-596; kubernetes.io: CSI ephemeral
// volumes, "CSI driver restrictions").
func (j *judge) inline(p *corev1.Pod) {
	for i, v := range p.Spec.Volumes {
		at := fmt.Sprintf("spec.volumes[%d]", i)
		switch {
		case v.CSI != nil && slices.Contains(nodeDrivers, v.CSI.Driver):
			j.ledger.Break(guarantee.KRN4, "InlineCSIVolume", fmt.Sprintf("%s mounts a directory of the node by inline volume of driver %s: use a PersistentVolumeClaim", name(p), v.CSI.Driver),
				analyze.About(j.snapshot, p, at+".csi.driver", "is "+v.CSI.Driver))
		case v.CSI != nil && !slices.Contains(selfContained, v.CSI.Driver):
			j.ledger.Doubt(guarantee.KRN4, "InlineCSIVolume", fmt.Sprintf("%s has an inline volume of driver %s, of which is not known what of the node it may mount: use a PersistentVolumeClaim", name(p), v.CSI.Driver),
				analyze.About(j.snapshot, p, at+".csi.driver", "is "+v.CSI.Driver))
		case v.FlexVolume != nil:
			j.ledger.Doubt(guarantee.KRN4, "FlexVolume", fmt.Sprintf("%s has a flexVolume of driver %s, a program of the node of which nothing is known: use a PersistentVolumeClaim", name(p), v.FlexVolume.Driver),
				analyze.About(j.snapshot, p, at+".flexVolume.driver", "is "+v.FlexVolume.Driver))
		case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil:
			j.provisioner(p, at+".ephemeral.volumeClaimTemplate.spec.", &v.Ephemeral.VolumeClaimTemplate.Spec)
		}
	}
}

// provisioners judges where the volumes of claims will come from, those of StatefulSets
// included; where a claim is bound, its volume is judged instead.
func (j *judge) provisioners() {
	for _, ns := range j.namespaces {
		for _, c := range j.storage.claims[ns] {
			if c.Spec.VolumeName == "" {
				j.provisioner(c, "spec.", &c.Spec)
			}
		}
		for _, set := range j.storage.sets[ns] {
			for i := range set.Spec.VolumeClaimTemplates {
				j.provisioner(set, fmt.Sprintf("spec.volumeClaimTemplates[%d].spec.", i), &set.Spec.VolumeClaimTemplates[i].Spec)
			}
		}
	}
}

// storage is the volumes of a snapshot: by name, and by the namespace of the claim that
// they are bound to; and the claims and StatefulSets by namespace.
type storage struct {
	volumes map[string]*corev1.PersistentVolume
	bound   map[string][]*corev1.PersistentVolume
	claims  map[string][]*corev1.PersistentVolumeClaim
	sets    map[string][]*appsv1.StatefulSet
	// free are the volumes on a node that no claim holds, by StorageClass.
	free map[string][]*corev1.PersistentVolume
}

func storageOf(s *snapshot.Snapshot) *storage {
	out := &storage{
		volumes: map[string]*corev1.PersistentVolume{}, bound: map[string][]*corev1.PersistentVolume{},
		claims: map[string][]*corev1.PersistentVolumeClaim{}, sets: map[string][]*appsv1.StatefulSet{},
		free: map[string][]*corev1.PersistentVolume{},
	}
	for _, pv := range s.PersistentVolumes {
		out.volumes[pv.Name] = pv
		if c := pv.Spec.ClaimRef; c != nil {
			out.bound[c.Namespace] = append(out.bound[c.Namespace], pv)
		} else if field, _ := nodePath(pv); field != "" {
			out.free[pv.Spec.StorageClassName] = append(out.free[pv.Spec.StorageClassName], pv)
		}
	}
	for _, c := range s.PersistentVolumeClaims {
		out.claims[c.Namespace] = append(out.claims[c.Namespace], c)
	}
	for _, w := range s.Workloads {
		if set, ok := w.Object.(*appsv1.StatefulSet); ok {
			out.sets[set.Namespace] = append(out.sets[set.Namespace], set)
		}
	}
	return out
}

// provisioner judges the StorageClass of a claim, if it is in the picture, and the free
// volumes of that class.
func (j *judge) provisioner(o snapshot.Object, path string, spec *corev1.PersistentVolumeClaimSpec) {
	i := slices.IndexFunc(j.snapshot.StorageClasses, func(c *storagev1.StorageClass) bool {
		if spec.StorageClassName == nil {
			return c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
		}
		return c.Name == *spec.StorageClassName
	})
	class := ""
	if spec.StorageClassName != nil {
		class = *spec.StorageClassName
	}
	if i >= 0 {
		at := j.snapshot.StorageClasses[i]
		class = at.Name
		if slices.Contains(nodeProvisioners, at.Provisioner) {
			j.ledger.Break(guarantee.KRN4, "HostPathStorageClass", fmt.Sprintf("%s gets a path or disk of a node by StorageClass %s (provisioner %s): name another class", snapshot.KeyOf(o), at.Name, at.Provisioner),
				analyze.About(j.snapshot, o, path+"storageClassName", "is "+at.Name), analyze.About(j.snapshot, at, "provisioner", "is "+at.Provisioner))
		}
	}
	for _, pv := range j.storage.free[class] {
		if !binds(spec, pv) {
			continue
		}
		field, what := nodePath(pv)
		j.ledger.Break(guarantee.KRN4, "HostPathPersistentVolumeFree", fmt.Sprintf("%s may be bound to PersistentVolume %s, which is %s of a node: delete the volume, set its claimRef, or name another class", snapshot.KeyOf(o), pv.Name, what),
			analyze.About(j.snapshot, o, path+"storageClassName", fmt.Sprintf("is %q, as that of the volume", class)), analyze.About(j.snapshot, pv, field, "is "+what))
		return // one says it
	}
}

// binds reports whether a claim may be bound to a free volume of its class. Sizes are
// left out: who asks for less gets it too.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
func binds(spec *corev1.PersistentVolumeClaimSpec, pv *corev1.PersistentVolume) bool {
	if spec.Selector != nil {
		selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
		if err != nil || !selector.Matches(labels.Set(pv.Labels)) {
			return false
		}
	}
	return !slices.ContainsFunc(spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool {
		return !slices.Contains(pv.Spec.AccessModes, m)
	})
}
