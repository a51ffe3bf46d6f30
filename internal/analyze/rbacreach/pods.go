package rbacreach

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// token is a Secret that holds a token of a ServiceAccount and never expires.
// https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
type token struct {
	namespace, name string
	account         placeID
}

// tokens are those that are seen.
type tokens struct {
	list []token
	in   map[string][]token
	// unseen is set where Secrets are not to be seen: a live cluster's are never read.
	unseen bool
}

func (w *world) readTokens() {
	w.tokens.in = map[string][]token{}
	seen := false
	for _, o := range w.s.Others {
		if o.GetKind() != "Secret" || o.GetAPIVersion() != "v1" {
			continue
		}
		seen = true
		name := o.GetAnnotations()[corev1.ServiceAccountNameKey]
		if o.Object["type"] != string(corev1.SecretTypeServiceAccountToken) || name == "" {
			continue
		}
		ns := o.GetNamespace()
		t := token{ns, o.GetName(), w.id(account(ns, name))}
		w.tokens.list = append(w.tokens.list, t)
		w.tokens.in[ns] = append(w.tokens.in[ns], t)
	}
	w.tokens.unseen = len(w.s.Missing("Secret")) > 0 || !seen && w.s.Origin == snapshot.OriginLive
}

// expandSecrets adds what is among the Secrets of a namespace.
func (w *world) expandSecrets(id placeID, ns string) {
	if ns == "" || ns == controlNamespace {
		w.add(id, w.controlPlane(), &cause{step: stepKubeSystem, object: namespaceKey(controlNamespace)})
		return
	}
	for _, t := range w.tokens.in[ns] {
		w.add(id, t.account, &cause{step: stepTokenSecret, field: "type",
			object: snapshot.ObjectKey{Kind: "Secret", Namespace: ns, Name: t.name}})
	}
	if !w.tokens.unseen {
		return
	}
	why := &cause{step: stepTokenMaybe, object: namespaceKey(ns)}
	for _, to := range w.accounts[ns] {
		w.add(id, to, why)
	}
}

// readPods adds the pods and the tokens that are mounted in them.
func (w *world) readPods() {
	accounts := map[snapshot.ObjectKey]*corev1.ServiceAccount{}
	for _, sa := range w.s.ServiceAccounts {
		accounts[snapshot.ObjectKey{Namespace: sa.Namespace, Name: sa.Name}] = sa
	}
	for _, pod := range w.s.Pods {
		id := w.id(analyze.Place{Kind: analyze.PlaceWorkload, Namespace: pod.Namespace, Name: pod.Name})
		w.pods[pod.Namespace] = append(w.pods[pod.Namespace], id)
		w.podsNamed[pod.Name] = append(w.podsNamed[pod.Name], id)
		m := mounts{w: w, pod: pod, id: id}
		m.object, m.path = snapshot.KeyOf(pod), "spec"
		if _, template, made := snapshot.Template(pod); made {
			m.path = template + ".spec"
		}
		m.account = w.id(account(pod.Namespace, runsAs(pod)))
		m.volumes()
		m.variables()
		if m.automounted(accounts[snapshot.ObjectKey{Namespace: pod.Namespace, Name: runsAs(pod)}]) {
			m.note(stepToken, "automountServiceAccountToken", m.account)
		}
	}
}

func runsAs(pod *corev1.Pod) string {
	switch {
	case pod.Spec.ServiceAccountName != "":
		return pod.Spec.ServiceAccountName
	case pod.Spec.DeprecatedServiceAccount != "":
		return pod.Spec.DeprecatedServiceAccount
	}
	return defaultAccount
}

// mounts looks for the tokens in one pod.
type mounts struct {
	w       *world
	pod     *corev1.Pod
	id      placeID
	account placeID
	object  snapshot.ObjectKey
	path    string
	// token is set once a token for the API server is found among the volumes.
	token bool
}

func (m *mounts) note(st *step, field string, to placeID) {
	m.w.add(m.id, to, &cause{step: st, object: m.object, field: m.path + "." + field})
}

// automounted reports whether the API server mounts a token that is not among the
// volumes yet: it has done so already where the pod is real.
// https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#opt-out-of-api-credential-automounting
func (m *mounts) automounted(sa *corev1.ServiceAccount) bool {
	switch {
	case m.token:
		return false
	case m.pod.Spec.AutomountServiceAccountToken != nil:
		return *m.pod.Spec.AutomountServiceAccountToken && !m.admitted()
	case sa != nil && sa.AutomountServiceAccountToken != nil:
		return *sa.AutomountServiceAccountToken && !m.admitted()
	}
	return !m.admitted()
}

// admitted reports whether a pod shows what admission made of it.
func (m *mounts) admitted() bool {
	return m.w.s.Origin == snapshot.OriginLive && !snapshot.Synthetic(m.pod)
}

func (m *mounts) volumes() {
	for i := range m.pod.Spec.Volumes {
		v := &m.pod.Spec.Volumes[i]
		field := "volumes[" + strconv.Itoa(i) + "]"
		if v.Secret != nil {
			m.secret(v.Secret.SecretName, field+".secret")
		}
		if v.Projected == nil {
			continue
		}
		for k := range v.Projected.Sources {
			src := &v.Projected.Sources[k]
			at := field + ".projected.sources[" + strconv.Itoa(k) + "]"
			if src.Secret != nil {
				m.secret(src.Secret.Name, at+".secret")
			}
			switch t := src.ServiceAccountToken; {
			case t == nil:
			case t.Audience != "":
				m.note(stepForeignToken, at+".serviceAccountToken", m.account)
			default:
				m.token = true
				m.note(stepToken, at+".serviceAccountToken", m.account)
			}
		}
	}
}

// variables looks for token Secrets in the containers' environment.
func (m *mounts) variables() {
	if len(m.w.tokens.in[m.pod.Namespace]) == 0 {
		return
	}
	m.environment("containers", m.pod.Spec.Containers)
	m.environment("initContainers", m.pod.Spec.InitContainers)
}

func (m *mounts) environment(list string, containers []corev1.Container) {
	for i := range containers {
		field := list + "[" + strconv.Itoa(i) + "]"
		for k, e := range containers[i].EnvFrom {
			if e.SecretRef != nil {
				m.secret(e.SecretRef.Name, field+".envFrom["+strconv.Itoa(k)+"]")
			}
		}
		for k, e := range containers[i].Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				m.secret(e.ValueFrom.SecretKeyRef.Name, field+".env["+strconv.Itoa(k)+"]")
			}
		}
	}
}

func (m *mounts) secret(name, field string) {
	for _, t := range m.w.tokens.in[m.pod.Namespace] {
		if t.name == name {
			m.note(stepTokenVolume, field, t.account)
		}
	}
}

// findFree finds a volume that is a path of a node and that no claim holds.
func (w *world) findFree() {
	for _, pv := range w.s.PersistentVolumes {
		if pv.Spec.ClaimRef == nil && (pv.Spec.HostPath != nil || pv.Spec.Local != nil) {
			w.free = pv
			return
		}
	}
}
