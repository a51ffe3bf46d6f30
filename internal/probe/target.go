package probe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// maxForeign bounds the foreign namespaces that are tried, so that a probe of one
// tenant does not grow with the number of tenants.
const maxForeign = 6

// Target is what a probe needs to know of the tenant it plays and of its neighbours.
type Target struct {
	// Tenant is its name.
	Tenant string
	Spec   v1alpha1.TenantSpec
	Class  v1alpha1.TenantClassSpec
	// Namespaces are the tenant's, by their full names.
	Namespaces []string
	// Neighbour is another tenant, "" where there is none.
	Neighbour string
	// Foreign are namespaces that are not the tenant's: its neighbours' first.
	Foreign []string
	// Guards are the objects that the tenant must not be able to touch.
	Guards []GuardObject
	// Node is a node's name, "" where there is none.
	Node string
	// RuntimeClasses are those of the cluster.
	RuntimeClasses []string
	// Budget is what the Tenant asks for and, for the rest, what its quotas add up to.
	Budget corev1.ResourceList
}

// GuardObject is an object of the operator.
type GuardObject struct {
	// Resource is "v1/resourcequotas".
	Resource, Namespace, Name string
}

// NewTarget gathers what the snapshot says about a tenant.
func NewTarget(s *snapshot.Snapshot, tenant string) (Target, error) {
	i := slices.IndexFunc(s.Tenants, func(t *v1alpha1.Tenant) bool { return t.Name == tenant })
	if i < 0 {
		return Target{}, fmt.Errorf("find Tenant %s: it is not in the snapshot", tenant)
	}
	t := Target{Tenant: tenant, Spec: s.Tenants[i].Spec, Namespaces: namespacesOf(s.Tenants[i])}
	for _, c := range s.TenantClasses {
		if c.Name == t.Spec.ClassName {
			t.Class = c.Spec
		}
	}
	for _, other := range s.Tenants {
		if other.Name == tenant {
			continue
		}
		if t.Neighbour == "" {
			t.Neighbour = other.Name
		}
		t.Foreign = append(t.Foreign, namespacesOf(other)...)
	}
	if len(t.Foreign) > maxForeign {
		t.Foreign = t.Foreign[:maxForeign]
	}
	t.Foreign = append(t.Foreign, metav1.NamespaceSystem, v1alpha1.SystemNamespace)
	if len(s.Nodes) > 0 {
		t.Node = s.Nodes[0].Name
	}
	for _, c := range s.RuntimeClasses {
		t.RuntimeClasses = append(t.RuntimeClasses, c.Name)
	}
	t.Guards = guardsOf(s, t.Namespaces)
	t.Budget = budgetOf(s, t)
	return t, nil
}

// budgetOf adds up the operator's quotas, and lets the Tenant have the last word.
func budgetOf(s *snapshot.Snapshot, t Target) corev1.ResourceList {
	budget := corev1.ResourceList{}
	for _, q := range s.ResourceQuotas {
		if q.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy || !slices.Contains(t.Namespaces, q.Namespace) {
			continue
		}
		for name, hard := range q.Spec.Hard {
			sum := budget[name]
			sum.Add(hard)
			budget[name] = sum
		}
	}
	maps.Copy(budget, t.Spec.Capacity)
	return budget
}

// namespacesOf prefers the operator's record to what the Tenant asks for.
func namespacesOf(t *v1alpha1.Tenant) []string {
	if len(t.Status.Namespaces) > 0 {
		return slices.Clone(t.Status.Namespaces)
	}
	var names []string
	for _, ns := range t.Spec.Namespaces {
		names = append(names, v1alpha1.NamespaceName(t.Name, ns.Name))
	}
	return names
}

// guardsOf lists the operator's objects in the namespaces, and those of the cluster.
func guardsOf(s *snapshot.Snapshot, namespaces []string) []GuardObject {
	own := func(namespace string) bool { return slices.Contains(namespaces, namespace) }
	anywhere := func(string) bool { return true }
	const rbac, admission = "rbac.authorization.k8s.io/v1/", "admissionregistration.k8s.io/v1/"
	return slices.Concat(
		managed("v1/resourcequotas", s.ResourceQuotas, own),
		managed("v1/limitranges", s.LimitRanges, own),
		managed("v1/serviceaccounts", s.ServiceAccounts, own),
		managed("networking.k8s.io/v1/networkpolicies", s.NetworkPolicies, own),
		managed(v1alpha1.GroupVersion.String()+"/guards", s.Guards, own),
		managed(rbac+"roles", s.Roles, own),
		managed(rbac+"rolebindings", s.RoleBindings, own),
		managed(admission+"validatingadmissionpolicies", s.Policies, anywhere),
		managed(admission+"validatingadmissionpolicybindings", s.PolicyBindings, anywhere),
		managed(admission+"mutatingadmissionpolicies", s.Mutations, anywhere),
		managed(admission+"mutatingadmissionpolicybindings", s.MutationBindings, anywhere),
	)
}

func managed[T metav1.Object](resource string, objects []T, in func(namespace string) bool) []GuardObject {
	var out []GuardObject
	for _, o := range objects {
		ours := o.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy || o.GetName() == v1alpha1.GuardName
		if ours && in(o.GetNamespace()) {
			out = append(out, GuardObject{Resource: resource, Namespace: o.GetNamespace(), Name: o.GetName()})
		}
	}
	return out
}

// RuntimeClass is the one the tenant's class demands, "" for none.
func (t Target) RuntimeClass() string {
	switch k := t.Class.Kernel; {
	case k.RuntimeClassName != "":
		return k.RuntimeClassName
	case k.Sandbox == "" || k.Sandbox == v1alpha1.SandboxNone:
		return ""
	default:
		return strings.ToLower(string(k.Sandbox))
	}
}
