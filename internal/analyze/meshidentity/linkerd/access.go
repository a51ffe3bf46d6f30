package linkerd

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/snapshot"
)

// Access is who is let in at a port.
type Access struct {
	// Anonymous is true where no identity need be shown.
	Anonymous bool
	// Everybody is true where any identity of the mesh will do.
	Everybody bool
	// identities are names of the mesh ("*.b.serviceaccount.identity.…"), spaces are
	// namespaces, and accounts "namespace/name".
	identities, spaces, accounts []string
	// Faults name what is not understood or not seen.
	Faults []string
	// By is the object that decides; nil where it is an annotation or the default.
	By *unstructured.Unstructured
	// Reason in words.
	Reason string
}

// Port is the port that no Server names.
const Port int32 = 0

// identitySuffix is what every workload's identity ends with, in a mesh of default
// settings (control plane in namespace linkerd, trust domain cluster.local).
const identitySuffix = ".serviceaccount.identity.linkerd.cluster.local"

// Admits reports whether a ServiceAccount with a proxy is let in.
func (a Access) Admits(namespace, account string) bool {
	if a.Anonymous || a.Everybody || slices.Contains(a.spaces, namespace) || slices.Contains(a.accounts, namespace+"/"+account) {
		return true
	}
	id := account + "." + namespace + identitySuffix
	return slices.ContainsFunc(a.identities, func(pattern string) bool {
		rest, wild := strings.CutPrefix(pattern, "*")
		return pattern == id || wild && strings.HasSuffix(id, rest)
	})
}

// At is who is let in at a port of a pod: by the Server that covers it, with the policies
// that target it or its namespace, else by the default policy.
func (m *Mesh) At(p *corev1.Pod, port int32) Access {
	a := Access{}
	if port != Port && m.skipped(p, port) {
		return Access{Anonymous: true, Reason: "the port passes the proxy by (" + skipPorts + ")"}
	}
	i := slices.IndexFunc(m.servers[p.Namespace], func(s *server) bool { return port != Port && s.covers(p, port) })
	if i < 0 {
		policy := m.annotation(p, defaultPolicy)
		if policy == "" {
			a.Reason = "the cluster's default policy is not seen"
			a.fault("no annotation %s on the pod or its namespace: the cluster's default policy holds, which is not in the picture", defaultPolicy)
			return a
		}
		a.Reason = "its default policy is " + policy
		a.level(policy)
		return a
	}
	s := m.servers[p.Namespace][i]
	a.By, a.Reason = s.object, "Server "+s.object.GetName()+" covers the port"
	if s.access != "" {
		a.level(s.access)
	}
	for _, u := range m.policies[p.Namespace] {
		if m.targets(u, s, p.Namespace) {
			m.grant(&a, u)
		}
	}
	for _, u := range m.legacy[p.Namespace] {
		m.grantLegacy(&a, u, s)
	}
	return a
}

func (a *Access) fault(format string, args ...any) {
	a.Faults = append(a.Faults, fmt.Sprintf(format, args...))
}

// level applies a default or access policy.
func (a *Access) level(policy string) {
	switch policy {
	case "deny":
	case "all-authenticated", "cluster-authenticated":
		a.Everybody = true
	case "all-unauthenticated", "cluster-unauthenticated", "audit":
		a.Anonymous = true
	default:
		a.fault("policy %q is not understood", policy)
	}
}

// targets reports whether a policy is for a Server, or for all of its namespace. One for
// a route lets requests in on the Server too: it is counted for those that name it.
func (m *Mesh) targets(u *unstructured.Unstructured, s *server, namespace string) bool {
	kind, _, _ := unstructured.NestedString(u.Object, "spec", "targetRef", "kind")
	name, _, _ := unstructured.NestedString(u.Object, "spec", "targetRef", "name")
	switch kind {
	case "Server":
		return name == s.object.GetName()
	case "Namespace":
		return name == namespace
	}
	route := m.objects[kind][namespace+"/"+name]
	if route == nil {
		return false
	}
	parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	return slices.ContainsFunc(parents, func(p any) bool {
		ref, _ := p.(map[string]any)
		return ref["kind"] == "Server" && ref["name"] == s.object.GetName()
	})
}

// grant adds what a policy lets in: who meets all of the authentications it requires.
func (m *Mesh) grant(a *Access, u *unstructured.Unstructured) {
	refs, _, _ := unstructured.NestedSlice(u.Object, "spec", "requiredAuthenticationRefs")
	var found Access
	tls := 0
	for _, r := range refs {
		ref, _ := r.(map[string]any)
		kind, _ := ref["kind"].(string)
		name, _ := ref["name"].(string)
		ns, _ := ref["namespace"].(string)
		if ns == "" {
			ns = spaceOf(u)
		}
		switch kind {
		case "ServiceAccount":
			tls++
			found.accounts = append(found.accounts, ns+"/"+name)
		case "MeshTLSAuthentication":
			tls++
			if auth := m.objects[kind][ns+"/"+name]; auth != nil {
				found.authentication(auth)
			} else {
				a.fault("%s requires MeshTLSAuthentication %s/%s, which is not there", snapshot.KeyOf(u), ns, name)
			}
		case "NetworkAuthentication": // narrows by address, which proves nothing
		default:
			a.fault("%s requires %s %s, which is not understood", snapshot.KeyOf(u), kind, name)
		}
	}
	if tls > 1 {
		a.fault("%s requires several identities at once, which is not evaluated", snapshot.KeyOf(u))
	}
	found.Anonymous = tls == 0
	a.join(found, u)
}

// join adds another's grants; the object that opens the door widest decides.
func (a *Access) join(b Access, by *unstructured.Unstructured) {
	if b.Anonymous && !a.Anonymous || b.Everybody && !a.Everybody && !a.Anonymous || a.By != nil && a.By.GetKind() == "Server" {
		a.By, a.Reason = by, snapshot.KeyOf(by).String()+" lets it in"
	}
	a.Anonymous, a.Everybody = a.Anonymous || b.Anonymous, a.Everybody || b.Everybody
	a.identities = append(a.identities, b.identities...)
	a.spaces = append(a.spaces, b.spaces...)
	a.accounts = append(a.accounts, b.accounts...)
	a.Faults = append(a.Faults, b.Faults...)
}

// authentication reads a MeshTLSAuthentication.
func (a *Access) authentication(u *unstructured.Unstructured) {
	identities, _, err := unstructured.NestedStringSlice(u.Object, "spec", "identities")
	if err != nil {
		a.fault("%s has identities that cannot be read", snapshot.KeyOf(u))
	}
	for _, id := range identities {
		if id == "*" {
			a.Everybody = true
		}
		a.identities = append(a.identities, id)
	}
	refs, _, _ := unstructured.NestedSlice(u.Object, "spec", "identityRefs")
	for _, r := range refs {
		ref, _ := r.(map[string]any)
		kind, _ := ref["kind"].(string)
		name, _ := ref["name"].(string)
		ns, _ := ref["namespace"].(string)
		if ns == "" {
			ns = spaceOf(u)
		}
		switch kind {
		case "ServiceAccount":
			a.accounts = append(a.accounts, ns+"/"+name)
		case "Namespace":
			a.spaces = append(a.spaces, name)
		default:
			a.fault("%s refers to %s %s, which is not understood", snapshot.KeyOf(u), kind, name)
		}
	}
}

// grantLegacy adds what a ServerAuthorization lets in at its Servers.
func (m *Mesh) grantLegacy(a *Access, u *unstructured.Unstructured, s *server) {
	name, named, _ := unstructured.NestedString(u.Object, "spec", "server", "name")
	if named && name != s.object.GetName() || !named && !selected(u, s) {
		return
	}
	var found Access
	found.Anonymous, _, _ = unstructured.NestedBool(u.Object, "spec", "client", "unauthenticated")
	tls, _, _ := unstructured.NestedMap(u.Object, "spec", "client", "meshTLS")
	if without, _ := tls["unauthenticatedTLS"].(bool); without {
		found.Anonymous = true
	}
	identities, _, _ := unstructured.NestedStringSlice(tls, "identities")
	found.identities = identities
	found.Everybody = slices.Contains(identities, "*")
	accounts, _, _ := unstructured.NestedSlice(tls, "serviceAccounts")
	for _, item := range accounts {
		account, _ := item.(map[string]any)
		who, _ := account["name"].(string)
		ns, _ := account["namespace"].(string)
		if ns == "" {
			ns = spaceOf(u)
		}
		found.accounts = append(found.accounts, ns+"/"+who)
	}
	a.join(found, u)
}

func selected(u *unstructured.Unstructured, s *server) bool {
	body, ok, _ := unstructured.NestedMap(u.Object, "spec", "server", "selector")
	var selector metav1.LabelSelector
	if !ok || runtime.DefaultUnstructuredConverter.FromUnstructured(body, &selector) != nil {
		return false
	}
	made, err := metav1.LabelSelectorAsSelector(&selector)
	return err == nil && made.Matches(labels.Set(s.object.GetLabels()))
}
