package netreach

import (
	"fmt"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// judgeHosts asks what pods on the host's network reach past the policies: a node always
// reaches the pods that it runs
// (kubernetes.io/docs/concepts/services-networking/network-policies).
func (j *judge) judgeHosts() {
	if j.plugin.Options.NodeLocalExempt == engine.No {
		return
	}
	foreign := map[string]map[string]bool{} // node → tenants with pods there
	for _, p := range j.snapshot.Pods {
		if t := j.snapshot.TenantOf(p.Namespace); t != "" {
			if foreign[p.Spec.NodeName] == nil {
				foreign[p.Spec.NodeName] = map[string]bool{}
			}
			foreign[p.Spec.NodeName][t] = true
		}
	}
	for _, p := range j.snapshot.Pods {
		t := j.snapshot.TenantOf(p.Namespace)
		l := j.ledgers[t]
		if l == nil || !p.Spec.HostNetwork {
			continue
		}
		evidence := analyze.About(j.snapshot, p, "spec.hostNetwork", "a node reaches the pods that it runs, whatever policies say")
		switch others := len(foreign[p.Spec.NodeName]) - 1; {
		case p.Spec.NodeName == "":
			l.Doubt(guarantee.NET1, "HostNetwork", fmt.Sprintf("%s uses the node's network, and its node is not known: it reaches whatever pods of others run there; remove spec.hostNetwork", snapshot.KeyOf(p)), evidence)
		case others > 0:
			l.Break(guarantee.NET1, "HostNetworkOnSharedNode", fmt.Sprintf("%s uses the network of node %s, on which %d other tenants have pods: a node reaches the pods that it runs, whatever policies say; remove spec.hostNetwork", snapshot.KeyOf(p), p.Spec.NodeName, others), evidence)
		}
	}
}

// judgeNodes asks whether a tenant's pods may open connections to nodes and kubelets
// (NET-6).
func (j *judge) judgeNodes() {
	nodes := netset.Addresses{}
	for _, n := range j.snapshot.Nodes {
		nodes = nodes.Union(engine.AddressesOfNode(n))
	}
	for _, t := range j.snapshot.Tenants {
		l := j.ledgers[t.Name]
		if nodes.Empty() {
			l.Doubt(guarantee.NET6, "NodesNotSeen", "no address of a node is known here: whether a rule leads to one cannot be told")
		} else if j.plugin.Options.NodeLocalExempt != engine.No {
			l.Doubt(guarantee.NET6, "OwnNodeExempt", "traffic between a pod and the node that runs it is exempt from NetworkPolicies (kubernetes.io, Network Policies): what the node's ports answer, a probe must see")
		}
	}
	for _, c := range j.engine.Classes() {
		if j.declarations[c.Tenant()] == nil || nodes.Empty() {
			continue
		}
		for _, a := range j.engine.Outside(rules.Egress, c) {
			at := a.Addresses.Intersect(nodes)
			if at.Empty() || a.Sure.Empty() {
				continue
			}
			j.culprits.charge(j.engine, offence{
				id: guarantee.NET6, tenant: c.Tenant(), dir: rules.Egress, near: c, addresses: at, ports: a.Sure, sure: true,
			}, func(why engine.Cause) bool { return onlyHostNetwork(why, c) })
		}
	}
}

// onlyHostNetwork: a pod that is the node to the network reaches it in any case; NET-1
// and KRN-1 say so.
func onlyHostNetwork(why engine.Cause, c *engine.Class) bool {
	return why.Policy == nil && c.HostNetwork
}
