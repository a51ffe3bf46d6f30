package diff

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// unit is what a pod is one of: the workload that made it, or the pod itself. A rollout
// gives pods other names and leaves the unit, and a folder's workload is the unit of the
// pods that it has in a cluster.
type unit struct{ kind, namespace, name string }

func (u unit) String() string { return u.namespace + "/" + u.name }

// unitOf finds the unit of a pod.
func unitOf(p *corev1.Pod) unit {
	if owner, _, ok := snapshot.Template(p); ok {
		return unit{owner.Kind, p.Namespace, owner.Name}
	}
	o := metav1.GetControllerOf(p)
	if o == nil {
		return unit{"Pod", p.Namespace, p.Name}
	}
	// A Deployment's ReplicaSet is called after it and the hash of its template.
	hash := p.Labels["pod-template-hash"]
	if deployment, ok := strings.CutSuffix(o.Name, "-"+hash); ok && o.Kind == "ReplicaSet" && hash != "" {
		return unit{"Deployment", p.Namespace, deployment}
	}
	return unit{o.Kind, p.Namespace, o.Name}
}

// units are the units of a picture's pods, by the pods' names.
type units map[snapshot.ObjectKey]unit

func unitsOf(s *snapshot.Snapshot) units {
	out := units{}
	for _, p := range s.Pods {
		if _, _, made := snapshot.Template(p); !made {
			out[snapshot.ObjectKey{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}] = unitOf(p)
		}
	}
	return out
}

// lasting names the unit in place of a pod, and the field in its template.
func (u units) lasting(e *guarantee.Evidence) {
	if e.Object.Kind != "Pod" {
		return
	}
	made, ok := u[snapshot.ObjectKey{Kind: "Pod", Namespace: e.Object.Namespace, Name: e.Object.Name}]
	if !ok || made.kind == "Pod" {
		return
	}
	e.Object.Kind, e.Object.Name = made.kind, made.name
	if strings.HasPrefix(e.Field, "spec.") || e.Field == "spec" {
		e.Field = "spec.template." + e.Field
	}
}
