package netreach

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
)

// Plugin is the network plugin that enforces policies, as far as it can be told, and how
// it answers what Kubernetes leaves open.
type Plugin struct {
	// Name for people; "" where none was recognised.
	Name    string
	Options engine.Options
	// Ignores says why policies have no effect here, where that is known.
	Ignores string
	// Note says why it cannot be told which plugin enforces policies, where several could.
	Note string
	// said is set where somebody named the plugin; it was not looked for.
	said bool
}

// agents is how a network plugin is recognised: the label of its agents' pods, and the
// namespaces beside kube-system in which its documentation puts them.
type agents struct {
	label, value string
	namespaces   []string
}

// known is a network plugin that can be named, and recognised.
type known struct {
	name   string
	agents agents
	plugin Plugin
}

// Names that are no plugin's.
const (
	// PluginNone: nothing enforces policies.
	PluginNone = "none"
	// PluginUnknown: something enforces them, and how is not known.
	PluginUnknown = "unknown"
)

const enforcesNone = ", which enforces no NetworkPolicy"

var (
	// addressed is what plugins do that compare the addresses of packets.
	addressed = engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.Yes}
	// identified is what one does that knows pods by identity.
	identified = engine.Options{BlocksMatchPods: engine.No, NodeLocalExempt: engine.Yes}
)

var plugins = []known{
	// docs.cilium.io/en/stable/security/policy/language: CIDR rules do not apply to pods
	// of the cluster; hosts reach their own pods (--allow-localhost).
	{"cilium", agents{"k8s-app", "cilium", []string{"cilium"}}, Plugin{Name: "Cilium", Options: identified}},
	// docs.tigera.io/calico/latest/reference/resources/networkpolicy: nets match any
	// address; a host's traffic to its own workloads is always allowed.
	{"calico", agents{"k8s-app", "calico-node", []string{"calico-system"}}, Plugin{Name: "Calico", Options: addressed}},
	// antrea.io/docs/main/docs/antrea-network-policy: ipBlock matches packets' addresses.
	{"antrea", agents{"app", "antrea", nil}, Plugin{Name: "Antrea", Options: addressed}},
	// ovn-kubernetes.io/features/network-security-controls/network-policy: ipBlock
	// becomes an address match of the packet.
	{"ovn-kubernetes", agents{"app", "ovnkube-node", []string{"ovn-kubernetes", "openshift-ovn-kubernetes"}}, Plugin{Name: "OVN-Kubernetes", Options: addressed}},
	// kube-network-policies.sigs.k8s.io: the evaluators compare the packet's addresses.
	{"kube-network-policies", agents{"app", "kube-network-policies", nil}, Plugin{Name: "kube-network-policies", Options: addressed}},
	{kindnet, agents{"app", "kindnet", []string{"kube-kindnet"}}, Plugin{Name: "kindnet", Options: addressed}},
	// kube-router.io/docs: ipset of the blocks' addresses.
	{"kube-router", agents{"k8s-app", "kube-router", nil}, Plugin{Name: "kube-router", Options: addressed}},
	// github.com/flannel-io/flannel: "Flannel is focused on networking. For network
	// policy, other projects such as Calico can be used."
	{"flannel", agents{"app", "flannel", []string{"kube-flannel"}}, Plugin{Name: "Flannel", Ignores: "the only network plugin that is seen is Flannel" + enforcesNone}},
}

const kindnet = "kindnet"

// ciliumKinds are enforced by Cilium alone.
var ciliumKinds = []string{"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"}

// PluginAnswers are the names that a snapshot's NetworkPlugin may have, each with how it
// answers what Kubernetes leaves open.
func PluginAnswers() [][2]string {
	var out [][2]string
	for _, k := range plugins {
		answer := "ipBlocks match pods"
		switch {
		case k.plugin.Ignores != "":
			answer = "policies have no effect"
		case k.plugin.Options.BlocksMatchPods == engine.No:
			answer = "ipBlocks match no pods"
		}
		out = append(out, [2]string{k.name, answer})
	}
	return append(out, [2]string{PluginNone, "policies have no effect"}, [2]string{PluginUnknown, "whether ipBlocks match pods is left open"})
}

// DetectPlugin is the network plugin that somebody named in the snapshot, or else the one
// that is recognised by its agents' pods.
func DetectPlugin(s *snapshot.Snapshot) Plugin {
	if s.NetworkPlugin != "" {
		return pluginOf(s.NetworkPlugin)
	}
	var seen, ignoring []Plugin // those that only connect pods count where no other is (Canal)
	for _, k := range plugins {
		switch {
		case !k.agents.run(s):
		case k.name == kindnet && kindnetOnly(s):
			ignoring = append(ignoring, Plugin{Name: k.plugin.Name, Ignores: "the only network plugin that is seen is a kindnet that may not read NetworkPolicies, and so enforces none"})
		case k.plugin.Ignores != "":
			ignoring = append(ignoring, k.plugin)
		default:
			seen = append(seen, k.plugin)
		}
	}
	switch {
	case len(seen) > 1:
		return undecided(seen)
	case len(seen) == 1:
		return seen[0].alone()
	case len(ignoring) > 0:
		return ignoring[0].alone()
	}
	return Plugin{}
}

// pluginOf is the plugin of a name; one that is not known leaves everything open.
func pluginOf(name string) Plugin {
	const said = ", as the command line says"
	if name == PluginNone {
		return Plugin{Ignores: "no network plugin enforces policies" + said, said: true}
	}
	at := slices.IndexFunc(plugins, func(k known) bool { return k.name == name })
	if at < 0 {
		return Plugin{said: true}
	}
	p := plugins[at].plugin.alone()
	p.said = true
	if p.Ignores != "" {
		p.Ignores = "the network plugin is " + p.Name + said + enforcesNone
	}
	return p
}

// alone is the plugin where no other is: an installed CRD is no engine.
func (p Plugin) alone() Plugin {
	if p.Name != "Cilium" {
		p.Options.NotEnforced = ciliumKinds
	}
	return p
}

// undecided leaves open what several plugins would answer.
func undecided(seen []Plugin) Plugin {
	var names []string
	for _, p := range seen {
		names = append(names, p.Name)
	}
	out := Plugin{Note: "agents of several network plugins are seen (" + strings.Join(names, ", ") +
		"), so that it is unknown which enforces policies, and how: remove those that are left over, or say --network-plugin"}
	if !slices.Contains(names, "Cilium") {
		out.Options.NotEnforced = ciliumKinds
	}
	return out
}

// run reports whether such agents are seen. A label alone proves nothing, for whoever may
// make a pod may set it: the pod must be of a DaemonSet, on the host's network, and in a
// namespace where agents are and no tenant is.
func (a agents) run(s *snapshot.Snapshot) bool {
	for _, ns := range append([]string{metav1.NamespaceSystem}, a.namespaces...) {
		if s.TenantOf(ns) != "" {
			continue
		}
		if slices.ContainsFunc(s.PodsIn(ns), a.agent) {
			return true
		}
	}
	return false
}

// kindnetOnly reports whether kindnet is seen to have no right to read policies: it came
// to enforce them with kind v0.24.0 (github.com/kubernetes-sigs/kind, release notes).
func kindnetOnly(s *snapshot.Snapshot) bool {
	at := slices.IndexFunc(s.ClusterRoles, func(r *rbacv1.ClusterRole) bool { return r.Name == kindnet })
	return at >= 0 && !slices.ContainsFunc(s.ClusterRoles[at].Rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Resources, "networkpolicies") || slices.Contains(r.Resources, rbacv1.ResourceAll)
	})
}

func (a agents) agent(p *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(p)
	return p.Labels[a.label] == a.value && p.Spec.HostNetwork && owner != nil &&
		owner.Kind == "DaemonSet" && strings.HasPrefix(owner.APIVersion, "apps/")
}

// clause names the plugin in evidence.
func (p Plugin) clause() string {
	var parts []string
	switch {
	case p.Note != "":
		parts = append(parts, p.Note)
	case p.Name != "":
		parts = append(parts, "network plugin "+p.Name)
	case p.said && p.Ignores == "":
		parts = append(parts, "network plugin unknown")
	default:
		return ""
	}
	if p.said {
		parts = append(parts, "as the command line says")
	}
	if p.Options.BlocksMatchPods == engine.No {
		parts = append(parts, "whose ipBlocks match no pods")
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
