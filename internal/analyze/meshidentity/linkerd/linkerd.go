// Package linkerd works out what Linkerd's policies mean for a pod: who is let in at each
// port, as Linkerd's page "Authorization Policy" says. It looks at connections only, not
// at routes; what it does not understand it names. It judges no tenant.
package linkerd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/snapshot"
)

const group = "policy.linkerd.io"

// Mesh is what a snapshot says of its mesh.
type Mesh struct {
	snapshot *snapshot.Snapshot
	servers  map[string][]*server
	// by kind, then "namespace/name".
	objects map[string]map[string]*unstructured.Unstructured
	// policies and legacy (ServerAuthorization) by namespace, in order of name.
	policies, legacy map[string][]*unstructured.Unstructured
}

// server is a Server: a port of pods that has policies of its own.
type server struct {
	object   *unstructured.Unstructured
	selector labels.Selector
	port     string
	access   string
}

// In reads the mesh of a snapshot.
func In(s *snapshot.Snapshot) *Mesh {
	m := &Mesh{
		snapshot: s, servers: map[string][]*server{}, objects: map[string]map[string]*unstructured.Unstructured{},
		policies: map[string][]*unstructured.Unstructured{}, legacy: map[string][]*unstructured.Unstructured{},
	}
	for _, u := range s.Others {
		if u.GroupVersionKind().Group != group {
			continue
		}
		ns, kind := spaceOf(u), u.GetKind()
		if m.objects[kind] == nil {
			m.objects[kind] = map[string]*unstructured.Unstructured{}
		}
		m.objects[kind][ns+"/"+u.GetName()] = u
		switch kind {
		case "Server":
			m.servers[ns] = append(m.servers[ns], readServer(u))
		case "AuthorizationPolicy":
			m.policies[ns] = append(m.policies[ns], u)
		case "ServerAuthorization":
			m.legacy[ns] = append(m.legacy[ns], u)
		}
	}
	byName := func(a, b *unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) }
	for ns := range m.policies {
		slices.SortFunc(m.policies[ns], byName)
	}
	for ns := range m.legacy {
		slices.SortFunc(m.legacy[ns], byName)
	}
	return m
}

func spaceOf(u *unstructured.Unstructured) string { return cmp.Or(u.GetNamespace(), "default") }

func readServer(u *unstructured.Unstructured) *server {
	s := &server{object: u, selector: labels.Nothing()}
	if body, ok, _ := unstructured.NestedMap(u.Object, "spec", "podSelector"); ok {
		var selector metav1.LabelSelector
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(body, &selector); err == nil {
			if made, err := metav1.LabelSelectorAsSelector(&selector); err == nil {
				s.selector = made
			}
		}
	}
	spec, _, _ := unstructured.NestedMap(u.Object, "spec")
	switch port := spec["port"].(type) {
	case string:
		s.port = port
	case int64:
		s.port = strconv.FormatInt(port, 10)
	case float64:
		s.port = strconv.Itoa(int(port))
	}
	s.access, _ = spec["accessPolicy"].(string)
	return s
}

const (
	inject        = "linkerd.io/inject"
	defaultPolicy = "config.linkerd.io/default-inbound-policy"
	skipPorts     = "config.linkerd.io/skip-inbound-ports"
	proxy         = "linkerd-proxy"
)

// Meshed reports whether a pod has a proxy: on a live cluster by the container, for a
// manifest by what the annotations make injection do (Linkerd: Automatic Proxy Injection).
func (m *Mesh) Meshed(p *corev1.Pod) bool {
	has := func(c corev1.Container) bool { return c.Name == proxy }
	if slices.ContainsFunc(p.Spec.Containers, has) || slices.ContainsFunc(p.Spec.InitContainers, has) {
		return true
	}
	if m.snapshot.Origin == snapshot.OriginLive || p.Spec.HostNetwork {
		return false
	}
	mode := m.annotation(p, inject)
	return mode == "enabled" || mode == "ingress"
}

// annotation is the pod's, else its namespace's.
func (m *Mesh) annotation(p *corev1.Pod, key string) string {
	if v, ok := p.Annotations[key]; ok {
		return v
	}
	if ns := m.snapshot.Namespace(p.Namespace); ns != nil {
		return ns.Annotations[key]
	}
	return ""
}

// covers reports whether a Server is for a port of a pod; its name is looked up in the
// pod's containers.
func (s *server) covers(p *corev1.Pod, port int32) bool {
	if !s.selector.Matches(labels.Set(p.Labels)) {
		return false
	}
	if s.port == strconv.Itoa(int(port)) {
		return true
	}
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.Name == s.port && cp.ContainerPort == port {
				return true
			}
		}
	}
	return false
}

// skipped reports whether a port passes the proxy by.
func (m *Mesh) skipped(p *corev1.Pod, port int32) bool {
	for text := range strings.SplitSeq(m.annotation(p, skipPorts), ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(text), "-")
		if !isRange {
			high = low
		}
		first, errFirst := strconv.Atoi(low)
		last, errLast := strconv.Atoi(high)
		if errFirst == nil && errLast == nil && first <= int(port) && int(port) <= last {
			return true
		}
	}
	return false
}

// Skips reports whether any port of a pod passes its proxy by.
func (m *Mesh) Skips(p *corev1.Pod) bool {
	return strings.TrimSpace(m.annotation(p, skipPorts)) != ""
}
