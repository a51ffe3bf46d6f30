package istio

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/snapshot"
)

// object reads a manifest of one line.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return u
}

// peer is a PeerAuthentication of namespace/name, of an age in minutes.
func peer(t *testing.T, key, spec string, minute int) *unstructured.Unstructured {
	ns, name, _ := strings.Cut(key, "/")
	u := object(t, "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {namespace: "+ns+", name: "+name+"}, spec: "+spec+"}")
	u.SetCreationTimestamp(metav1.NewTime(time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)))
	return u
}

func pod(ns, name string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{ServiceAccountName: name, Containers: []corev1.Container{{Name: "app"}, {Name: proxy}}},
	}
}

func TestTLS(t *testing.T) {
	const strict, permissive, disable = "{mtls: {mode: STRICT}}", "{mtls: {mode: PERMISSIVE}}", "{mtls: {mode: DISABLE}}"
	type policy struct{ key, spec string }
	for name, c := range map[string]struct {
		policies []policy // from the oldest on
		ambient  bool
		notes    map[string]string
		want     Modes
		faults   int
	}{
		"no policy is permissive":              {want: Modes{0: Permissive}},
		"mesh":                                 {policies: []policy{{"istio-system/m", strict}}, want: Modes{0: Strict}},
		"namespace over mesh":                  {policies: []policy{{"istio-system/m", strict}, {"a/n", disable}}, want: Modes{0: Disable}},
		"workload over namespace":              {policies: []policy{{"a/n", permissive}, {"a/w", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}"}}, want: Modes{0: Strict}},
		"another workload's":                   {policies: []policy{{"a/w", "{selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}}"}}, want: Modes{0: Permissive}},
		"another namespace's":                  {policies: []policy{{"b/n", strict}}, want: Modes{0: Permissive}},
		"unset inherits":                       {policies: []policy{{"istio-system/m", strict}, {"a/n", "{mtls: {mode: UNSET}}"}, {"a/w", "{selector: {matchLabels: {app: web}}}"}}, want: Modes{0: Strict}},
		"unset mesh is permissive":             {policies: []policy{{"istio-system/m", "{}"}}, want: Modes{0: Permissive}},
		"the oldest wins":                      {policies: []policy{{"a/z", strict}, {"a/a", permissive}}, want: Modes{0: Strict}},
		"the oldest workload's wins":           {policies: []policy{{"a/z", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}"}, {"a/a", "{selector: {matchLabels: {v: one}}, mtls: {mode: DISABLE}}"}}, want: Modes{0: Strict}},
		"a port of its own":                    {policies: []policy{{"a/w", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}"}}, want: Modes{0: Strict, 8080: Disable}},
		"a port inherits":                      {policies: []policy{{"a/n", strict}, {"a/w", "{selector: {matchLabels: {app: web}}, portLevelMtls: {8080: {mode: UNSET}, 8081: {mode: PERMISSIVE}}}"}}, want: Modes{0: Strict, 8080: Strict, 8081: Permissive}},
		"ports without selector do not count":  {policies: []policy{{"a/n", "{mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}"}}, want: Modes{0: Strict}},
		"a selector in the root does not":      {policies: []policy{{"istio-system/w", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}"}}, want: Modes{0: Permissive}},
		"an empty selector is none":            {policies: []policy{{"a/n", "{selector: {matchLabels: {}}, mtls: {mode: STRICT}}"}}, want: Modes{0: Strict}},
		"ambient ignores DISABLE":              {ambient: true, policies: []policy{{"a/n", strict}, {"a/w", "{selector: {matchLabels: {app: web}}, mtls: {mode: DISABLE}}"}}, want: Modes{0: Strict}},
		"excluded ports pass the sidecar":      {policies: []policy{{"a/n", strict}}, notes: map[string]string{excludePorts: "22, 9090"}, want: Modes{0: Strict, 22: Uncaptured, 9090: Uncaptured}},
		"all but the included ports pass it":   {policies: []policy{{"a/n", strict}}, notes: map[string]string{includePorts: "8080"}, want: Modes{0: Uncaptured, 8080: Strict}},
		"an unknown field is named":            {policies: []policy{{"a/n", "{mtls: {mode: STRICT, cipher: x}}"}}, want: Modes{0: Strict}, faults: 1},
		"an unknown mode is named":             {policies: []policy{{"a/n", "{mtls: {mode: SECURE}}"}}, want: Modes{0: "SECURE"}, faults: 1},
		"a selector of expressions is unknown": {policies: []policy{{"a/n", "{selector: {matchExpressions: []}, mtls: {mode: STRICT}}"}}, want: Modes{0: Strict}, faults: 1},
	} {
		s := &snapshot.Snapshot{}
		for i, p := range c.policies {
			s = s.With(peer(t, p.key, p.spec, i))
		}
		p := pod("a", "web", map[string]string{"app": "web", "v": "one"})
		p.Annotations = c.notes
		if c.ambient {
			p.Spec.Containers, p.Labels[dataplaneMode] = p.Spec.Containers[:1], "ambient"
		}
		got := In(s, Defaults()).TLS(p)
		if len(got.Modes) != len(c.want) || len(got.Faults) != c.faults {
			t.Errorf("%s: modes %v, faults %v, want %v", name, got.Modes, got.Faults, c.want)
		}
		for port, mode := range c.want {
			if got.Modes[port] != mode {
				t.Errorf("%s: port %d is %s, want %s", name, port, got.Modes[port], mode)
			}
		}
	}
}

// TestSameAge: which of two policies of one age counts nobody can tell.
func TestSameAge(t *testing.T) {
	s := (&snapshot.Snapshot{}).With(peer(t, "a/x", "{mtls: {mode: STRICT}}", 0), peer(t, "a/y", "{mtls: {mode: DISABLE}}", 0))
	if got := In(s, Defaults()).TLS(pod("a", "web", nil)); len(got.Faults) != 1 || !strings.Contains(got.Faults[0], "same age") {
		t.Errorf("faults are %v", got.Faults)
	}
	s = (&snapshot.Snapshot{}).With(peer(t, "a/x", "{mtls: {mode: STRICT}}", 0), peer(t, "a/y", "{mtls: {mode: STRICT}}", 0))
	if got := In(s, Defaults()).TLS(pod("a", "web", nil)); len(got.Faults) != 0 || got.Modes.At(80) != Strict {
		t.Errorf("two that agree: %+v", got)
	}
}

func TestMembership(t *testing.T) {
	bare := func(edit func(*corev1.Pod)) *corev1.Pod {
		p := pod("a", "p", map[string]string{})
		p.Spec.Containers = p.Spec.Containers[:1]
		edit(p)
		return p
	}
	same := func(*corev1.Pod) {}
	label := func(k, v string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Labels[k] = v } }
	for name, c := range map[string]struct {
		space map[string]string
		pod   *corev1.Pod
		live  bool
		want  Membership
	}{
		"the container":           {nil, pod("a", "p", nil), true, Sidecar},
		"a native sidecar":        {nil, bare(func(p *corev1.Pod) { p.Spec.InitContainers = []corev1.Container{{Name: proxy}} }), true, Sidecar},
		"nothing":                 {nil, bare(same), false, Outside},
		"injection":               {map[string]string{injectSpace: "enabled"}, bare(same), false, Sidecar},
		"injection, too late":     {map[string]string{injectSpace: "enabled"}, bare(same), true, Outside},
		"a revision":              {map[string]string{revision: "stable"}, bare(same), false, Sidecar},
		"a pod that opts out":     {map[string]string{injectSpace: "enabled"}, bare(label(injectPod, "false")), false, Outside},
		"a pod that opts in":      {nil, bare(label(injectPod, "true")), false, Sidecar},
		"a namespace that is out": {map[string]string{injectSpace: "disabled"}, bare(label(injectPod, "true")), false, Outside},
		"the node's network":      {map[string]string{injectSpace: "enabled", dataplaneMode: "ambient"}, bare(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), false, Outside},
		"ambient":                 {map[string]string{dataplaneMode: "ambient"}, bare(same), true, Ambient},
		"out of ambient":          {map[string]string{dataplaneMode: "ambient"}, bare(label(dataplaneMode, "none")), true, Outside},
		"ambient for one pod":     {nil, bare(label(dataplaneMode, "ambient")), true, Ambient},
	} {
		s := (&snapshot.Snapshot{}).With(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: c.space}})
		if c.live {
			s.Origin = snapshot.OriginLive
		}
		if got := In(s, Defaults()).Of(c.pod); got != c.want {
			t.Errorf("%s: pod is %s, want %s", name, got, c.want)
		}
	}
}

func TestMatching(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		text, glob     bool
	}{
		{"abc", "abc", true, true}, {"abc", "abcd", false, false}, {"abc*", "abcd", true, true}, {"*abc", "xabc", true, true},
		{"*", "x", true, true}, {"*", "", false, true}, {"a*c", "abc", false, true}, {"a*c", "abd", false, false}, {"a*b*c", "axbyc", false, true},
	} {
		if got := matchText(c.pattern, c.value); got != c.text {
			t.Errorf("text %q on %q: %v", c.pattern, c.value, got)
		}
		if got := matchGlob(c.pattern, c.value); got != c.glob {
			t.Errorf("glob %q on %q: %v", c.pattern, c.value, got)
		}
	}
}
