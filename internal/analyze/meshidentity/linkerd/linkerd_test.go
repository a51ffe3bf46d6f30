package linkerd

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/snapshot"
)

func object(t *testing.T, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := "{apiVersion: policy.linkerd.io/v1beta3, kind: " + kind + ", metadata: {namespace: a, name: " + name + "}, spec: " + spec + "}"
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return u
}

// TestAt: who may come to port 8080 (called http) of a/web.
func TestAt(t *testing.T) {
	const covering = "{podSelector: {matchLabels: {app: web}}, port: http}"
	type manifest struct{ kind, name, spec string }
	policy := func(target, refs string) manifest {
		return manifest{"AuthorizationPolicy", "p", "{targetRef: " + target + ", requiredAuthenticationRefs: [" + refs + "]}"}
	}
	const server, space = "{kind: Server, name: s}", "{kind: Namespace, name: a}"
	s := manifest{"Server", "s", covering}
	for name, c := range map[string]struct {
		annotations              map[string]string
		objects                  []manifest
		anonymous, client, other bool // no identity; b/client; c/other
		faults                   int
	}{
		"the cluster's default is not seen": {faults: 1},
		"deny":                              {annotations: map[string]string{defaultPolicy: "deny"}},
		"authenticated":                     {annotations: map[string]string{defaultPolicy: "all-authenticated"}, client: true, other: true},
		"unauthenticated":                   {annotations: map[string]string{defaultPolicy: "cluster-unauthenticated"}, anonymous: true, client: true, other: true},
		"an odd default":                    {annotations: map[string]string{defaultPolicy: "maybe"}, faults: 1},
		"a skipped port":                    {annotations: map[string]string{defaultPolicy: "deny", skipPorts: "22,8000-8100"}, anonymous: true, client: true, other: true},
		"a Server denies":                   {annotations: map[string]string{defaultPolicy: "all-unauthenticated"}, objects: []manifest{s}},
		"a Server of another port":          {annotations: map[string]string{defaultPolicy: "all-authenticated"}, objects: []manifest{{"Server", "s", "{podSelector: {}, port: 81}"}}, client: true, other: true},
		"a Server of other pods":            {annotations: map[string]string{defaultPolicy: "all-authenticated"}, objects: []manifest{{"Server", "s", "{podSelector: {matchLabels: {app: db}}, port: 8080}"}}, client: true, other: true},
		"a Server with an access policy":    {objects: []manifest{{"Server", "s", "{podSelector: {}, port: 8080, accessPolicy: all-unauthenticated}"}}, anonymous: true, client: true, other: true},
		"a ServiceAccount":                  {objects: []manifest{s, policy(server, "{kind: ServiceAccount, name: client, namespace: b}")}, client: true},
		"a ServiceAccount of its own":       {objects: []manifest{s, policy(server, "{kind: ServiceAccount, name: client}")}},
		"for the namespace":                 {objects: []manifest{s, policy(space, "{kind: ServiceAccount, name: client, namespace: b}")}, client: true},
		"for another Server":                {objects: []manifest{s, policy("{kind: Server, name: t}", "{kind: ServiceAccount, name: client, namespace: b}")}},
		"identities": {objects: []manifest{s, policy(server, "{kind: MeshTLSAuthentication, name: m}"),
			{"MeshTLSAuthentication", "m", "{identities: ['*.b.serviceaccount.identity.linkerd.cluster.local']}"}}, client: true},
		"an exact identity": {objects: []manifest{s, policy(server, "{kind: MeshTLSAuthentication, name: m}"),
			{"MeshTLSAuthentication", "m", "{identities: [client.b.serviceaccount.identity.linkerd.cluster.local]}"}}, client: true},
		"everybody": {objects: []manifest{s, policy(server, "{kind: MeshTLSAuthentication, name: m}"),
			{"MeshTLSAuthentication", "m", "{identities: ['*']}"}}, client: true, other: true},
		"a namespace by reference": {objects: []manifest{s, policy(server, "{kind: MeshTLSAuthentication, name: m}"),
			{"MeshTLSAuthentication", "m", "{identityRefs: [{kind: Namespace, name: c}]}"}}, other: true},
		"an address proves nothing":      {objects: []manifest{s, policy(server, "{kind: NetworkAuthentication, name: n}")}, anonymous: true, client: true, other: true},
		"an address and an identity":     {objects: []manifest{s, policy(server, "{kind: NetworkAuthentication, name: n}, {kind: ServiceAccount, name: client, namespace: b}")}, client: true},
		"an authentication that is gone": {objects: []manifest{s, policy(server, "{kind: MeshTLSAuthentication, name: m}")}, faults: 1},
		"an odd authentication":          {objects: []manifest{s, policy(server, "{kind: ServiceAccount, name: client, namespace: b}, {kind: Passport, name: p}")}, client: true, faults: 1},
		"a route's policy":               {objects: []manifest{s, {"HTTPRoute", "r", "{parentRefs: [{kind: Server, name: s}]}"}, policy("{kind: HTTPRoute, name: r}", "{kind: ServiceAccount, name: client, namespace: b}")}, client: true},
		"a ServerAuthorization":          {objects: []manifest{s, {"ServerAuthorization", "x", "{server: {name: s}, client: {meshTLS: {serviceAccounts: [{name: client, namespace: b}]}}}"}}, client: true},
		"one for no identity":            {objects: []manifest{s, {"ServerAuthorization", "x", "{server: {selector: {matchLabels: {}}}, client: {unauthenticated: true}}"}}, anonymous: true, client: true, other: true},
		"one for another Server":         {objects: []manifest{s, {"ServerAuthorization", "x", "{server: {name: t}, client: {unauthenticated: true}}"}}},
	} {
		picture := (&snapshot.Snapshot{}).With(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: c.annotations}})
		for _, o := range c.objects {
			picture = picture.With(object(t, o.kind, o.name, o.spec))
		}
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web", Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}},
		}
		got := In(picture).At(p, 8080)
		if got.Anonymous != c.anonymous || got.Admits("b", "client") != c.client || got.Admits("c", "other") != c.other || len(got.Faults) != c.faults {
			t.Errorf("%s: anonymous %v, client %v, other %v, faults %v", name, got.Anonymous, got.Admits("b", "client"), got.Admits("c", "other"), got.Faults)
		}
	}
}

func TestMeshed(t *testing.T) {
	notes := func(v string) map[string]string { return map[string]string{inject: v} }
	for name, c := range map[string]struct {
		space, own map[string]string
		container  string
		live, node bool
		want       bool
	}{
		"the container":      {container: proxy, live: true, want: true},
		"nothing":            {},
		"the namespace":      {space: notes("enabled"), want: true},
		"too late":           {space: notes("enabled"), live: true},
		"opted out":          {space: notes("enabled"), own: notes("disabled")},
		"opted in":           {own: notes("ingress"), want: true},
		"the node's network": {space: notes("enabled"), node: true},
	} {
		s := (&snapshot.Snapshot{}).With(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: c.space}})
		if c.live {
			s.Origin = snapshot.OriginLive
		}
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Annotations: c.own}, Spec: corev1.PodSpec{HostNetwork: c.node, Containers: []corev1.Container{{Name: c.container}}}}
		if got := In(s).Meshed(p); got != c.want {
			t.Errorf("%s: meshed is %v", name, got)
		}
	}
}
