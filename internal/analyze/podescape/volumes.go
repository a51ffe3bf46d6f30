package podescape

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// mount is a path of the node inside a container.
type mount struct {
	container container
	// path on the node, cleaned.
	path     string
	readOnly bool
	// device is true where the volume is given as a block or character device.
	device   bool
	evidence guarantee.Evidence
	// guarantee that it breaks: KRN-1 forbids hostPath in the pod, KRN-4 any other road.
	guarantee guarantee.ID
}

// root is a volume's path on the node.
type root struct {
	path      string
	readOnly  bool
	device    bool
	evidence  guarantee.Evidence
	guarantee guarantee.ID
}

// mounts lists what of the node is mounted into the pod's containers. A volume that no
// container mounts is out of an attacker's reach.
func (v *volumes) mounts(t *subject) []mount {
	roots := map[string]root{}
	for i := range t.pod.Spec.Volumes {
		if r, ok := v.root(t, i); ok {
			roots[t.pod.Spec.Volumes[i].Name] = r
		}
	}
	var out []mount
	for _, c := range t.containers {
		for _, m := range c.VolumeMounts {
			if r, ok := roots[m.Name]; ok { // what subPathExpr expands to is below the root
				out = append(out, mount{c, path.Join(r.path, m.SubPath), r.readOnly || m.ReadOnly, r.device, r.evidence, r.guarantee})
			}
		}
		for _, d := range c.VolumeDevices {
			if r, ok := roots[d.Name]; ok {
				out = append(out, mount{c, r.path, r.readOnly, true, r.evidence, r.guarantee})
			}
		}
	}
	return out
}

func (v *volumes) root(t *subject, i int) (root, bool) {
	vol := &t.pod.Spec.Volumes[i]
	at := fmt.Sprintf("spec.volumes[%d].", i)
	switch {
	case vol.HostPath != nil:
		kind := corev1.HostPathUnset
		if vol.HostPath.Type != nil {
			kind = *vol.HostPath.Type
		}
		device := kind == corev1.HostPathBlockDev || kind == corev1.HostPathCharDev
		p := clean(vol.HostPath.Path)
		return root{p, false, device, t.about(at+"hostPath", "is "+p), guarantee.KRN1}, true
	case vol.PersistentVolumeClaim != nil:
		return t.claimed(v.bound(t.pod.Namespace, vol.PersistentVolumeClaim.ClaimName), vol.PersistentVolumeClaim.ReadOnly)
	case vol.Ephemeral != nil: // the claim has the pod's name and the volume's
		return t.claimed(v.bound(t.pod.Namespace, t.pod.Name+"-"+vol.Name), false)
	}
	return root{}, false
}

// claimed is the path of a PersistentVolume that is a part of its node.
func (t *subject) claimed(pv *corev1.PersistentVolume, readOnly bool) (root, bool) {
	switch {
	case pv == nil:
	case pv.Spec.HostPath != nil:
		p := clean(pv.Spec.HostPath.Path)
		return root{p, readOnly, false, analyze.About(t.snapshot, pv, "spec.hostPath", "is "+p), guarantee.KRN4}, true
	case pv.Spec.Local != nil:
		p := clean(pv.Spec.Local.Path)
		return root{p, readOnly, false, analyze.About(t.snapshot, pv, "spec.local", "is "+p), guarantee.KRN4}, true
	}
	return root{}, false
}

// clean makes a path absolute; /var/run is /run on every current distribution.
func clean(p string) string {
	p = path.Clean("/" + cmp.Or(p, "/"))
	if rest, ok := strings.CutPrefix(p, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return p
}

// within reports whether a path is a folder or below it.
func within(p, folder string) bool {
	return folder == "/" || p == folder || strings.HasPrefix(p, folder+"/")
}

// exposes reports whether a mounted path is, holds or is inside one of the folders.
func exposes(p string, folders []string) bool {
	for _, f := range folders {
		if within(p, f) || within(f, p) {
			return true
		}
	}
	return false
}
