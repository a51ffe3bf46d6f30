package services

import (
	"iter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// podIndex is pods of a namespace, by label.
type podIndex struct {
	all   []*corev1.Pod
	label map[[2]string][]*corev1.Pod
}

func indexPods(pods []*corev1.Pod, wanted func(*corev1.Pod) bool) *podIndex {
	x := &podIndex{label: map[[2]string][]*corev1.Pod{}}
	for _, p := range pods {
		if finished(p) || !wanted(p) {
			continue
		}
		x.all = append(x.all, p)
		for k, v := range p.Labels {
			x.label[[2]string{k, v}] = append(x.label[[2]string{k, v}], p)
		}
	}
	return x
}

// onHost are the pods of a namespace that are on the host's network.
func (p *picture) onHost(n *space) *podIndex {
	if n.onHost == nil {
		n.onHost = indexPods(p.snapshot.PodsIn(n.name), func(pod *corev1.Pod) bool { return pod.Spec.HostNetwork })
	}
	return n.onHost
}

// podsOf are all pods of a namespace.
func (p *picture) podsOf(n *space) *podIndex {
	if n.pods == nil {
		n.pods = indexPods(p.snapshot.PodsIn(n.name), func(*corev1.Pod) bool { return true })
	}
	return n.pods
}

// behind yields those of the pods that a Service selects, ready or not; a Service without
// selector selects none. It looks through the shortest list of those that share a label.
func (x *podIndex) behind(s *corev1.Service) iter.Seq2[int, *corev1.Pod] {
	return func(yield func(int, *corev1.Pod) bool) {
		if len(s.Spec.Selector) == 0 || s.Spec.Type == corev1.ServiceTypeExternalName {
			return
		}
		fewest := x.all
		for k, v := range s.Spec.Selector {
			if list := x.label[[2]string{k, v}]; len(list) < len(fewest) {
				fewest = list
			}
		}
		selector := labels.SelectorFromSet(s.Spec.Selector)
		for i, p := range fewest {
			if selector.Matches(labels.Set(p.Labels)) && !yield(i, p) {
				return
			}
		}
	}
}
