package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"watertight.dev/watertight/api/v1alpha1"
)

// Mapping says how to find tenants where there are no Tenants. It is named by whoever
// asks, never guessed: labels decide nothing by themselves.
type Mapping struct {
	text, note string
	claims     func(*Snapshot) []claim
}

// String is the mapping as it was written.
func (m Mapping) String() string { return m.text }

// Mappings are the forms that ParseMapping reads, each with what it means.
func Mappings() [][2]string {
	return [][2]string{
		{"label=KEY", "the value of that label on a namespace"},
		{"prefix={tenant}-*", "the namespace's name up to the separator"},
		{"namespace", "every namespace a tenant, but for Kubernetes' own"},
		{"capsule", "the label that Capsule sets"},
		{"hnc", "the root of the hierarchy (HNC)"},
		{"rancher", "the Rancher project"},
		{"vcluster", "the virtual cluster (vCluster)"},
	}
}

// ParseMapping reads a mapping in one of the forms of Mappings.
func ParseMapping(text string) (Mapping, error) {
	form, argument, _ := strings.Cut(text, "=")
	m := Mapping{text: text}
	var err error
	switch form {
	case "label":
		m.note = fmt.Sprintf("tenancy is taken from the label %s of namespaces: whoever may set it decides who is a tenant", argument)
		m.claims = byLabel(argument)
		if faults := validation.IsQualifiedName(argument); len(faults) > 0 {
			err = fmt.Errorf("tenancy %q: %q is no label key (%s): write label=KEY", text, argument, faults[0])
		}
	case "prefix":
		m.note = fmt.Sprintf("tenancy is taken from the names of namespaces (%s): whoever may create a namespace chooses its tenant", argument)
		m.claims, err = byPrefix(text, argument)
	case "namespace":
		m.note = "every namespace is taken for a tenant of its own, but for Kubernetes' own and an empty default"
		m.claims = byNamespace
	case "capsule":
		m.note = "tenancy is taken from the label " + labelCapsule + ", which Capsule's webhook guards while it runs"
		m.claims = byCapsule
	case "hnc":
		m.note = "tenancy is taken from the tree labels (*" + labelTree + "), which the Hierarchical Namespace Controller guards while it runs; a tenant is the root of a tree"
		m.claims = byTree
	case "rancher":
		m.note = "tenancy is taken from " + projectID + " of namespaces, which Rancher sets: whoever may change it decides who is a tenant"
		m.claims = byProject
	case "vcluster":
		m.note = "tenancy is taken from the labels that vCluster sets on what it syncs: who may write to a host namespace itself decides who is a tenant"
		m.claims = byVirtualCluster
	default:
		err = unknownMapping(text)
	}
	if err == nil && form != "label" && form != "prefix" && form != text {
		err = fmt.Errorf("tenancy %q: %s takes no argument: write --tenancy %s", text, form, form)
	}
	return m, err
}

func unknownMapping(text string) error {
	var forms []string
	for _, f := range Mappings() {
		forms = append(forms, f[0])
	}
	return fmt.Errorf("tenancy %q is unknown: it is one of %s", text, strings.Join(forms, ", "))
}

func byLabel(key string) func(*Snapshot) []claim {
	return func(s *Snapshot) []claim {
		return eachNamespace(s, func(ns *corev1.Namespace) claim {
			return claim{tenant: ns.Labels[key], why: "its label " + key}
		})
	}
}

// eachNamespace asks for a claim on every namespace that is declared; one without a
// tenant is none.
func eachNamespace(s *Snapshot, ask func(*corev1.Namespace) claim) []claim {
	var out []claim
	for _, ns := range s.Namespaces {
		if c := ask(ns); c.tenant != "" {
			c.namespace = ns.Name
			out = append(out, c)
		}
	}
	return out
}

// byPrefix reads a form such as "{tenant}-*" or "team-{tenant}-*": literals around the
// tenant, which ends where the separator begins first.
func byPrefix(text, form string) (func(*Snapshot) []claim, error) {
	before, after, ok := strings.Cut(form, "{tenant}")
	separator, open := strings.CutSuffix(after, "*")
	switch {
	case !ok:
		return nil, fmt.Errorf("tenancy %q: say where the tenant's name stands: prefix={tenant}-*", text)
	case strings.ContainsAny(before+separator, "*{}"):
		return nil, fmt.Errorf("tenancy %q: {tenant} stands once and * only at the end: prefix={tenant}-*", text)
	case open && separator == "":
		return nil, fmt.Errorf("tenancy %q: put a separator between {tenant} and *: prefix={tenant}-*", text)
	}
	return func(s *Snapshot) []claim {
		var out []claim
		for _, ns := range s.NamespaceNames() {
			if tenant := prefixOf(ns, before, separator, open); tenant != "" && !systemNamespace(ns) {
				out = append(out, claim{namespace: ns, tenant: tenant, why: "its name"})
			}
		}
		return out
	}, nil
}

func prefixOf(name, before, separator string, open bool) string {
	rest, ok := strings.CutPrefix(name, before)
	switch {
	case !ok:
		return ""
	case !open:
		tenant, ok := strings.CutSuffix(rest, separator)
		if !ok {
			return ""
		}
		return tenant
	}
	tenant, more, _ := strings.Cut(rest, separator)
	if more == "" {
		return ""
	}
	return tenant
}

func byNamespace(s *Snapshot) []claim {
	var out []claim
	for _, ns := range s.NamespaceNames() {
		if !systemNamespace(ns) && (ns != corev1.NamespaceDefault || len(s.PodsIn(ns)) > 0) {
			out = append(out, claim{namespace: ns, tenant: ns, why: "its name"})
		}
	}
	return out
}

// systemNamespace reports whether a name is reserved: kube- (kubernetes.io, Namespaces:
// "avoid creating namespaces with the prefix kube-"), openshift (whose API server refuses
// it to users) and our own. Nothing else is passed over by its name: a tenant could
// choose such a name.
func systemNamespace(name string) bool {
	return strings.HasPrefix(name, "kube-") || name == "openshift" || strings.HasPrefix(name, "openshift-") ||
		name == v1alpha1.SystemNamespace
}

// labelCapsule is set on the namespaces of a Capsule tenant (projectcapsule.dev, Tenants).
const labelCapsule = "capsule.clastix.io/tenant"

// byCapsule takes the owners from Capsule's own Tenants, where those were read.
func byCapsule(s *Snapshot) []claim {
	owners := map[string][]v1alpha1.Owner{}
	for _, o := range s.OthersOf("capsule.clastix.io", "Tenant") {
		owners[o.GetName()] = capsuleOwners(o)
	}
	return eachNamespace(s, func(ns *corev1.Namespace) claim {
		tenant := ns.Labels[labelCapsule]
		return claim{tenant: tenant, why: "its label " + labelCapsule, owners: owners[tenant]}
	})
}

func capsuleOwners(tenant *unstructured.Unstructured) []v1alpha1.Owner {
	list, _, _ := unstructured.NestedSlice(tenant.Object, "spec", "owners") // a malformed list names nobody
	var out []v1alpha1.Owner
	for _, o := range list {
		fields, _ := o.(map[string]any)
		kind, _ := fields["kind"].(string)
		name, _ := fields["name"].(string)
		owner := v1alpha1.Owner{Kind: kind, Name: name}
		if account, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok && kind == "ServiceAccount" {
			owner.Namespace, owner.Name, _ = strings.Cut(account, ":")
		}
		if slices.Contains([]string{"User", "Group", "ServiceAccount"}, kind) && owner.Name != "" {
			out = append(out, owner)
		}
	}
	return out
}

// labelTree ends the labels ROOT.tree.hnc.x-k8s.io/depth: how far above a namespace its
// ancestor ROOT stands; its own is 0 (HNC user guide, "Tree labels").
const labelTree = ".tree.hnc.x-k8s.io/depth"

func byTree(s *Snapshot) []claim {
	return eachNamespace(s, func(ns *corev1.Namespace) claim {
		root, furthest := "", -1
		for key, value := range ns.Labels {
			ancestor, ok := strings.CutSuffix(key, labelTree)
			depth, err := strconv.Atoi(value)
			if ok && err == nil && (depth > furthest || depth == furthest && ancestor < root) {
				root, furthest = ancestor, depth
			}
		}
		if systemNamespace(ns.Name) {
			root = ""
		}
		return claim{tenant: root, why: "its tree labels"}
	})
}

// projectID is the annotation (CLUSTER:PROJECT) and label (PROJECT) of a namespace in a
// Rancher project (ranchermanager.docs.rancher.com, Projects).
const projectID = "field.cattle.io/projectId"

func byProject(s *Snapshot) []claim {
	return eachNamespace(s, func(ns *corev1.Namespace) claim {
		project, why := ns.Annotations[projectID], "its annotation "+projectID
		if _, after, ok := strings.Cut(project, ":"); ok {
			project = after
		}
		if project == "" {
			project, why = ns.Labels[projectID], "its label "+projectID
		}
		return claim{tenant: project, why: why}
	})
}

// The labels of vCluster: on the namespaces that it makes for a virtual cluster's own
// (sync.toHost.namespaces), and on the pods that it syncs into one host namespace
// (vcluster.com, Sync to host).
const (
	vclusterName      = "vcluster.loft.sh/vcluster-name"
	vclusterNamespace = "vcluster.loft.sh/vcluster-namespace"
	vclusterManagedBy = "vcluster.loft.sh/managed-by"
)

// virtual is a virtual cluster and its host namespace.
type virtual struct{ name, host string }

// byVirtualCluster names tenants after their virtual clusters; where two have one name,
// the host namespace tells them apart.
func byVirtualCluster(s *Snapshot) []claim {
	homes, hosts := virtualClusters(s), map[string]map[string]bool{}
	for _, list := range homes {
		for _, v := range list {
			if hosts[v.name] == nil {
				hosts[v.name] = map[string]bool{}
			}
			hosts[v.name][v.host] = true
		}
	}
	var out []claim
	for _, ns := range s.NamespaceNames() {
		for _, v := range homes[ns] {
			tenant := v.name
			if len(hosts[v.name]) > 1 {
				tenant = v.host + "." + v.name
			}
			out = append(out, claim{namespace: ns, tenant: tenant, why: "the label of virtual cluster " + v.name})
		}
	}
	return out
}

// virtualClusters are those that put something into a namespace.
func virtualClusters(s *Snapshot) map[string][]virtual {
	homes := map[string][]virtual{}
	for _, ns := range s.Namespaces {
		either := func(key string) string { return cmp.Or(ns.Labels[key], ns.Annotations[key]) }
		if name := either(vclusterName); name != "" {
			homes[ns.Name] = []virtual{{name, either(vclusterNamespace)}}
		}
	}
	synced := map[string][]virtual{}
	for _, p := range s.Pods {
		v := virtual{p.Labels[vclusterManagedBy], p.Namespace}
		if v.name != "" && homes[p.Namespace] == nil && !slices.Contains(synced[p.Namespace], v) {
			synced[p.Namespace] = append(synced[p.Namespace], v)
		}
	}
	maps.Copy(homes, synced)
	return homes
}
