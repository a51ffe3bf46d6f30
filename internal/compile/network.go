package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
)

// namespaceNameLabel is set by the API server on every namespace and cannot be forged.
const namespaceNameLabel = corev1.LabelMetadataName

// defaultDNS is where cluster DNS lives unless the class says otherwise.
var defaultDNS = []v1alpha1.PeerSelector{{Namespace: "kube-system", Pods: map[string]string{"k8s-app": "kube-dns"}}}

// addNetworkPolicies adds to each namespace: default deny both ways, DNS, and one
// policy for each set of pods that a flow names, in each direction.
func addNetworkPolicies(b *builder) {
	links := b.links()
	for _, n := range b.Tenant.Spec.Namespaces {
		ns := b.host(n.Name)
		b.add(b.networkPolicy(ns, "watertight-default-deny", networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		}))
		b.add(b.networkPolicy(ns, "watertight-dns", networkingv1.NetworkPolicySpec{
			Egress:      []networkingv1.NetworkPolicyEgressRule{{To: peers(dns(b.Class.Spec.Network)), Ports: dnsPorts(b.Class.Spec.Network)}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		}))
		addFlowPolicies(b, n.Name, links)
	}
}

// link is one allowed connection, after both halves of a share have been joined.
type link struct {
	from, to end
	ports    []networkingv1.NetworkPolicyPort
}

// end is one end of a link: pods of one of the tenant's namespaces where namespace is
// set, the peers otherwise.
type end struct {
	namespace string // inside the tenant
	pods      map[string]string
	peers     []networkingv1.NetworkPolicyPeer
}

// asPeers is how the other end's policy names this end.
func (e end) asPeers(b *builder) []networkingv1.NetworkPolicyPeer {
	if e.namespace == "" {
		return e.peers
	}
	return []networkingv1.NetworkPolicyPeer{podPeer(b.host(e.namespace), e.pods)}
}

// links joins the tenant's flows with what the class and the peers say about their
// other ends.
func (b *builder) links() []link {
	var out []link
	for _, f := range b.Tenant.Spec.Network.Flows {
		if f.From.Tenant != "" || f.To.Tenant != "" {
			out = append(out, b.shared(f)...)
			continue
		}
		out = append(out, link{from: b.end(f.From), to: b.end(f.To), ports: policyPorts(f.Ports)})
	}
	return out
}

// end resolves an end that needs no other tenant's consent.
func (b *builder) end(e v1alpha1.FlowEnd) end {
	switch {
	case e.Ingress:
		return end{peers: peers(b.Class.Spec.Network.IngressFrom)}
	case e.CIDR != "":
		block := &networkingv1.IPBlock{CIDR: e.CIDR, Except: exceptCluster(b.Input, e)}
		return end{peers: []networkingv1.NetworkPolicyPeer{{IPBlock: block}}}
	default:
		return end{namespace: e.Namespace, pods: e.Pods}
	}
}

// exceptCluster is what stays closed inside a block: what the flow excepts and the
// cluster's own addresses, which only selectors may open.
func exceptCluster(in Input, e v1alpha1.FlowEnd) []string {
	except := append([]string(nil), e.Except...)
	block, err := netip.ParsePrefix(e.CIDR)
	if err != nil {
		return except // check has refused it
	}
	for _, c := range clusterCIDRs(in) {
		if covers(block, c) && !slices.Contains(except, c.String()) {
			except = append(except, c.String())
		}
	}
	return except
}

// addFlowPolicies adds the policies of one namespace. An end without peers (a class
// without ingress controllers) opens nothing: an empty peer list would open everything.
func addFlowPolicies(b *builder, namespace string, links []link) {
	ingress := map[string]*networkingv1.NetworkPolicySpec{}
	egress := map[string]*networkingv1.NetworkPolicySpec{}
	for _, l := range links {
		if from := l.from.asPeers(b); l.to.namespace == namespace && len(from) > 0 {
			spec := specFor(ingress, "watertight-ingress", l.to.pods, networkingv1.PolicyTypeIngress)
			spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: from, Ports: l.ports})
		}
		if to := l.to.asPeers(b); l.from.namespace == namespace && len(to) > 0 {
			spec := specFor(egress, "watertight-egress", l.from.pods, networkingv1.PolicyTypeEgress)
			spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{To: to, Ports: l.ports})
		}
	}
	for _, specs := range []map[string]*networkingv1.NetworkPolicySpec{ingress, egress} {
		for _, name := range slices.Sorted(maps.Keys(specs)) {
			b.add(b.networkPolicy(b.host(namespace), name, *specs[name]))
		}
	}
}

// specFor is the policy that collects the rules of one set of pods.
func specFor(specs map[string]*networkingv1.NetworkPolicySpec, prefix string, pods map[string]string, t networkingv1.PolicyType) *networkingv1.NetworkPolicySpec {
	name := prefix
	if len(pods) > 0 {
		name += "-" + labelsHash(pods)
	}
	if specs[name] == nil {
		specs[name] = &networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: pods},
			PolicyTypes: []networkingv1.PolicyType{t},
		}
	}
	return specs[name]
}

func (b *builder) networkPolicy(namespace, name string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: b.meta(namespace, name, guarantee.NET1, guarantee.NET3, guarantee.NET4, guarantee.NET6),
		Spec:       spec,
	}
}

func dns(n v1alpha1.NetworkClass) []v1alpha1.PeerSelector {
	if len(n.DNS) == 0 {
		return slices.Clone(defaultDNS)
	}
	return slices.Clone(n.DNS)
}

func dnsPorts(n v1alpha1.NetworkClass) []networkingv1.NetworkPolicyPort {
	ports := n.DNSPorts
	if len(ports) == 0 {
		ports = []int32{53}
	}
	var out []networkingv1.NetworkPolicyPort
	for _, p := range ports {
		out = append(out, policyPort(corev1.ProtocolUDP, p, nil), policyPort(corev1.ProtocolTCP, p, nil))
	}
	return out
}

func peers(selectors []v1alpha1.PeerSelector) []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for _, s := range selectors {
		out = append(out, podPeer(s.Namespace, s.Pods))
	}
	return out
}

// podPeer selects pods of exactly one namespace.
func podPeer(namespace string, pods map[string]string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{namespaceNameLabel: namespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: pods},
	}
}

func policyPorts(in []v1alpha1.FlowPort) []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for _, p := range in {
		out = append(out, policyPort(p.Protocol, p.Port, p.EndPort))
	}
	return out
}

// policyPort writes every default out, so that what is compiled equals what is stored.
func policyPort(protocol corev1.Protocol, port int32, endPort *int32) networkingv1.NetworkPolicyPort {
	if protocol == "" {
		protocol = corev1.ProtocolTCP
	}
	number := intstr.FromInt32(port)
	p := networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &number}
	if endPort != nil && *endPort != port {
		last := *endPort
		p.EndPort = &last
	}
	return p
}

// labelsHash is a short name for a set of labels.
func labelsHash(labels map[string]string) string {
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&text, "%q=%q,", k, labels[k])
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:5])
}
