package podescape

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"watertight.dev/watertight/internal/snapshot"
)

// volumes finds the volumes that claims are bound to.
type volumes struct {
	byName  map[string]*corev1.PersistentVolume
	byClaim map[string]*corev1.PersistentVolume
	claims  map[string]*corev1.PersistentVolumeClaim
	// free are the volumes that no claim holds, by StorageClass, in the order in which
	// they are handed out: the smallest first.
	free map[string][]*corev1.PersistentVolume
	// byDefault is the StorageClass of a claim that names none.
	byDefault string
}

func volumesOf(s *snapshot.Snapshot) *volumes {
	out := &volumes{
		byName: map[string]*corev1.PersistentVolume{}, byClaim: map[string]*corev1.PersistentVolume{},
		claims: map[string]*corev1.PersistentVolumeClaim{}, free: map[string][]*corev1.PersistentVolume{},
	}
	for _, pv := range s.PersistentVolumes {
		out.byName[pv.Name] = pv
		if c := pv.Spec.ClaimRef; c != nil {
			out.byClaim[c.Namespace+"/"+c.Name] = pv
		} else {
			out.free[pv.Spec.StorageClassName] = append(out.free[pv.Spec.StorageClassName], pv)
		}
	}
	for _, list := range out.free {
		slices.SortStableFunc(list, func(a, b *corev1.PersistentVolume) int {
			return cmp.Or(a.Spec.Capacity.Storage().Cmp(*b.Spec.Capacity.Storage()), cmp.Compare(a.Name, b.Name))
		})
	}
	for _, c := range s.PersistentVolumeClaims {
		out.claims[c.Namespace+"/"+c.Name] = c
	}
	for _, c := range s.StorageClasses {
		if c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" {
			out.byDefault = c.Name
		}
	}
	return out
}

// bound is the volume that a claim has, asks for by name or will get, or nil. A volume
// that names another claim is not to be had.
func (v *volumes) bound(namespace, claim string) *corev1.PersistentVolume {
	if pv := v.byClaim[namespace+"/"+claim]; pv != nil {
		return pv
	}
	c := v.claims[namespace+"/"+claim]
	if c == nil {
		return nil
	}
	if c.Spec.VolumeName != "" {
		if pv := v.byName[c.Spec.VolumeName]; pv != nil && pv.Spec.ClaimRef == nil {
			return pv
		}
		return nil
	}
	return v.handedOut(&c.Spec)
}

// handedOut is the free volume that a claim gets: the smallest that is large enough, of
// its class, with its labels and modes.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
func (v *volumes) handedOut(spec *corev1.PersistentVolumeClaimSpec) *corev1.PersistentVolume {
	class, selector := v.byDefault, labels.Everything()
	if spec.StorageClassName != nil {
		class = *spec.StorageClassName
	}
	if spec.Selector != nil {
		var err error
		if selector, err = metav1.LabelSelectorAsSelector(spec.Selector); err != nil {
			return nil
		}
	}
	for _, pv := range v.free[class] {
		lacks := slices.ContainsFunc(spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool {
			return !slices.Contains(pv.Spec.AccessModes, m)
		})
		if !lacks && selector.Matches(labels.Set(pv.Labels)) && pv.Spec.Capacity.Storage().Cmp(*spec.Resources.Requests.Storage()) >= 0 {
			return pv
		}
	}
	return nil
}
