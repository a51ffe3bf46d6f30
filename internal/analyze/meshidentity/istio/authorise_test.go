package istio

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"watertight.dev/watertight/internal/snapshot"
)

func authorization(t *testing.T, i int, ns, spec string) *unstructured.Unstructured {
	return object(t, fmt.Sprintf("{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {namespace: %s, name: p%d}, spec: %s}", ns, i, spec))
}

// authorisedCases ask: may b/client (ServiceAccount client, address 10.0.0.1) connect to
// port 80 of a/web? policies are in a, root is in the root namespace, service is the name
// of the Service's port.
var authorisedCases = map[string]struct {
	policies []string
	root     []string
	service  string // the name of the Service's port
	strict   bool
	plain    bool
	want     Decision
}{
	"no policy allows":                     {want: Allowed},
	"an empty policy allows nothing":       {policies: []string{"{}"}, want: Denied},
	"an empty rule allows all":             {policies: []string{"{rules: [{}]}"}, want: Allowed},
	"a DENY without rules denies nothing":  {policies: []string{"{action: DENY}"}, want: Allowed},
	"a DENY with an empty rule denies":     {policies: []string{"{action: DENY, rules: [{}]}"}, want: Denied},
	"a principal":                          {policies: []string{"{rules: [{from: [{source: {principals: [cluster.local/ns/b/sa/client]}}]}]}"}, want: Allowed},
	"another principal":                    {policies: []string{"{rules: [{from: [{source: {principals: [cluster.local/ns/b/sa/other]}}]}]}"}, want: Denied},
	"a suffix":                             {policies: []string{"{rules: [{from: [{source: {principals: ['*/ns/b/sa/client']}}]}]}"}, want: Allowed},
	"a namespace":                          {policies: []string{"{rules: [{from: [{source: {namespaces: [b]}}]}]}"}, want: Allowed},
	"another namespace":                    {policies: []string{"{rules: [{from: [{source: {namespaces: [bb]}}]}]}"}, want: Denied},
	"a ServiceAccount":                     {policies: []string{"{rules: [{from: [{source: {serviceAccounts: [b/client]}}]}]}"}, want: Allowed},
	"a ServiceAccount of the policy's own": {policies: []string{"{rules: [{from: [{source: {serviceAccounts: [client]}}]}]}"}, want: Denied},
	"fields of a source are ANDed":         {policies: []string{"{rules: [{from: [{source: {namespaces: [b], principals: [x]}}]}]}"}, want: Denied},
	"sources are alternatives":             {policies: []string{"{rules: [{from: [{source: {principals: [x]}}, {source: {namespaces: [b]}}]}]}"}, want: Allowed},
	"policies are alternatives":            {policies: []string{"{}", "{rules: [{from: [{source: {namespaces: [b]}}]}]}"}, want: Allowed},
	"DENY goes before ALLOW":               {policies: []string{"{rules: [{}]}", "{action: DENY, rules: [{from: [{source: {namespaces: [b]}}]}]}"}, want: Denied},
	"DENY of all others":                   {policies: []string{"{action: DENY, rules: [{from: [{source: {notNamespaces: [a]}}]}]}"}, want: Denied},
	"DENY of all but it":                   {policies: []string{"{action: DENY, rules: [{from: [{source: {notNamespaces: [b]}}]}]}"}, want: Allowed},
	"a port":                               {policies: []string{"{rules: [{to: [{operation: {ports: ['80']}}]}]}"}, want: Allowed},
	"another port":                         {policies: []string{"{rules: [{to: [{operation: {ports: ['81']}}]}]}"}, want: Denied},
	"not a port":                           {policies: []string{"{rules: [{to: [{operation: {notPorts: ['80']}}]}]}"}, want: Denied},
	"a block":                              {policies: []string{"{rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]}"}, want: Allowed},
	"another block":                        {policies: []string{"{rules: [{from: [{source: {ipBlocks: [10.0.0.2]}}]}]}"}, want: Denied},
	"a malformed block":                    {policies: []string{"{rules: [{from: [{source: {ipBlocks: [ten]}}]}]}"}, want: Unknown},
	"a condition":                          {policies: []string{"{rules: [{when: [{key: source.namespace, values: [b]}]}]}"}, want: Allowed},
	"a condition that excludes":            {policies: []string{"{rules: [{when: [{key: source.principal, values: ['*'], notValues: ['*/sa/client']}]}]}"}, want: Denied},
	"a condition on the port":              {policies: []string{"{rules: [{when: [{key: destination.port, values: ['80']}]}]}"}, want: Allowed},
	"a condition nobody knows":             {policies: []string{"{rules: [{when: [{key: experimental.x, values: [y]}]}]}"}, want: Unknown},
	"a path, on some requests":             {policies: []string{"{rules: [{to: [{operation: {paths: [/x]}}]}]}"}, want: Conditional},
	"a DENY of a path":                     {policies: []string{"{action: DENY, rules: [{to: [{operation: {paths: [/x]}}]}]}"}, want: Conditional},
	"a path, on a TCP port":                {policies: []string{"{rules: [{to: [{operation: {paths: [/x]}}]}]}"}, service: "tcp-web", want: Denied},
	"a DENY of a path, on a TCP port":      {policies: []string{"{action: DENY, rules: [{to: [{operation: {paths: [/x]}}]}]}"}, service: "tcp-web", want: Denied},
	"a path, on an HTTP port":              {policies: []string{"{rules: [{to: [{operation: {paths: [/x]}}]}]}"}, service: "http", want: Conditional},
	"a token":                              {policies: []string{"{rules: [{from: [{source: {requestPrincipals: ['*']}}]}]}"}, want: Conditional},
	"CUSTOM may deny":                      {policies: []string{"{action: CUSTOM, provider: {name: x}, rules: [{}]}"}, want: Conditional},
	"CUSTOM that does not match":           {policies: []string{"{action: CUSTOM, provider: {name: x}, rules: [{from: [{source: {namespaces: [c]}}]}]}"}, want: Allowed},
	"CUSTOM cannot allow what is denied":   {policies: []string{"{action: CUSTOM, provider: {name: x}, rules: [{}]}", "{}"}, want: Denied},
	"AUDIT decides nothing":                {policies: []string{"{action: AUDIT, rules: [{}]}"}, want: Allowed},
	"an action nobody knows":               {policies: []string{"{action: MAYBE, rules: [{}]}"}, want: Unknown},
	"a field nobody knows":                 {policies: []string{"{rules: [{from: [{source: {planets: [mars]}}]}]}"}, want: Unknown},
	"what is sure outweighs it":            {policies: []string{"{rules: [{from: [{source: {planets: [mars]}}]}]}", "{rules: [{}]}"}, want: Allowed},
	"another workload's policy":            {policies: []string{"{selector: {matchLabels: {app: db}}}"}, want: Allowed},
	"the workload's policy":                {policies: []string{"{selector: {matchLabels: {app: web}}}"}, want: Denied},
	"a policy for a waypoint":              {policies: []string{"{targetRefs: [{kind: Service, name: web}]}"}, want: Allowed},
	"the root's policy":                    {root: []string{"{}"}, want: Denied},
	"the root's policy, by selector":       {root: []string{"{selector: {matchLabels: {app: web}}}"}, want: Denied},
	"plain text has no principal":          {policies: []string{"{rules: [{from: [{source: {principals: ['*']}}]}]}"}, plain: true, want: Denied},
	"plain text escapes a DENY by name":    {policies: []string{"{action: DENY, rules: [{from: [{source: {namespaces: [b]}}]}]}"}, plain: true, want: Allowed},
	"plain text meets a DENY by not":       {policies: []string{"{action: DENY, rules: [{from: [{source: {notPrincipals: ['*']}}]}]}"}, plain: true, want: Denied},
	"STRICT refuses plain text":            {plain: true, strict: true, want: Denied},
	"STRICT takes a certificate":           {strict: true, want: Allowed},
}

func TestAuthorised(t *testing.T) {
	for name, c := range authorisedCases {
		s := (&snapshot.Snapshot{}).With(pod("a", "web", nil))
		for i, spec := range c.policies {
			s = s.With(authorization(t, i, "a", spec))
		}
		for i, spec := range c.root {
			s = s.With(authorization(t, i, "istio-system", spec))
		}
		if c.service != "" {
			s = s.With(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web"}, Spec: corev1.ServiceSpec{
				Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Name: c.service, Port: 8080, TargetPort: intstr.FromInt32(80)}},
			}})
		}
		if c.strict {
			s = s.With(peer(t, "a/strict", "{mtls: {mode: STRICT}}", 0))
		}
		client := pod("b", "client", nil)
		client.Status.PodIP = "10.0.0.1"
		m := In(s, Defaults())
		got := m.Authorised(m.PeerOf(client), pod("a", "web", map[string]string{"app": "web"}), 80, !c.plain)
		if got.Decision != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got.Decision, got.Reason, c.want)
		}
	}
}

// TestOutOfReach: where no proxy is, nothing is enforced; behind a waypoint others decide;
// an address that is not known decides nothing.
func TestOutOfReach(t *testing.T) {
	nothing := authorization(t, 0, "a", "{}")
	by := authorization(t, 0, "a", "{rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]}")
	bare := pod("a", "web", nil)
	bare.Spec.Containers = bare.Spec.Containers[:1]
	waypoint := pod("a", "web", map[string]string{dataplaneMode: "ambient", "istio.io/use-waypoint": "w"})
	waypoint.Spec.Containers = waypoint.Spec.Containers[:1]
	dry := authorization(t, 0, "a", "{}")
	dry.SetAnnotations(map[string]string{"istio.io/dry-run": "true"})
	for name, c := range map[string]struct {
		policy *unstructured.Unstructured
		dst    *corev1.Pod
		want   Decision
	}{
		"outside the mesh":  {nothing, bare, Allowed},
		"a waypoint":        {nothing, waypoint, Unknown},
		"no address":        {by, pod("a", "web", nil), Unknown},
		"a dry run":         {dry, pod("a", "web", nil), Allowed},
		"(it is enforced:)": {nothing, pod("a", "web", nil), Denied},
	} {
		m := In((&snapshot.Snapshot{}).With(c.policy), Defaults())
		if got := m.Authorised(Peer{Namespace: "b", Account: "c", Meshed: true}, c.dst, 80, true); got.Decision != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got.Decision, got.Reason, c.want)
		}
	}
}
