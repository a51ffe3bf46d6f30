// Package compile turns a Tenant, its TenantClass and the cluster's capabilities into
// the objects that isolate it. It is pure: the same input gives the same objects, in
// the same order, and nothing is read or written on the way. It applies nothing.
package compile

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// Object is any Kubernetes object.
type Object interface {
	runtime.Object
	metav1.Object
}

// Capabilities are what the cluster was seen to offer. The zero value is a cluster
// that offers nothing beyond Kubernetes 1.30.
type Capabilities struct {
	// MutatingAdmissionPolicy says that admissionregistration.k8s.io/v1 serves the kind.
	MutatingAdmissionPolicy bool `json:"mutatingAdmissionPolicy,omitempty"`
	// ClusterNetworkPolicy says that an engine was seen to enforce
	// policy.networking.k8s.io/v1alpha2; an installed CRD alone is no engine.
	ClusterNetworkPolicy bool `json:"clusterNetworkPolicy,omitempty"`
	// RuntimeClasses are the names of the RuntimeClasses there are.
	RuntimeClasses []string `json:"runtimeClasses,omitempty"`
	// DefaultPriorityClass is the name of the globalDefault PriorityClass, if any: the
	// API server writes it into every pod that names none.
	DefaultPriorityClass string `json:"defaultPriorityClass,omitempty"`
	// PlatformNamespaces are where the classes say DNS and the ingress controllers live.
	PlatformNamespaces []string `json:"platformNamespaces,omitempty"`
	// ClusterCIDRs are the blocks of the cluster's own pods, Services and nodes. Some
	// engines match pod addresses with ipBlock, so flows to wider blocks except them.
	ClusterCIDRs []string `json:"clusterCIDRs,omitempty"`
}

// Input is everything a compilation depends on.
type Input struct {
	Tenant *v1alpha1.Tenant
	// Class is the tenant's class, or nil where it does not exist.
	Class *v1alpha1.TenantClass
	// Peers are the other tenants; only those that the tenant's flows name matter.
	Peers        []*v1alpha1.Tenant
	Capabilities Capabilities
	// Quotas is the share of the budget that each namespace has, by its name inside
	// the tenant. Nil splits the budget evenly.
	Quotas Shares
}

// Result is what isolates a tenant.
type Result struct {
	// Objects in the order in which they are to be applied: namespaces, what
	// restricts, what grants. Namespaces are without the label that unseals them.
	Objects []Object
}

// Tenant compiles one tenant. It returns a *Rejected error when the tenant asks for
// something that its class or the cluster cannot give.
func Tenant(in Input) (Result, error) {
	if err := check(in); err != nil {
		return Result{}, err
	}
	b := &builder{Input: in}
	steps := []func(*builder){
		addNamespaces, addGuards, addCapacity, addNetworkPolicies, addFloor, addServiceAccounts, addAccess,
	}
	for _, step := range steps {
		step(b)
	}
	return Result{Objects: b.objects}, nil
}

// builder collects the objects of one tenant.
type builder struct {
	Input
	objects []Object
}

func (b *builder) add(o Object) { b.objects = append(b.objects, o) }

// meta is the metadata of a namespaced or cluster-scoped object of the tenant.
func (b *builder) meta(namespace, name string, enforces ...guarantee.ID) metav1.ObjectMeta {
	return objectMeta(b.Tenant.Name, namespace, name, enforces...)
}

func objectMeta(tenant, namespace, name string, enforces ...guarantee.ID) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Name:      name,
		Namespace: namespace,
		Labels:    map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
	}
	if tenant != "" {
		m.Labels[v1alpha1.LabelTenant] = tenant
	}
	if len(enforces) > 0 {
		ids := make([]string, len(enforces))
		for i, id := range enforces {
			ids[i] = string(id)
		}
		m.Annotations = map[string]string{v1alpha1.AnnotationGuarantees: strings.Join(ids, ",")}
	}
	return m
}

// host is the cluster-wide name of one of the tenant's namespaces.
func (b *builder) host(namespace string) string {
	return v1alpha1.NamespaceName(b.Tenant.Name, namespace)
}

// PlatformNamespaces are the namespaces that a class takes for the platform's: a tenant's
// namespace of that name would pass for DNS or the ingress controllers.
func PlatformNamespaces(class *v1alpha1.TenantClass) []string {
	var out []string
	for _, p := range append(dns(class.Spec.Network), class.Spec.Network.IngressFrom...) {
		out = append(out, p.Namespace)
	}
	return out
}

// NodeCIDRs are the blocks of a node's pods and its own addresses.
func NodeCIDRs(n *corev1.Node) []string {
	out := slices.Clone(n.Spec.PodCIDRs)
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil {
			out = append(out, netip.PrefixFrom(ip, ip.BitLen()).String())
		}
	}
	return out
}
