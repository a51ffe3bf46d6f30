package rbacreach

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// lab is what every step can lead to, and a robot that holds some rules: in the namespace
// lab, or in the whole cluster where namespace is empty.
func lab(namespace string, rules ...rbacv1.PolicyRule) *snapshot.Snapshot {
	pod := &corev1.Pod{ObjectMeta: named("lab", "pod")}
	pod.Spec.ServiceAccountName = "runner"
	volume := &corev1.PersistentVolume{ObjectMeta: named("", "disk")}
	volume.Spec.HostPath = &corev1.HostPathVolumeSource{Path: "/data"}
	objects := []runtime.Object{
		pod, volume, tokenSecret("lab", "token", "deployer"),
		&v1alpha1.Tenant{ObjectMeta: named("", "acme"), Spec: v1alpha1.TenantSpec{Namespaces: []v1alpha1.TenantNamespace{{Name: "app"}}}},
		&rbacv1.Role{ObjectMeta: named("lab", "any"), Rules: []rbacv1.PolicyRule{rule("core", "secrets", "get")}},
		&rbacv1.ClusterRole{ObjectMeta: named("", "robot"), Rules: rules},
	}
	ref := rbacv1.RoleRef{Kind: "ClusterRole", Name: "robot"}
	if namespace == "" {
		return cluster(append(objects, clusterBinding("robot", ref, serviceAccount("ops", "robot")))...)
	}
	return cluster(append(objects, roleBinding(namespace, "robot", ref, serviceAccount("ops", "robot")))...)
}

// takes lists where the robot gets by one step.
func takes(s *snapshot.Snapshot, st *step) map[analyze.Place]arc {
	bindings, roles := allBindings(s)
	w := newWorld(s, bindings, roles)
	out := map[analyze.Place]arc{}
	for _, a := range w.out[w.number[account("ops", "robot")]] {
		if a.why.step == st {
			out[w.places[a.to]] = a
		}
	}
	return out
}

// asked is the rule that gives just a right, by one verb and resource.
func asked(id rightID, verb, resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: rights[id].Groups[:1], Verbs: []string{verb}, Resources: []string{resource}}
}

func firsts(ids []rightID) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, id := range ids {
		out = append(out, asked(id, rights[id].Verbs[0], rights[id].Resources[0]))
	}
	return out
}

// TestStepsAreTaken gives each verb and resource of each step, with what it needs beside.
func TestStepsAreTaken(t *testing.T) {
	for i := range steps {
		st := &steps[i]
		if st.ID == "" || st.Effect == "" || st.Fix == "" || st.Reference == "" || st.Guarantee == "" {
			t.Errorf("step %d %s is half described", i, st.ID)
		}
		first := rights[st.By[0]]
		for _, verb := range first.Verbs {
			for _, resource := range first.Resources {
				rules := append(firsts(st.By[1:]), asked(st.By[0], verb, resource))
				got := takes(lab("", rules...), st)
				if len(got) == 0 {
					t.Errorf("%s %s: step %s is not taken", verb, resource, st.ID)
				}
				for p, a := range got {
					if a.weak != st.Weak && !st.binds() {
						t.Errorf("%s to %s: weak %t", st.ID, p, a.weak)
					}
				}
			}
		}
	}
}

// TestStepsAreNotTaken leaves out one right at a time, asks in another group, restricts a
// create to names, and grants cluster-scoped rights in a namespace.
func TestStepsAreNotTaken(t *testing.T) {
	for i := range steps {
		st := &steps[i]
		inNamespace := false
		for k, id := range st.By {
			inNamespace = inNamespace || rights[id].Cluster
			rules := firsts(st.By)
			without := append(append([]rbacv1.PolicyRule{}, rules[:k]...), rules[k+1:]...)
			if got := takes(lab("", without...), st); len(got) != 0 {
				t.Errorf("%s is taken without right %d: %v", st.ID, k, got)
			}
			rules[k].APIGroups = []string{"example.com"}
			if got := takes(lab("", rules...), st); len(got) != 0 {
				t.Errorf("%s is taken in a foreign group: %v", st.ID, got)
			}
		}
		if got := takes(lab("lab", firsts(st.By)...), st); inNamespace != (len(got) == 0) {
			t.Errorf("%s granted in a namespace: %v", st.ID, got)
		}
		if got := takes(lab("elsewhere", firsts(st.By)...), st); st.To == leadWorkloads && len(got) != 0 {
			t.Errorf("%s reaches another namespace: %v", st.ID, got)
		}
	}
	named := rule("core", "pods", "create")
	named.ResourceNames = []string{"x"}
	if got := reachable(lab("lab", named), account("ops", "robot")); got[analyze.Place{Kind: analyze.PlaceNamespace, Namespace: "lab"}] {
		t.Error("a create has no name to be restricted to")
	}
}

// TestWritersOfRolesGainNothing: the API server lets nobody hand out more than he holds.
func TestWritersOfRolesGainNothing(t *testing.T) {
	s := lab("", rule("rbac.authorization.k8s.io", "roles rolebindings clusterroles clusterrolebindings", "create update patch delete"))
	got := reachable(s, account("ops", "robot"))
	if len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// TestNames follow resourceNames to just what they name.
func TestNames(t *testing.T) {
	with := func(name string, r rbacv1.PolicyRule) rbacv1.PolicyRule {
		r.ResourceNames = []string{name}
		return r
	}
	robot, control := account("ops", "robot"), analyze.Place{Kind: analyze.PlaceCluster}
	for name, c := range map[string]struct {
		rules []rbacv1.PolicyRule
		want  analyze.Place
		not   analyze.Place
	}{
		"the token of one account":    {[]rbacv1.PolicyRule{with("token", rule("core", "secrets", "get"))}, account("lab", "deployer"), account("lab", "runner")},
		"a Secret without a token":    {[]rbacv1.PolicyRule{with("password", rule("core", "secrets", "get"))}, robot, account("lab", "deployer")},
		"a token of one account":      {[]rbacv1.PolicyRule{with("runner", rule("core", "serviceaccounts/token", "create"))}, account("lab", "runner"), account("lab", "deployer")},
		"one pod":                     {[]rbacv1.PolicyRule{with("pod", rule("core", "pods/exec", "create"))}, account("lab", "runner"), control},
		"one node":                    {[]rbacv1.PolicyRule{with("n1", rule("core", "nodes/proxy", "get"))}, analyze.Place{Kind: analyze.PlaceNode, Name: "n1"}, analyze.Place{Kind: analyze.PlaceNode}},
		"a controller's user":         {[]rbacv1.PolicyRule{with("system:kube-controller-manager", rule("core", "users", "impersonate"))}, control, account("lab", "runner")},
		"a kubelet's user":            {[]rbacv1.PolicyRule{with("system:node:n1", rule("core", "users", "impersonate"))}, analyze.Place{Kind: analyze.PlaceNode, Name: "n1"}, control},
		"an account as a user":        {[]rbacv1.PolicyRule{with("system:serviceaccount:lab:runner", rule("core", "users", "impersonate"))}, robot, account("lab", "runner")},
		"system:masters":              {[]rbacv1.PolicyRule{with("system:masters", rule("core", "groups", "impersonate")), with("jo", rule("core", "users", "impersonate"))}, control, account("lab", "runner")},
		"system:masters without user": {[]rbacv1.PolicyRule{with("system:masters", rule("core", "groups", "impersonate"))}, robot, control},
		"a kubelet's signer": {[]rbacv1.PolicyRule{with(signerKubelet, rule(certGroup, "signers", "approve")), rule(certGroup, "certificatesigningrequests/approval", "update"),
			rule(certGroup, "certificatesigningrequests", "create")}, analyze.Place{Kind: analyze.PlaceNode}, control},
		"another signer": {[]rbacv1.PolicyRule{with("example.com/tls", rule(certGroup, "signers", "approve")), rule(certGroup, "certificatesigningrequests/approval", "update"),
			rule(certGroup, "certificatesigningrequests", "create")}, robot, control},
		"one Tenant": {[]rbacv1.PolicyRule{with("globex", rule(tenantsGroup, "tenants", "update"))}, robot, analyze.Place{Kind: analyze.PlaceNamespace, Namespace: "acme-app"}},
		"one role":   {[]rbacv1.PolicyRule{with("robot", rule(rbacGroup, "clusterroles", "bind")), rule(rbacGroup, "clusterrolebindings", "create")}, robot, control},
		"any role":   {[]rbacv1.PolicyRule{rule(rbacGroup, "clusterroles", "bind"), rule(rbacGroup, "clusterrolebindings", "create")}, control, analyze.Place{Kind: analyze.PlaceNode, Name: "n1"}},
		"the admins": {[]rbacv1.PolicyRule{with("cluster-admin", rule(rbacGroup, "clusterroles", "bind")), rule(rbacGroup, "clusterrolebindings", "create")}, control, analyze.Place{Kind: analyze.PlaceNode, Name: "n1"}},
	} {
		got := reachable(lab("", c.rules...), robot)
		if !got[c.want] || got[c.not] {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
