package netreach

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
)

// agentSet is a DaemonSet as an installer's manifests have it.
func agentSet(namespace, label, value string) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: value},
		Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{label: value}},
			Spec:       corev1.PodSpec{HostNetwork: true},
		}},
	}
}

// agentPod is a pod of it in a cluster.
func agentPod(namespace, label, value string, change func(*corev1.Pod)) *corev1.Pod {
	yes := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: value + "-x1", UID: "u", Labels: map[string]string{label: value},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: value, Controller: &yes}},
		},
		Spec: corev1.PodSpec{HostNetwork: true},
	}
	change(p)
	return p
}

func seen(objects ...runtime.Object) Plugin {
	return DetectPlugin(snapshot.New(snapshot.Parts{Objects: objects}))
}

// TestPluginsSeen recognises each plugin where its documentation puts its agents, and in
// no other namespace.
func TestPluginsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		namespace, label, value string
		mode                    engine.Mode
	}{
		"Cilium":                {"kube-system", "k8s-app", "cilium", engine.No},
		"Calico":                {"calico-system", "k8s-app", "calico-node", engine.Yes},
		"Antrea":                {"kube-system", "app", "antrea", engine.Yes},
		"OVN-Kubernetes":        {"openshift-ovn-kubernetes", "app", "ovnkube-node", engine.Yes},
		"kube-network-policies": {"kube-system", "app", "kube-network-policies", engine.Yes},
		"kindnet":               {"kube-system", "app", "kindnet", engine.Yes},
		"kube-router":           {"kube-system", "k8s-app", "kube-router", engine.Yes},
		"Flannel":               {"kube-flannel", "app", "flannel", engine.Unknown},
	} {
		keep := func(*corev1.Pod) {}
		for form, object := range map[string]runtime.Object{
			"folder": agentSet(c.namespace, c.label, c.value), "cluster": agentPod(c.namespace, c.label, c.value, keep),
		} {
			p := seen(object)
			if p.Name != name || p.Options.BlocksMatchPods != c.mode || (p.Ignores != "") != (name == "Flannel") {
				t.Errorf("%s in a %s: got %+v", name, form, p)
			}
			if (p.Options.NotEnforced == nil) != (name == "Cilium") {
				t.Errorf("%s in a %s: not enforced are %v", name, form, p.Options.NotEnforced)
			}
		}
		if p := seen(agentSet("shop", c.label, c.value)); p.Name != "" {
			t.Errorf("%s is seen in a namespace of anybody", name)
		}
	}
}

// TestPluginIsNotFooled: whoever may make a pod can give it any label.
func TestPluginIsNotFooled(t *testing.T) {
	cilium := func(namespace string, change func(*corev1.Pod)) runtime.Object {
		return agentPod(namespace, "k8s-app", "cilium", change)
	}
	keep := func(*corev1.Pod) {}
	for name, objects := range map[string][]runtime.Object{
		"a namespace without a tenant": {cilium("tools", keep)},
		"another plugin's namespace":   {cilium("calico-system", keep)},
		"a tenant's namespace": {
			&v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "cilium"}, Status: v1alpha1.TenantStatus{Namespaces: []string{"cilium"}}},
			cilium("cilium", keep),
		},
		"no DaemonSet's":     {cilium("kube-system", func(p *corev1.Pod) { p.OwnerReferences = nil })},
		"a Deployment's":     {cilium("kube-system", func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "ReplicaSet" })},
		"a custom DaemonSet": {cilium("kube-system", func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = "apps.example.com/v1" })},
		"not the controller": {cilium("kube-system", func(p *corev1.Pod) { p.OwnerReferences[0].Controller = nil })},
		"no host network":    {cilium("kube-system", func(p *corev1.Pod) { p.Spec.HostNetwork = false })},
	} {
		if p := seen(objects...); p.Name != "" || p.Options.BlocksMatchPods != engine.Unknown {
			t.Errorf("%s: taken for %s", name, p.Name)
		}
	}
	for _, namespace := range []string{"kube-system", "cilium"} {
		if p := seen(cilium(namespace, keep)); p.Name != "Cilium" {
			t.Errorf("the real one in %s: got %+v", namespace, p)
		}
	}
}

// TestSeveralPlugins: where two enforce policies it is open which does; Flannel beside
// another only connects pods.
func TestSeveralPlugins(t *testing.T) {
	cilium, calico := agentSet("kube-system", "k8s-app", "cilium"), agentSet("kube-system", "k8s-app", "calico-node")
	p := seen(cilium, calico)
	if p.Name != "" || p.Options.BlocksMatchPods != engine.Unknown || p.Options.NodeLocalExempt != engine.Unknown ||
		!strings.Contains(p.Note, "Cilium, Calico") || !strings.Contains(p.clause(), "Cilium, Calico") || p.Options.NotEnforced != nil {
		t.Errorf("Cilium and Calico: %+v", p)
	}
	if p := seen(calico, agentSet("kube-system", "app", "antrea")); len(p.Options.NotEnforced) == 0 {
		t.Errorf("neither enforces Cilium's policies: %+v", p)
	}
	if p := seen(calico, agentSet("kube-flannel", "app", "flannel")); p.Name != "Calico" || p.Ignores != "" || p.Note != "" {
		t.Errorf("Canal: %+v", p)
	}
}

// TestOldKindnet: before kind v0.24.0 it connected pods only, which its rights show.
func TestOldKindnet(t *testing.T) {
	agents := agentSet("kube-system", "app", "kindnet")
	role := func(resources ...string) runtime.Object {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "kindnet"}, Rules: []rbacv1.PolicyRule{{Resources: resources}}}
	}
	if p := seen(agents, role("nodes")); !strings.Contains(p.Ignores, "may not read NetworkPolicies") || p.Options.BlocksMatchPods != engine.Unknown {
		t.Errorf("an old one: %+v", p)
	}
	if p := seen(agents, role("nodes", "networkpolicies")); p.Ignores != "" || p.Options.BlocksMatchPods != engine.Yes {
		t.Errorf("a newer one: %+v", p)
	}
	if p := seen(agents, role("nodes"), agentSet("kube-system", "app", "kube-network-policies")); p.Name != "kube-network-policies" || p.Note != "" {
		t.Errorf("an old one, and another that enforces policies: %+v", p)
	}
}

// TestPluginSaid: what somebody says counts before what is seen, and is named so.
func TestPluginSaid(t *testing.T) {
	s := snapshot.New(snapshot.Parts{Objects: []runtime.Object{agentSet("kube-system", "k8s-app", "calico-node")}})
	for name, c := range map[string]struct {
		plugin, clause, ignores string
		mode                    engine.Mode
	}{
		"cilium":  {"Cilium", " (network plugin Cilium, as the command line says, whose ipBlocks match no pods)", "", engine.No},
		"calico":  {"Calico", " (network plugin Calico, as the command line says)", "", engine.Yes},
		"flannel": {"Flannel", " (network plugin Flannel, as the command line says)", "the network plugin is Flannel, as the command line says, which enforces no NetworkPolicy", engine.Unknown},
		"none":    {"", "", "no network plugin enforces policies, as the command line says", engine.Unknown},
		"unknown": {"", " (network plugin unknown, as the command line says)", "", engine.Unknown},
		"later":   {"", " (network plugin unknown, as the command line says)", "", engine.Unknown}, // a bundle of another version
		"":        {"Calico", " (network plugin Calico)", "", engine.Yes},
	} {
		p := DetectPlugin(s.WithNetworkPlugin(name))
		if p.Name != c.plugin || p.clause() != c.clause || p.Ignores != c.ignores || p.Options.BlocksMatchPods != c.mode {
			t.Errorf("%q: got %+v with %q", name, p, p.clause())
		}
		if p.Name == "Cilium" && p.Options.NotEnforced != nil {
			t.Errorf("Cilium does not enforce %v", p.Options.NotEnforced)
		}
	}
}

// TestPluginAnswers: every answer that is offered is one that DetectPlugin gives.
func TestPluginAnswers(t *testing.T) {
	answers := PluginAnswers()
	for _, a := range answers {
		p := DetectPlugin(new(snapshot.Snapshot).WithNetworkPlugin(a[0]))
		want := map[engine.Mode]string{
			engine.Yes: "ipBlocks match pods", engine.No: "ipBlocks match no pods", engine.Unknown: "whether ipBlocks match pods is left open",
		}[p.Options.BlocksMatchPods]
		if p.Ignores != "" {
			want = "policies have no effect"
		}
		if a[1] != want {
			t.Errorf("%s answers %q, and is said to answer %q", a[0], want, a[1])
		}
	}
	for _, name := range []string{"cilium", "calico", "antrea", "ovn-kubernetes", "kube-network-policies", "kindnet", "kube-router", "flannel", "none", "unknown"} {
		if !slices.ContainsFunc(answers, func(a [2]string) bool { return a[0] == name }) {
			t.Errorf("%s is not offered", name)
		}
	}
}

// TestPluginInGrounds: a verdict says which plugin it rests on, and one whose plugin
// ignores policies is unknown.
func TestPluginInGrounds(t *testing.T) {
	s := snapshot.New(snapshot.Parts{Objects: []runtime.Object{
		&v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "c"}},
		&v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.TenantSpec{ClassName: "c", Namespaces: []v1alpha1.TenantNamespace{{Name: "web"}}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-web"}},
	}})
	for name, text := range map[string]string{"antrea": "network plugin Antrea, as the command line says", "none": "no network plugin enforces policies, as the command line says"} {
		var messages []string
		for _, f := range Run(s.WithNetworkPlugin(name)) {
			messages = append(messages, string(f.Verdict)+" "+f.Message)
		}
		all := strings.Join(messages, "\n")
		if !strings.Contains(all, text) || name == "none" && strings.Contains(all, "holds ") {
			t.Errorf("%s: want %q in\n%s", name, text, all)
		}
	}
}
