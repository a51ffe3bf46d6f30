package netreach

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

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
}

// plugins are recognised by the pods of their agents: in which namespace does not matter
// to them, nor to us, but a tenant's namespace proves nothing.
var plugins = []struct {
	label, value string
	plugin       Plugin
}{
	// docs.cilium.io/en/stable/security/policy/language: CIDR rules do not apply to pods
	// of the cluster; hosts reach their own pods (--allow-localhost).
	{"k8s-app", "cilium", Plugin{Name: "Cilium", Options: engine.Options{BlocksMatchPods: engine.No, NodeLocalExempt: engine.Yes}}},
	// docs.tigera.io/calico/latest/reference/resources/networkpolicy: nets match any
	// address; a host's traffic to its own workloads is always allowed.
	{"k8s-app", "calico-node", Plugin{Name: "Calico", Options: engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.Yes}}},
	// antrea.io/docs/main/docs/antrea-network-policy: ipBlock matches packets' addresses.
	{"app", "antrea", Plugin{Name: "Antrea", Options: engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.Yes}}},
	// ovn-kubernetes.io/features/network-security-controls/network-policy: ipBlock
	// becomes an address match of the packet.
	{"app", "ovnkube-node", Plugin{Name: "OVN-Kubernetes", Options: engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.Yes}}},
	// kube-network-policies.sigs.k8s.io: the evaluators compare the packet's addresses.
	{"app", "kube-network-policies", Plugin{Name: "kube-network-policies", Options: engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.Yes}}},
	{"app", "kindnet", Plugin{Name: "kindnet", Options: engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.Yes}}},
	// kube-router.io/docs: ipset of the blocks' addresses.
	{"k8s-app", "kube-router", Plugin{Name: "kube-router", Options: engine.Options{BlocksMatchPods: engine.Yes, NodeLocalExempt: engine.Yes}}},
	// github.com/flannel-io/flannel: "Flannel is focused on networking. For network
	// policy, other projects such as Calico can be used." It comes last: others run on it.
	{"app", "flannel", Plugin{Name: "Flannel", Ignores: "the only network plugin that is seen is Flannel, which enforces no NetworkPolicy"}},
}

// ciliumKinds are enforced by Cilium alone.
var ciliumKinds = []string{"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"}

// DetectPlugin recognises the network plugin by its agents' pods.
func DetectPlugin(s *snapshot.Snapshot) Plugin {
	for _, known := range plugins {
		for _, ns := range s.NamespaceNames() {
			if s.TenantOf(ns) != "" {
				continue
			}
			for _, p := range s.PodsIn(ns) {
				if p.Labels[known.label] == known.value && agent(p) {
					plugin := known.plugin
					if plugin.Name != "Cilium" { // an installed CRD is no engine
						plugin.Options.NotEnforced = ciliumKinds
					}
					return plugin
				}
			}
		}
	}
	return Plugin{}
}

// agent reports whether a pod runs where a network plugin's agent does.
func agent(p *corev1.Pod) bool { return p.Spec.HostNetwork }

// clause names the plugin in evidence.
func (p Plugin) clause() string {
	if p.Name == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(" (network plugin " + p.Name)
	if p.Options.BlocksMatchPods == engine.No {
		b.WriteString(", whose ipBlocks match no pods")
	}
	b.WriteString(")")
	return b.String()
}
