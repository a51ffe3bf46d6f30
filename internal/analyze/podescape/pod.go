package podescape

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/podescape/sandbox"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// subject is a pod as the rules look at it.
type subject struct {
	snapshot   *snapshot.Snapshot
	pod        *corev1.Pod
	sandbox    sandbox.Sandbox
	containers []container
	mounts     []mount
	// mapped is true where the pod has a user namespace of its own (hostUsers: false).
	mapped bool
}

// container is a container of any kind, and where it stands in the spec.
type container struct {
	*corev1.Container
	at string
}

// spot is a place in an object that gives a way out.
type spot struct {
	evidence guarantee.Evidence
	// weak says what more this spot needs; empty: nothing.
	weak string
	// effect and guarantee take the place of the rule's.
	effect    string
	guarantee guarantee.ID
}

func containersOf(p *corev1.Pod) []container {
	var out []container
	for _, c := range analyze.Containers(p) {
		out = append(out, container{c.Container, c.Field})
	}
	return out
}

// about is evidence about the pod.
func (t *subject) about(field, detail string) guarantee.Evidence {
	return analyze.About(t.snapshot, t.pod, field, detail)
}

// one is a single spot.
func (t *subject) one(field, detail string) []spot {
	return []spot{{evidence: t.about(field, detail)}}
}

// each asks every container; the answer is the field inside it, what it holds, and what
// more it needs.
func (t *subject) each(ask func(container) (field, detail, weak string)) []spot {
	var out []spot
	for _, c := range t.containers {
		if field, detail, weak := ask(c); field != "" {
			out = append(out, spot{evidence: t.about(c.at+"."+field, detail+" in container "+c.Name), weak: weak})
		}
	}
	return out
}

func (c container) privileged() bool {
	return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
}

// adds returns the entry of capabilities.add that gives one of the capabilities.
func (c container) adds(names ...string) string {
	if c.SecurityContext == nil || c.SecurityContext.Capabilities == nil {
		return ""
	}
	for _, added := range c.SecurityContext.Capabilities.Add {
		bare := strings.TrimPrefix(strings.ToUpper(string(added)), "CAP_")
		if bare == "ALL" || slices.Contains(names, bare) {
			return bare
		}
	}
	return ""
}

// can reports whether a container has one of the capabilities.
func (c container) can(names ...string) bool { return c.privileged() || c.adds(names...) != "" }

// drops reports whether a capability of the runtime's default set is taken away.
func (c container) drops(name string) bool {
	if c.SecurityContext == nil || c.SecurityContext.Capabilities == nil {
		return false
	}
	return slices.ContainsFunc(c.SecurityContext.Capabilities.Drop, func(d corev1.Capability) bool {
		bare := strings.TrimPrefix(strings.ToUpper(string(d)), "CAP_")
		return bare == "ALL" || bare == name
	})
}

// notRoot says what a container needs to become root, "" where it may be root from the
// start: an image decides who it runs as, unless the spec does.
func (t *subject) notRoot(c container) string {
	var user *int64
	var nonRoot *bool
	if sc := t.pod.Spec.SecurityContext; sc != nil {
		user, nonRoot = sc.RunAsUser, sc.RunAsNonRoot
	}
	escalates := true
	if sc := c.SecurityContext; sc != nil {
		if sc.RunAsUser != nil {
			user = sc.RunAsUser
		}
		if sc.RunAsNonRoot != nil {
			nonRoot = sc.RunAsNonRoot
		}
		escalates = sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation
	}
	switch {
	case c.privileged(), user != nil && *user == 0, user == nil && (nonRoot == nil || !*nonRoot):
		return ""
	case escalates:
		return "its user, who is not root, finds a setuid program"
	}
	return "its user, who is not root and cannot become it, may open the file"
}
