package compile

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	networkingv1 "k8s.io/api/networking/v1"
	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// The Admin tier allows at most 25 rules with 25 peers and 25 ports each
// (network-policy-api, ClusterNetworkPolicy v1alpha2).
const maxFloorEntries = 25

// floorPriority is where the floor stands in the Admin tier: after the platform's own
// exceptions (lower numbers), before its catch-alls.
const floorPriority = 500

// usesClusterFloor says whether the floor has a layer below admission: where the class
// demands it, or where it leaves the choice to us and an engine was seen to enforce it.
func usesClusterFloor(in Input) bool {
	floor := in.Class.Spec.Network.Floor
	return floor == v1alpha1.FloorClusterNetworkPolicy ||
		(floor == "" || floor == v1alpha1.FloorAuto) && in.Capabilities.ClusterNetworkPolicy
}

// addFloor adds the ClusterNetworkPolicies that no NetworkPolicy can reopen: Pass (never
// Accept, which would skip the tenant's own tiers) for its own namespaces, DNS, ingress
// and shares, then Deny for every other pod of the cluster. What it cannot cover is
// traffic from outside the cluster: ingress peers of this API are pods only.
func addFloor(b *builder) {
	if !usesClusterFloor(b.Input) {
		return
	}
	own := policyv1alpha2.NamespacedPod{
		NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTenant: b.Tenant.Name}},
	}
	ingress := []policyv1alpha2.NamespacedPod{own}
	egress := []policyv1alpha2.NamespacedPod{own}
	for _, p := range dns(b.Class.Spec.Network) {
		egress = append(egress, namespacedPod(p.Namespace, p.Pods))
	}
	for _, l := range b.links() {
		ingress = append(ingress, foreignPods(l.from)...)
		egress = append(egress, foreignPods(l.to)...)
	}
	b.add(&policyv1alpha2.ClusterNetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: policyv1alpha2.GroupVersion.String(), Kind: "ClusterNetworkPolicy"},
		ObjectMeta: b.meta("", "watertight-floor-"+b.Tenant.Name, guarantee.NET1, guarantee.NET5),
		Spec: policyv1alpha2.ClusterNetworkPolicySpec{
			Tier:     policyv1alpha2.AdminTier,
			Priority: floorPriority,
			Subject:  policyv1alpha2.ClusterNetworkPolicySubject{Namespaces: &own.NamespaceSelector},
			Ingress:  floorIngress(ingress),
			Egress:   floorEgress(egress),
		},
	})
}

// foreignPods are the pods at an end that is not in the tenant; IP blocks are not pods.
func foreignPods(e end) []policyv1alpha2.NamespacedPod {
	var out []policyv1alpha2.NamespacedPod
	for _, p := range e.peers {
		if p.NamespaceSelector != nil {
			out = append(out, policyv1alpha2.NamespacedPod{NamespaceSelector: *p.NamespaceSelector, PodSelector: podSelector(p)})
		}
	}
	return out
}

func podSelector(p networkingv1.NetworkPolicyPeer) metav1.LabelSelector {
	if p.PodSelector == nil {
		return metav1.LabelSelector{}
	}
	return *p.PodSelector
}

func namespacedPod(namespace string, pods map[string]string) policyv1alpha2.NamespacedPod {
	return policyv1alpha2.NamespacedPod{
		NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{namespaceNameLabel: namespace}},
		PodSelector:       metav1.LabelSelector{MatchLabels: pods},
	}
}

// everyPod is every pod of the cluster.
func everyPod() *policyv1alpha2.NamespacedPod { return &policyv1alpha2.NamespacedPod{} }

func floorIngress(pass []policyv1alpha2.NamespacedPod) []policyv1alpha2.ClusterNetworkPolicyIngressRule {
	var rules []policyv1alpha2.ClusterNetworkPolicyIngressRule
	for _, chunk := range chunks(pass) {
		rule := policyv1alpha2.ClusterNetworkPolicyIngressRule{Name: "declared", Action: policyv1alpha2.ClusterNetworkPolicyRuleActionPass}
		for _, p := range chunk {
			rule.From = append(rule.From, policyv1alpha2.ClusterNetworkPolicyIngressPeer{Pods: &p})
		}
		rules = append(rules, rule)
	}
	return append(rules, policyv1alpha2.ClusterNetworkPolicyIngressRule{
		Name: "floor", Action: policyv1alpha2.ClusterNetworkPolicyRuleActionDeny,
		From: []policyv1alpha2.ClusterNetworkPolicyIngressPeer{{Pods: everyPod()}},
	})
}

func floorEgress(pass []policyv1alpha2.NamespacedPod) []policyv1alpha2.ClusterNetworkPolicyEgressRule {
	var rules []policyv1alpha2.ClusterNetworkPolicyEgressRule
	for _, chunk := range chunks(pass) {
		rule := policyv1alpha2.ClusterNetworkPolicyEgressRule{Name: "declared", Action: policyv1alpha2.ClusterNetworkPolicyRuleActionPass}
		for _, p := range chunk {
			rule.To = append(rule.To, policyv1alpha2.ClusterNetworkPolicyEgressPeer{Pods: &p})
		}
		rules = append(rules, rule)
	}
	return append(rules, policyv1alpha2.ClusterNetworkPolicyEgressRule{
		Name: "floor", Action: policyv1alpha2.ClusterNetworkPolicyRuleActionDeny,
		To: []policyv1alpha2.ClusterNetworkPolicyEgressPeer{
			{Pods: everyPod()},
			{Networks: []policyv1alpha2.CIDR{"169.254.0.0/16", "fd00:ec2::254/128"}},
		},
	})
}

// chunks cuts the peers into lists that a rule may hold.
func chunks(peers []policyv1alpha2.NamespacedPod) [][]policyv1alpha2.NamespacedPod {
	var out [][]policyv1alpha2.NamespacedPod
	for len(peers) > maxFloorEntries {
		out = append(out, peers[:maxFloorEntries])
		peers = peers[maxFloorEntries:]
	}
	return append(out, peers)
}
