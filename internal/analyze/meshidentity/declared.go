package meshidentity

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze/meshidentity/istio"
	"watertight.dev/watertight/internal/snapshot"
)

// identity is a ServiceAccount: whoever has its token gets its certificate, with a proxy
// or without one.
type identity struct {
	istio.Peer
	// pods that run as it.
	pods []*corev1.Pod
}

func (i *identity) String() string { return i.Namespace + "/" + i.Account }

// identitiesOf lists every ServiceAccount that is declared or used, and the default one
// of every namespace, in order.
func identitiesOf(s *snapshot.Snapshot) []*identity {
	byName := map[[2]string]*identity{}
	get := func(namespace, account string) *identity {
		key := [2]string{namespace, cmp.Or(account, "default")}
		if byName[key] == nil {
			byName[key] = &identity{Peer: istio.Peer{Namespace: key[0], Account: key[1], Meshed: true}}
		}
		return byName[key]
	}
	for _, ns := range s.NamespaceNames() {
		get(ns, "default")
	}
	for _, a := range s.ServiceAccounts {
		get(a.Namespace, a.Name)
	}
	for _, p := range s.Pods {
		id := get(p.Namespace, p.Spec.ServiceAccountName)
		id.pods = append(id.pods, p)
		if p.Status.PodIP != "" {
			id.Addresses = append(id.Addresses, p.Status.PodIP)
		}
	}
	out := make([]*identity, 0, len(byName))
	for _, id := range byName {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b *identity) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Account, b.Account))
	})
	return out
}

// declares reports whether the tenant's flows let an identity come to a port of a pod.
// Inside a namespace nothing need be declared. The port 0 stands for any.
func (j *judge) declares(id *identity, dst *corev1.Pod, port int32) bool {
	if id.Namespace == dst.Namespace {
		return true
	}
	return slices.ContainsFunc(j.tenant.Spec.Network.Flows, func(f v1alpha1.Flow) bool {
		return j.receives(f.To, dst) && carries(f.Ports, port) && j.comes(f.From, id)
	})
}

// receives reports whether a flow's end is the pod.
func (j *judge) receives(to v1alpha1.FlowEnd, dst *corev1.Pod) bool {
	if to.Namespace == "" || to.Tenant != "" && to.Tenant != j.tenant.Name {
		return false
	}
	return v1alpha1.NamespaceName(j.tenant.Name, to.Namespace) == dst.Namespace && within(to.Pods, dst.Labels)
}

// comes reports whether an identity is that of a flow's source.
func (j *judge) comes(from v1alpha1.FlowEnd, id *identity) bool {
	switch {
	case from.Ingress:
		return slices.ContainsFunc(j.class.Spec.Network.IngressFrom, func(p v1alpha1.PeerSelector) bool {
			return p.Namespace == id.Namespace && id.runs(p.Pods)
		})
	case from.CIDR != "":
		return false
	}
	owner := cmp.Or(from.Tenant, j.tenant.Name)
	if j.snapshot.TenantOf(id.Namespace) != owner {
		return false
	}
	return (from.Namespace == "" || v1alpha1.NamespaceName(owner, from.Namespace) == id.Namespace) && id.runs(from.Pods)
}

// runs reports whether a pod with the labels has the identity; one that has no pods yet
// may get them.
func (i *identity) runs(labels map[string]string) bool {
	return len(i.pods) == 0 || slices.ContainsFunc(i.pods, func(p *corev1.Pod) bool { return within(labels, p.Labels) })
}

func carries(ports []v1alpha1.FlowPort, port int32) bool {
	if len(ports) == 0 || port == istio.AnyPort {
		return true
	}
	return slices.ContainsFunc(ports, func(p v1alpha1.FlowPort) bool {
		last := p.Port
		if p.EndPort != nil {
			last = *p.EndPort
		}
		return (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) && p.Port <= port && port <= last
	})
}

func within(wanted, have map[string]string) bool {
	for k, v := range wanted {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
