package capacity

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// limited are the resources that every container must have a limit for.
var limited = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}

// containers judges CAP-2: a LimitRange bounds what names no limits, or a quota demands
// limits, or every container names its own.
func (j *judge) containers() {
	for _, ns := range j.namespaces {
		missing := j.noDefault(ns)
		unbounded := 0
		for _, p := range j.snapshot.PodsIn(ns) {
			unbounded += j.unbounded(p, missing)
		}
		if len(missing) == 0 || len(j.snapshot.PodsIn(ns)) > 0 && unbounded == 0 {
			continue
		}
		about := analyze.AboutNamespace(j.snapshot, ns, "has no LimitRange with container defaults")
		if list := j.limits[ns]; len(list) > 0 {
			about = analyze.About(j.snapshot, list[0], "spec.limits", "has no default for "+join(missing))
		}
		j.ledger.Break(guarantee.CAP2, "LimitRangeMissing", fmt.Sprintf("namespace %s gives a container that names no limits none for %s: add a LimitRange with defaults", ns, join(missing)), about)
	}
	j.ledger.Hold(guarantee.CAP2, "Bounded", fmt.Sprintf("every container in its %d namespaces has a limit for cpu, memory and ephemeral storage, by its spec or a LimitRange", len(j.namespaces)),
		j.limitEvidence()...)
}

// noDefault lists the resources for which neither a LimitRange gives a default nor a
// quota demands a limit.
func (j *judge) noDefault(namespace string) []corev1.ResourceName {
	if !j.ledger.Complete("LimitRange") || !j.ledger.Complete("ResourceQuota") {
		return nil
	}
	var missing []corev1.ResourceName
	for _, r := range limited {
		byRange := slices.ContainsFunc(j.limits[namespace], func(l *corev1.LimitRange) bool {
			return slices.ContainsFunc(l.Spec.Limits, func(i corev1.LimitRangeItem) bool {
				_, ok := i.Default[r]
				return ok && i.Type == corev1.LimitTypeContainer
			})
		})
		if _, byQuota := j.boundOf(namespace, "limits."+r); !byRange && !byQuota {
			missing = append(missing, r)
		}
	}
	return missing
}

// unbounded reports the containers of a pod that have no limit, nor will be given one. A
// pod that runs has been given all it will get.
func (j *judge) unbounded(p *corev1.Pod, missing []corev1.ResourceName) int {
	if j.snapshot.Origin == snapshot.OriginLive {
		missing = limited
	}
	count := 0
	for _, list := range []struct {
		path       string
		containers []corev1.Container
	}{{"spec.initContainers", p.Spec.InitContainers}, {"spec.containers", p.Spec.Containers}} {
		for i, c := range list.containers {
			without := noLimit(p, &c, missing)
			if len(without) == 0 {
				continue
			}
			count++
			j.ledger.Break(guarantee.CAP2, "ContainerUnbounded", fmt.Sprintf("container %s of %s has no limit for %s: set resources.limits", c.Name, name(p), join(without)),
				analyze.About(j.snapshot, p, fmt.Sprintf("%s[%d].resources.limits", list.path, i), "does not name "+join(without)))
		}
	}
	return count
}

func noLimit(p *corev1.Pod, c *corev1.Container, wanted []corev1.ResourceName) []corev1.ResourceName {
	var without []corev1.ResourceName
	for _, r := range wanted {
		_, own := c.Resources.Limits[r]
		whole := false
		if p.Spec.Resources != nil {
			_, whole = p.Spec.Resources.Limits[r]
		}
		if !own && !whole {
			without = append(without, r)
		}
	}
	return without
}

func (j *judge) limitEvidence() []guarantee.Evidence {
	const most = 8
	var out []guarantee.Evidence
	for _, ns := range j.namespaces {
		for _, l := range j.limits[ns] {
			if len(out) < most {
				out = append(out, analyze.About(j.snapshot, l, "spec.limits", "gives containers default limits"))
			}
		}
	}
	return out
}

func join(list []corev1.ResourceName) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
