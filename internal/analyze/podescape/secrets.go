package podescape

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// secretOf finds the first Secret that a pod uses, and where: those are what the Node
// authorizer lets a kubelet read.
func secretOf(p *corev1.Pod) (field, name string) {
	for i, v := range p.Spec.Volumes {
		at := fmt.Sprintf("spec.volumes[%d]", i)
		if v.Secret != nil {
			return at + ".secret", v.Secret.SecretName
		}
		if v.Projected == nil {
			continue
		}
		for k, source := range v.Projected.Sources {
			if source.Secret != nil {
				return fmt.Sprintf("%s.projected.sources[%d].secret", at, k), source.Secret.Name
			}
		}
	}
	for _, c := range containersOf(p) {
		for i, e := range c.EnvFrom {
			if e.SecretRef != nil {
				return fmt.Sprintf("%s.envFrom[%d].secretRef", c.at, i), e.SecretRef.Name
			}
		}
		for i, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				return fmt.Sprintf("%s.env[%d].valueFrom.secretKeyRef", c.at, i), e.ValueFrom.SecretKeyRef.Name
			}
		}
	}
	for i, s := range p.Spec.ImagePullSecrets {
		return fmt.Sprintf("spec.imagePullSecrets[%d]", i), s.Name
	}
	return "", ""
}
