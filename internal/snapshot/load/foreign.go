package load

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// foreignGroup is a group of kinds that bear on verdicts, though the snapshot has no
// field for them.
type foreignGroup struct {
	name string
	// kinds could open or close something, so that they are missed by name where their
	// group cannot be looked into.
	kinds []string
	// only says that no other kind of the group is read.
	only bool
	// without are kinds that are not read: a controller's notes, of which there is one for
	// each pod.
	without []string
}

// foreignGroups are other policy engines, meshes, gateways and devices, what names a
// controller or an owner, and what custom resources there are.
var foreignGroups = []foreignGroup{
	{name: "policy.networking.k8s.io", kinds: []string{"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"}},
	{name: "cilium.io", kinds: []string{"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "CiliumCIDRGroup"},
		without: []string{"CiliumEndpoint", "CiliumEndpointSlice", "CiliumIdentity"}},
	{name: "crd.projectcalico.org", kinds: calicoKinds, only: true},
	{name: "projectcalico.org", kinds: calicoKinds, only: true},
	{name: "crd.antrea.io", kinds: []string{"NetworkPolicy", "ClusterNetworkPolicy"}, only: true},
	{name: "security.istio.io", kinds: []string{"PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication"}},
	{name: "networking.istio.io", kinds: []string{"ServiceEntry", "WorkloadEntry", "Gateway", "VirtualService", "DestinationRule", "Sidecar", "EnvoyFilter"}},
	{name: "policy.linkerd.io", kinds: []string{"Server", "AuthorizationPolicy", "ServerAuthorization", "MeshTLSAuthentication", "NetworkAuthentication", "HTTPRoute"}},
	{name: "gateway.networking.k8s.io", kinds: []string{"GatewayClass", "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ReferenceGrant"}},
	{name: "gateway.networking.x-k8s.io", kinds: []string{"XListenerSet"}},
	{name: "networking.k8s.io", kinds: []string{"IngressClass"}, only: true},
	{name: "resource.k8s.io", kinds: []string{"ResourceClaim", "ResourceClaimTemplate", "DeviceClass", "ResourceSlice"}},
	{name: "flowcontrol.apiserver.k8s.io", kinds: []string{"FlowSchema", "PriorityLevelConfiguration"}, only: true},
	{name: "apiextensions.k8s.io", kinds: []string{"CustomResourceDefinition"}, only: true},
	{name: capsuleGroup, kinds: []string{capsuleTenant}, only: true},
}

// calicoKinds leave out, beside a note for each pod, RemoteClusterConfigurations: they may
// hold credentials (docs.tigera.io, Remote cluster configuration).
var calicoKinds = []string{"NetworkPolicy", "GlobalNetworkPolicy", "NetworkSet", "GlobalNetworkSet", "HostEndpoint", "IPPool", "Tier"}

// Capsule's Tenants have the name of our own kind, which nothing can be judged without;
// theirs only say who owns the tenants that --tenancy capsule makes.
const (
	capsuleGroup  = "capsule.clastix.io"
	capsuleTenant = "Tenant"
)

// ForeignKinds are the kinds that Live reads beside those of the snapshot's fields, for
// whoever grants the rights: those that are known by name, and with the name "*" those
// of which it reads the whole group.
func ForeignKinds() []schema.GroupKind {
	var out []schema.GroupKind
	for _, f := range foreignGroups {
		for _, kind := range f.kinds {
			out = append(out, schema.GroupKind{Group: f.name, Kind: kind})
		}
		if !f.only {
			out = append(out, schema.GroupKind{Group: f.name, Kind: "*"})
		}
	}
	return out
}

// reads reports whether a kind of the group is read.
func (f foreignGroup) reads(kind string) bool {
	return !slices.Contains(f.without, kind) && (!f.only || slices.Contains(f.kinds, kind))
}

// missed is how a Problem names a kind of the group.
func (f foreignGroup) missed(kind string) string {
	if f.name == capsuleGroup {
		return kind + "." + f.name
	}
	return kind
}

// foreignListers lists what the server has of the foreign groups. A group that is not
// there is no problem; one that cannot be looked into is.
func foreignListers(config *rest.Config) ([]lister, error) {
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make discovery client: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make dynamic client: %w", err)
	}
	groups, err := disco.ServerGroups()
	if err != nil {
		return []lister{{kind: "", broken: fmt.Errorf("discover API groups: %w", err)}}, nil
	}
	var lists []lister
	for _, f := range foreignGroups {
		for _, g := range groups.Groups {
			if g.Name == f.name {
				lists = append(lists, f.listers(disco, client, g)...)
			}
		}
	}
	return lists, nil
}

// listers lists every kind of a group once: in the preferred version if that has it, else
// in another, for a group may serve some kinds in older versions only. A version that
// cannot be looked into hides the kinds that are known by name, and whatever else the
// group may have, for which the group's own name stands.
func (f foreignGroup) listers(disco discovery.DiscoveryInterface, client dynamic.Interface, group metav1.APIGroup) []lister {
	versions := []string{group.PreferredVersion.GroupVersion}
	for _, v := range group.Versions {
		if v.GroupVersion != versions[0] {
			versions = append(versions, v.GroupVersion)
		}
	}
	var lists, broken []lister
	seen := map[string]bool{}
	for _, version := range versions {
		gv, _ := schema.ParseGroupVersion(version)
		resources, err := disco.ServerResourcesForGroupVersion(version)
		if err != nil {
			for _, kind := range f.hidden() {
				broken = append(broken, lister{resource: gv.WithResource(""), kind: kind, broken: fmt.Errorf("discover %s: %w", version, err)})
			}
			continue
		}
		for _, r := range resources.APIResources {
			if slices.Contains(r.Verbs, "list") && f.reads(r.Kind) && !seen[f.missed(r.Kind)] {
				seen[f.missed(r.Kind)] = true
				lists = append(lists, foreignLister(client, gv.WithResource(r.Name), f.missed(r.Kind)))
			}
		}
	}
	for _, b := range broken { // unless another version has the kind
		if !seen[b.kind] {
			seen[b.kind] = true
			lists = append(lists, b)
		}
	}
	return lists
}

// hidden are the names that go missing with a version of the group.
func (f foreignGroup) hidden() []string {
	var names []string
	for _, kind := range f.kinds {
		names = append(names, f.missed(kind))
	}
	if !f.only {
		names = append(names, f.name)
	}
	return names
}

func foreignLister(client dynamic.Interface, resource schema.GroupVersionResource, kind string) lister {
	return lister{resource: resource, kind: kind, page: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.Resource(resource).List(ctx, options)
	}}
}
