package podsecurity

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// hostPaths judges KRN-4: no hostPath volume, no inline volume of a driver that mounts
// the node, and no claim whose volume is, or will be, a path or disk of a node.
func (j *judge) hostPaths() {
	j.eachPod(func(p *corev1.Pod) {
		for i, v := range p.Spec.Volumes {
			at := fmt.Sprintf("spec.volumes[%d]", i)
			if v.HostPath != nil {
				j.ledger.Break(guarantee.KRN4, "HostPathVolume", fmt.Sprintf("%s mounts %s of the node: use a PersistentVolumeClaim or an emptyDir", name(p), v.HostPath.Path),
					analyze.About(j.snapshot, p, at+".hostPath", "is "+v.HostPath.Path))
			}
		}
		j.inline(p)
	})
	j.provisioners()
	for _, ns := range j.namespaces {
		for _, pv := range j.storage.bound[ns] {
			if field, path := nodePath(pv); field != "" {
				j.ledger.Break(guarantee.KRN4, "HostPathPersistentVolume", fmt.Sprintf("PersistentVolume %s, bound by claim %s/%s, is %s of a node: bind another volume", pv.Name, ns, pv.Spec.ClaimRef.Name, path),
					analyze.About(j.snapshot, pv, field, "is "+path))
			}
		}
		for _, c := range j.storage.claims[ns] {
			j.claim(c)
		}
	}
	j.ledger.Needs([]guarantee.ID{guarantee.KRN4}, append(slices.Clone(podKinds), "PersistentVolume", "PersistentVolumeClaim", "StorageClass")...)
	j.ledger.Hold(guarantee.KRN4, "NoHostPath", fmt.Sprintf("none of its %d pods, and no volume that its claims are bound to, is a path of a node", j.pods),
		j.namespaceEvidence("", "no hostPath or local volume is used")...)
}

// claim looks at a claim that names a volume which is not bound yet.
func (j *judge) claim(c *corev1.PersistentVolumeClaim) {
	pv := j.storage.volumes[c.Spec.VolumeName]
	if pv == nil || pv.Spec.ClaimRef != nil {
		return
	}
	if field, path := nodePath(pv); field != "" {
		j.ledger.Break(guarantee.KRN4, "HostPathPersistentVolume", fmt.Sprintf("PersistentVolumeClaim %s/%s asks for PersistentVolume %s, which is %s of a node: ask for another volume", c.Namespace, c.Name, pv.Name, path),
			analyze.About(j.snapshot, c, "spec.volumeName", "names "+pv.Name), analyze.About(j.snapshot, pv, field, "is "+path))
	}
}

// nodePath is the field by which a volume is part of a node.
func nodePath(pv *corev1.PersistentVolume) (field, path string) {
	switch {
	case pv.Spec.HostPath != nil:
		return "spec.hostPath", "path " + pv.Spec.HostPath.Path
	case pv.Spec.Local != nil:
		return "spec.local", "local storage " + pv.Spec.Local.Path
	case pv.Spec.CSI != nil && slices.Contains(nodeDrivers, pv.Spec.CSI.Driver):
		return "spec.csi.driver", "directory (driver " + pv.Spec.CSI.Driver + ")"
	}
	return "", ""
}
