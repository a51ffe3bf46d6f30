package compile

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"watertight.dev/watertight/api/v1alpha1"
)

// Rejected says why a tenant cannot be compiled: a mistake of its author's, or something
// that its class or the cluster does not give. The tenant then stays as it was.
type Rejected struct {
	// Reason is a CamelCase word for the condition ("ClassNotFound").
	Reason string
	// Field is the path of the field that decides ("spec.capacity[requests.cpu]").
	Field string
	// Message says what is wrong and how to mend it.
	Message string
}

// Error prints "field: message".
func (r *Rejected) Error() string { return r.Field + ": " + r.Message }

func reject(reason, field, format string, args ...any) *Rejected {
	return &Rejected{Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)}
}

// checks are asked in this order; the first that objects decides.
var checks = []func(Input) *Rejected{
	checkClass, checkSupported, checkVersion, checkNamespaces, checkRuntime, checkFloor,
	checkBudget, checkFlowEnds, checkFlowLabels, checkCIDRs, checkIngress,
}

func check(in Input) error {
	for _, c := range checks {
		if r := c(in); r != nil {
			return r
		}
	}
	return nil
}

func checkClass(in Input) *Rejected {
	if in.Class == nil {
		return reject("ClassNotFound", "spec.className",
			"TenantClass %q does not exist; create it or name one that does (kubectl get tenantclasses)", in.Tenant.Spec.ClassName)
	}
	if len(in.Class.Name) > 63 {
		return reject("ClassNotFound", "spec.className", "the name of the TenantClass is longer than 63 characters")
	}
	return nil
}

// checkSupported keeps promises that this version cannot keep from looking kept.
func checkSupported(in Input) *Rejected {
	class := in.Class.Spec
	unsupported := func(field string, value any) *Rejected {
		return reject("NotSupported", "spec.className", "TenantClass %q asks for %s: %v, which this version of Watertight "+
			"does not build yet; choose a class without it", in.Class.Name, field, value)
	}
	if m := class.ControlPlane.Mode; m != "" && m != v1alpha1.ControlPlaneShared {
		return unsupported("controlPlane.mode", m)
	}
	if g := class.Device.GPU; g != "" && g != v1alpha1.GPUNone {
		return unsupported("device.gpu", g)
	}
	if m := class.Identity.Mesh; m != "" && m != v1alpha1.MeshNone {
		return unsupported("identity.mesh", m)
	}
	return nil
}

func checkVersion(in Input) *Rejected {
	cp := in.Tenant.Spec.ControlPlane
	if cp == nil || cp.Version == "" {
		return nil
	}
	return reject("NotSupported", "spec.controlPlane.version",
		"TenantClass %q shares the host's API server, so its version cannot be chosen; remove the field", in.Class.Name)
}

func checkNamespaces(in Input) *Rejected {
	seen := map[string]bool{}
	for i, n := range in.Tenant.Spec.Namespaces {
		field := fmt.Sprintf("spec.namespaces[%d].name", i)
		host := v1alpha1.NamespaceName(in.Tenant.Name, n.Name)
		if seen[host] {
			return reject("NamespaceConflict", field, "namespace %q is named twice; remove one", n.Name)
		}
		seen[host] = true
		if len(host) > 63 {
			return reject("NameTooLong", field, "the namespace would be called %q, which is longer than 63 characters; shorten it", host)
		}
		if slices.Contains(in.Capabilities.PlatformNamespaces, host) {
			return reject("NamespaceReserved", field,
				"namespace %q is where a TenantClass says DNS or the ingress controllers live; choose another name", host)
		}
		if owner := claimant(in, host); owner != "" {
			return reject("NamespaceConflict", field,
				"namespace %q is claimed by tenant %q already; rename one of the two", host, owner)
		}
	}
	return nil
}

// claimant is the other tenant that a namespace belongs to: the one whose record has it,
// or, where nobody has it yet, the one that claimed it first, by age, then by name.
func claimant(in Input, host string) string {
	if slices.Contains(in.Tenant.Status.Namespaces, host) {
		return ""
	}
	for _, p := range in.Peers {
		if p.Name == in.Tenant.Name {
			continue
		}
		claims := slices.ContainsFunc(p.Spec.Namespaces, func(n v1alpha1.TenantNamespace) bool {
			return v1alpha1.NamespaceName(p.Name, n.Name) == host
		})
		if slices.Contains(p.Status.Namespaces, host) || claims && older(p, in.Tenant) {
			return p.Name
		}
	}
	return ""
}

func older(a, b *v1alpha1.Tenant) bool {
	if !a.CreationTimestamp.Time.Equal(b.CreationTimestamp.Time) {
		return a.CreationTimestamp.Time.Before(b.CreationTimestamp.Time)
	}
	return a.Name < b.Name
}

func checkRuntime(in Input) *Rejected {
	kernel := in.Class.Spec.Kernel
	name := RuntimeClassName(kernel)
	if name == "" {
		if kernel.RuntimeClassName != "" {
			return reject("ClassInvalid", "spec.className",
				"TenantClass %q names kernel.runtimeClassName without a sandbox; set kernel.sandbox or remove it", in.Class.Name)
		}
		return nil
	}
	if !slices.Contains(in.Capabilities.RuntimeClasses, name) {
		return reject("RuntimeAbsent", "spec.className",
			"TenantClass %q runs pods behind %s, but the cluster has no RuntimeClass %q; install the runtime on the nodes "+
				"and create the RuntimeClass, or choose another class", in.Class.Name, kernel.Sandbox, name)
	}
	return nil
}

func checkFloor(in Input) *Rejected {
	if in.Class.Spec.Network.Floor == v1alpha1.FloorClusterNetworkPolicy && !in.Capabilities.ClusterNetworkPolicy {
		return reject("FloorAbsent", "spec.className",
			"TenantClass %q lays its floor with ClusterNetworkPolicy, but no engine was seen to enforce it on this cluster; "+
				"install one or use floor: Auto", in.Class.Name)
	}
	if !usesClusterFloor(in) {
		return nil
	}
	b := &builder{Input: in}
	if n := len(b.links()); n > (maxFloorEntries-1)*maxFloorEntries/8 {
		return reject("TooManyFlows", "spec.network.flows",
			"%d flows and shares do not fit into a ClusterNetworkPolicy; declare fewer, wider ones", n)
	}
	return nil
}

func checkBudget(in Input) *Rejected {
	limits := in.Class.Spec.Capacity.Max
	for _, name := range slices.Sorted(maps.Keys(in.Tenant.Spec.Capacity)) {
		q := in.Tenant.Spec.Capacity[name]
		field := fmt.Sprintf("spec.capacity[%s]", name)
		limit, ok := limits[name]
		switch {
		case !knownBudget(name):
			return reject("BudgetInvalid", field, "%q is no resource that a quota can bound across namespaces; use names such as "+
				"requests.cpu, limits.memory, pods or count/jobs.batch", name)
		case q.Sign() < 0:
			return reject("BudgetInvalid", field, "%s is negative; a budget is zero or more", q.String())
		case !ok:
			return reject("BudgetExceedsClass", field, "TenantClass %q does not offer %s (capacity.max); remove it or choose another class", in.Class.Name, name)
		case q.Cmp(limit) > 0:
			return reject("BudgetExceedsClass", field, "%s is more than the %s that TenantClass %q allows; lower it", q.String(), limit.String(), in.Class.Name)
		}
	}
	return nil
}

// knownBudget says whether a quota of that name can be created: the API server knows the
// short names, and takes requests.*, limits.* and count/* for what they are.
func knownBudget(name corev1.ResourceName) bool {
	if _, ok := defaultBudget[name]; ok {
		return true
	}
	s := string(name)
	for _, prefix := range []string{"requests.", "count/", "limits."} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && rest != "" {
			return true
		}
	}
	return slices.Contains([]string{"cpu", "memory", "ephemeral-storage", "replicationcontrollers", "resourcequotas"}, s) ||
		strings.Contains(s, ".storageclass.storage.k8s.io/")
}

func checkFlowEnds(in Input) *Rejected {
	own := namespaceNames(in.Tenant)
	for i, f := range in.Tenant.Spec.Network.Flows {
		for j, e := range []v1alpha1.FlowEnd{f.From, f.To} {
			field := fmt.Sprintf("spec.network.flows[%d].%s", i, []string{"from", "to"}[j])
			if e.Tenant == "" && e.Namespace != "" && !slices.Contains(own, e.Namespace) {
				return reject("FlowInvalid", field+".namespace", "%q is not one of spec.namespaces (%s); correct it or add the namespace",
					e.Namespace, strings.Join(own, ", "))
			}
			if e.Tenant == in.Tenant.Name {
				return reject("FlowInvalid", field+".tenant", "a tenant shares nothing with itself; use namespace without tenant")
			}
		}
	}
	return nil
}

// checkFlowLabels refuses labels that no pod can have: a policy with them is refused by the
// API server.
func checkFlowLabels(in Input) *Rejected {
	for i, f := range in.Tenant.Spec.Network.Flows {
		for j, e := range []v1alpha1.FlowEnd{f.From, f.To} {
			if key, why := badLabel(e.Pods); why != "" {
				return reject("FlowInvalid", fmt.Sprintf("spec.network.flows[%d].%s.pods", i, []string{"from", "to"}[j]),
					"%.80q is no label: %s; correct it", key, why)
			}
		}
	}
	return nil
}

// badLabel is the first label that is none, and why.
func badLabel(labels map[string]string) (key, why string) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if errs := append(validation.IsQualifiedName(k), validation.IsValidLabelValue(labels[k])...); len(errs) > 0 {
			return k, errs[0]
		}
	}
	return "", ""
}

// neverReachable are addresses that no flow may name (ATT&CK T1552.005): link-local and
// loopback, IPv4 in disguise, and the clouds' metadata services: AWS and most others,
// Azure, Alibaba, and those that answer on IPv6.
var neverReachable = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("::ffff:0:0/96"),
	netip.MustParsePrefix("fd00:ec2::/64"), netip.MustParsePrefix("fd20:ce::/64"),
}

func checkCIDRs(in Input) *Rejected {
	for i, f := range in.Tenant.Spec.Network.Flows {
		for _, e := range []flowEnd{
			{fmt.Sprintf("spec.network.flows[%d].from", i), f.From, false},
			{fmt.Sprintf("spec.network.flows[%d].to", i), f.To, true},
		} {
			if e.CIDR == "" {
				continue
			}
			if r := checkCIDR(in, e); r != nil {
				return r
			}
		}
	}
	return nil
}

// flowEnd is an end of a flow with the path of its field.
type flowEnd struct {
	field string
	v1alpha1.FlowEnd
	egress bool
}

func checkCIDR(in Input, e flowEnd) *Rejected {
	field := e.field + ".cidr"
	p, err := netip.ParsePrefix(e.CIDR)
	if err != nil {
		return reject("FlowInvalid", field, "%q is not a CIDR such as 203.0.113.0/24; correct it", e.CIDR)
	}
	if p != p.Masked() {
		return reject("FlowInvalid", field, "%q has bits set after its prefix; write %s", e.CIDR, p.Masked())
	}
	var except []netip.Prefix
	for _, x := range e.Except {
		q, err := netip.ParsePrefix(x)
		if err != nil || !covers(p, q) || q.Bits() <= p.Bits() {
			return reject("FlowInvalid", e.field+".except", "%q is not a CIDR strictly inside %s; correct or remove it", x, p)
		}
		except = append(except, q)
	}
	if r := checkForbidden(field, p, except); r != nil {
		return r
	}
	if i := slices.IndexFunc(clusterCIDRs(in), func(c netip.Prefix) bool { return covers(c, p) }); i >= 0 {
		return reject("FlowInvalid", field, "%s is inside the cluster (%s), where addresses change hands; "+
			"name a namespace or a tenant instead", p, clusterCIDRs(in)[i])
	}
	return checkBounds(in, e, p)
}

func checkForbidden(field string, p netip.Prefix, except []netip.Prefix) *Rejected {
	for _, n := range neverReachable {
		excepted := slices.ContainsFunc(except, func(x netip.Prefix) bool { return covers(x, n) })
		if p.Overlaps(n) && !excepted {
			return reject("FlowInvalid", field, "%s includes %s (metadata, link-local or loopback addresses), which is never opened; "+
				"narrow it or add %s to except", p, n, n)
		}
	}
	return nil
}

func checkBounds(in Input, e flowEnd, p netip.Prefix) *Rejected {
	bounds := in.Class.Spec.Network.EgressCIDRs
	inside := slices.ContainsFunc(bounds, func(s string) bool {
		b, err := netip.ParsePrefix(s)
		return err == nil && covers(b, p)
	})
	if e.egress && len(bounds) > 0 && !inside {
		return reject("FlowInvalid", e.field+".cidr", "%s is outside the CIDRs that TenantClass %q allows (%s)", p, in.Class.Name, strings.Join(bounds, ", "))
	}
	return nil
}

// clusterCIDRs are the blocks of the cluster's own pods, Services and nodes, joined as far
// as they can be: a node each would be a long list.
func clusterCIDRs(in Input) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range in.Capabilities.ClusterCIDRs {
		if p, err := netip.ParsePrefix(s); err == nil {
			all = append(all, p.Masked())
		}
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	var out []netip.Prefix
	for _, p := range all {
		if n := len(out); n > 0 && covers(out[n-1], p) {
			continue
		}
		out = append(out, p)
		for n := len(out); n > 1 && siblings(out[n-2], out[n-1]); n = len(out) {
			parent, _ := out[n-2].Addr().Prefix(out[n-2].Bits() - 1)
			out = append(out[:n-2], parent)
		}
	}
	return out
}

// siblings says whether two blocks are the halves of a larger one.
func siblings(a, b netip.Prefix) bool {
	if a == b || a.Bits() != b.Bits() || a.Bits() == 0 {
		return false
	}
	p, err1 := a.Addr().Prefix(a.Bits() - 1)
	q, err2 := b.Addr().Prefix(b.Bits() - 1)
	return err1 == nil && err2 == nil && p == q
}

// covers says whether every address of q is in p.
func covers(p, q netip.Prefix) bool {
	return p.Addr().Is4() == q.Addr().Is4() && p.Bits() <= q.Bits() && p.Contains(q.Addr())
}

// checkIngress refuses a flow that could never carry a packet, since silence would be
// taken for an open door.
func checkIngress(in Input) *Rejected {
	for i, f := range in.Tenant.Spec.Network.Flows {
		if f.From.Ingress && len(in.Class.Spec.Network.IngressFrom) == 0 {
			return reject("FlowInvalid", fmt.Sprintf("spec.network.flows[%d].from.ingress", i),
				"TenantClass %q names no ingress controllers (network.ingressFrom); remove the flow or choose another class", in.Class.Name)
		}
	}
	return nil
}

func protocol(p v1alpha1.FlowPort) corev1.Protocol {
	if p.Protocol == "" {
		return corev1.ProtocolTCP
	}
	return p.Protocol
}
