package snapshot

import (
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"watertight.dev/watertight/api/v1alpha1"
)

// lazyIndex is filled by the first question.
type lazyIndex struct {
	once sync.Once
	data index
}

type index struct {
	owners
	tenants    map[string]*v1alpha1.Tenant
	classes    map[string]*v1alpha1.TenantClass
	namespaces map[string]*corev1.Namespace
	names      []string
	pods       map[string][]*corev1.Pod
	exists     map[string]bool
	others     map[schema.GroupKind][]*unstructured.Unstructured
}

func (s *Snapshot) indexed() *index {
	s.index.once.Do(func() { s.index.data = buildIndex(s) })
	return &s.index.data
}

func buildIndex(s *Snapshot) index {
	x := index{
		owners:     record(s),
		tenants:    map[string]*v1alpha1.Tenant{},
		classes:    map[string]*v1alpha1.TenantClass{},
		namespaces: map[string]*corev1.Namespace{},
		pods:       map[string][]*corev1.Pod{},
		others:     map[schema.GroupKind][]*unstructured.Unstructured{},
		exists:     inhabited(s),
	}
	for _, t := range s.Tenants {
		x.tenants[t.Name] = t
	}
	for _, c := range s.TenantClasses {
		x.classes[c.Name] = c
	}
	for _, n := range s.Namespaces {
		x.namespaces[n.Name] = n
	}
	for _, p := range s.Pods {
		x.pods[p.Namespace] = append(x.pods[p.Namespace], p)
	}
	for _, o := range s.Others {
		gk := schema.GroupKind{Group: groupOf(o.GetAPIVersion()), Kind: o.GetKind()}
		x.others[gk] = append(x.others[gk], o)
	}
	names := maps.Clone(x.exists)
	for ns := range x.tenant {
		names[ns] = true
	}
	x.names = slices.Sorted(maps.Keys(names))
	return x
}

// inhabited marks the namespaces that are declared or that something is in.
func inhabited(s *Snapshot) map[string]bool {
	exists := map[string]bool{}
	for _, k := range kinds {
		for _, o := range k.Of(s) {
			if k.Kind == "Namespace" {
				exists[o.GetName()] = true
			} else if ns := o.GetNamespace(); ns != "" {
				exists[ns] = true
			}
		}
	}
	for _, w := range s.Workloads {
		exists[w.Object.GetNamespace()] = true
	}
	return exists
}

// TenantOf returns the tenant that owns the namespace, or "".
func (s *Snapshot) TenantOf(namespace string) string { return s.indexed().tenant[namespace] }

// NamespacesOf returns the full names of a tenant's namespaces, sorted.
func (s *Snapshot) NamespacesOf(tenant string) []string { return s.indexed().of[tenant] }

// Tenant returns the Tenant of that name, or nil.
func (s *Snapshot) Tenant(name string) *v1alpha1.Tenant { return s.indexed().tenants[name] }

// ClassOf returns the TenantClass of a Tenant, or nil where it does not exist.
func (s *Snapshot) ClassOf(t *v1alpha1.Tenant) *v1alpha1.TenantClass {
	return s.indexed().classes[t.Spec.ClassName]
}

// Namespace returns the Namespace of that name, or nil.
func (s *Snapshot) Namespace(name string) *corev1.Namespace { return s.indexed().namespaces[name] }

// Exists reports whether a namespace is declared or something is in it; a Tenant may
// name one that is not there yet.
func (s *Snapshot) Exists(namespace string) bool { return s.indexed().exists[namespace] }

// NamespaceNames returns every namespace that the snapshot speaks of, sorted: a folder
// may fill a namespace that it does not declare.
func (s *Snapshot) NamespaceNames() []string { return s.indexed().names }

// NamespaceLabels returns the labels of a namespace, with the one that the API server
// gives to each.
func (s *Snapshot) NamespaceLabels(name string) map[string]string {
	labels := map[string]string{}
	if ns := s.Namespace(name); ns != nil {
		maps.Copy(labels, ns.Labels)
	}
	labels[corev1.LabelMetadataName] = name
	return labels
}

// PodsIn returns the pods of a namespace.
func (s *Snapshot) PodsIn(namespace string) []*corev1.Pod { return s.indexed().pods[namespace] }

// OthersOf lists the untyped objects of a kind, whatever their version. Whether all of
// them were read, Missing(kind) tells.
func (s *Snapshot) OthersOf(group, kind string) []*unstructured.Unstructured {
	return s.indexed().others[schema.GroupKind{Group: group, Kind: kind}]
}

// Drift returns the namespaces on which record and labels differ.
func (s *Snapshot) Drift() []Drift { return s.indexed().drift }

// Source returns the file and document that an object was read from, or "".
func (s *Snapshot) Source(key ObjectKey) string { return s.Sources[key] }

// Missing returns the problems that leave any of the kinds incomplete: those that name
// one of them, and those that may hide anything.
func (s *Snapshot) Missing(kinds ...string) []Problem {
	var missing []Problem
	for _, p := range s.Problems {
		if !p.Stray && (p.Kind == "" || slices.Contains(kinds, p.Kind)) {
			missing = append(missing, p)
		}
	}
	return missing
}
