package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"watertight.dev/watertight/api/v1alpha1"
)

// MappedClass is the name of the class that stands in for the one that a mapped tenant
// does not have. No API server would store an object of that name.
const MappedClass = "none (mapped)"

// mapped is what mappings made of a snapshot.
type mapped struct {
	tenants map[string]bool
	drift   []Drift
	notes   []string
}

// claim is a mapping's word on one namespace.
type claim struct {
	namespace, tenant string
	// why is the fact that it rests on ("its label team").
	why string
	// owners are the people the mapping knows of, if any.
	owners []v1alpha1.Owner
}

// IsMapped reports whether a tenant was made up by a mapping: there is no Tenant of that
// name, nothing is compiled for it, and nobody declared what it may do.
func (s *Snapshot) IsMapped(tenant string) bool { return s.mapped != nil && s.mapped.tenants[tenant] }

// TenancyNotes say where a mapping took the tenants from, and what follows from that.
func (s *Snapshot) TenancyNotes() []string {
	if s.mapped == nil {
		return nil
	}
	return slices.Clone(s.mapped.notes)
}

// WithTenancy returns a new snapshot in which the mappings say who owns the namespaces
// that no Tenant owns. Each of their tenants becomes a Tenant of the class MappedClass,
// which allows what only a declaration could forbid. Tenants have the last word: where a
// mapping differs from them, that is Drift. Where two mappings differ, the first counts,
// and a Problem keeps verdicts from being certain.
func (s *Snapshot) WithTenancy(mappings ...Mapping) *Snapshot {
	if len(mappings) == 0 {
		return s
	}
	a := assignment{from: s, owner: map[string]claim{}, by: map[string]string{}, people: map[string][]v1alpha1.Owner{}}
	for _, m := range mappings {
		a.notes = append(a.notes, m.note)
		for _, c := range m.claims(s) {
			a.take(m.String(), c)
		}
	}
	return a.snapshot()
}

// assignment gathers claims.
type assignment struct {
	from     *Snapshot
	owner    map[string]claim
	by       map[string]string // namespace → the mapping whose claim counts
	people   map[string][]v1alpha1.Owner
	drift    []Drift
	problems []Problem
	notes    []string
}

func (a *assignment) take(by string, c claim) {
	source := "namespace " + c.namespace
	problem := func(format string, args ...any) {
		a.problems = append(a.problems, Problem{Source: source, Kind: "Tenant", Message: fmt.Sprintf(format, args...)})
	}
	record, first := a.from.TenantOf(c.namespace), a.owner[c.namespace]
	switch {
	case record == c.tenant:
	case len(validation.IsValidLabelValue(c.tenant)) > 0:
		problem("--tenancy %s gives it to tenant %.80q by %s, which is no name for a tenant: correct it", by, c.tenant, c.why)
	case record != "":
		a.drift = append(a.drift, Drift{Namespace: c.namespace, Tenant: record, Label: c.tenant, Message: fmt.Sprintf(
			"namespace %s belongs to Tenant %s, and --tenancy %s gives it to %s by %s: correct that, or leave the mapping out", c.namespace, record, by, c.tenant, c.why)})
	case a.from.Tenant(c.tenant) != nil:
		a.drift = append(a.drift, Drift{Namespace: c.namespace, Tenant: c.tenant, Label: c.tenant, Message: fmt.Sprintf(
			"--tenancy %s gives namespace %s to %s by %s, and the Tenant of that name does not own it: add it to spec.namespaces, or correct the mapping", by, c.namespace, c.tenant, c.why)})
	case first.tenant == "":
		a.owner[c.namespace], a.by[c.namespace] = c, by
		a.addPeople(c)
	case first.tenant != c.tenant:
		problem("belongs to tenant %s by %s (--tenancy %s) and to %s by %s (--tenancy %s): correct one, or leave out a mapping", first.tenant, first.why, a.by[c.namespace], c.tenant, c.why, by)
	}
}

func (a *assignment) addPeople(c claim) {
	for _, o := range c.owners {
		if !slices.Contains(a.people[c.tenant], o) {
			a.people[c.tenant] = append(a.people[c.tenant], o)
		}
	}
}

// snapshot makes a Tenant of each owner.
func (a *assignment) snapshot() *Snapshot {
	of, sources := map[string][]string{}, map[ObjectKey]string{}
	for ns, c := range a.owner {
		of[c.tenant] = append(of[c.tenant], ns)
	}
	m := &mapped{tenants: map[string]bool{}, drift: a.drift}
	if before := a.from.mapped; before != nil {
		maps.Copy(m.tenants, before.tenants)
		m.drift, a.notes = slices.Concat(before.drift, m.drift), slices.Concat(before.notes, a.notes)
	}
	objects := []runtime.Object{mappedClass()}
	for _, tenant := range slices.Sorted(maps.Keys(of)) {
		slices.Sort(of[tenant])
		m.tenants[tenant] = true
		objects = append(objects, mappedTenant(tenant, of[tenant], a.people[tenant]))
		sources[ObjectKey{Group: v1alpha1.GroupVersion.Group, Kind: "Tenant", Name: tenant}] = "--tenancy " + a.by[of[tenant][0]]
	}
	m.notes = append(a.notes, a.leftOut(of)...)
	out := a.from.With(objects...).WithProblems(a.problems...).WithSources(sources)
	out.mapped = m
	return out
}

// leftOut says what no mapping covers, so that it is not taken for judged.
func (a *assignment) leftOut(of map[string][]string) []string {
	var rest, notes []string
	for _, ns := range a.from.NamespaceNames() {
		if a.owner[ns].tenant == "" && a.from.TenantOf(ns) == "" {
			rest = append(rest, ns)
		}
	}
	switch {
	case len(of) == 0:
		notes = append(notes, "the tenancy that was asked for finds no tenant")
	case len(a.people) < len(of):
		notes = append(notes, "who owns these tenants is not known: their ServiceAccounts are judged, and what everybody may do, not people")
	}
	const most = 12
	if more := len(rest) - most; more > 0 {
		rest = append(rest[:most:most], fmt.Sprintf("and %d more", more))
	}
	if len(rest) > 0 {
		notes = append(notes, "no tenant owns these namespaces, and nothing is judged for them: "+strings.Join(rest, ", "))
	}
	return notes
}

func mappedTenant(name string, namespaces []string, owners []v1alpha1.Owner) *v1alpha1.Tenant {
	return &v1alpha1.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.TenantSpec{ClassName: MappedClass, Owners: owners, DeletionPolicy: v1alpha1.DeletionRetain},
		Status:     v1alpha1.TenantStatus{Namespaces: namespaces},
	}
}

// mappedClass promises what can be judged without declarations: Pod Security baseline
// (the least that kubernetes.io asks of pods that are not trusted), no sandbox, no
// devices, no mesh. It forbids neither Service types nor host names: nobody declared them.
func mappedClass() *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: MappedClass},
		Spec: v1alpha1.TenantClassSpec{
			Description:  "stands in for the class that a mapped tenant does not have",
			ControlPlane: v1alpha1.ControlPlaneClass{Mode: v1alpha1.ControlPlaneShared},
			Kernel:       v1alpha1.KernelClass{Sandbox: v1alpha1.SandboxNone, PodSecurity: v1alpha1.PodSecurityBaseline},
			Network: v1alpha1.NetworkClass{
				Floor: v1alpha1.FloorAuto, DNSPorts: []int32{53}, Hostnames: []string{"*"},
				ServiceTypes: []corev1.ServiceType{corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer},
			},
			Device:   v1alpha1.DeviceClass{GPU: v1alpha1.GPUNone},
			Identity: v1alpha1.IdentityClass{Mesh: v1alpha1.MeshNone},
		},
	}
}
