package load

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// check returns what an API server would refuse of the parts that verdicts rest on: names,
// selectors, ports and CIDRs. Such an object would not exist, so it is not loaded.
func check(object snapshot.Object) []string {
	faults := checkNames(object)
	switch o := object.(type) {
	case *networkingv1.NetworkPolicy:
		faults = append(faults, checkPolicy(o)...)
	case *v1alpha1.Tenant:
		faults = append(faults, checkTenant(o)...)
	case *v1alpha1.TenantClass:
		for i, c := range o.Spec.Network.EgressCIDRs {
			faults = append(faults, checkCIDR(fmt.Sprintf("spec.network.egressCIDRs[%d]", i), c)...)
		}
	}
	return faults
}

func checkNames(object snapshot.Object) []string {
	name, namespace := object.GetName(), object.GetNamespace()
	faults := checkTemplate(object)
	switch {
	case len(faults) > 0:
		return faults
	case name == "" && object.GetGenerateName() != "":
		faults = append(faults, "metadata.generateName gives no name before it is created: set metadata.name")
	case name == "":
		faults = append(faults, "metadata.name is missing: set it")
	case len(name) > validation.DNS1123SubdomainMaxLength:
		faults = append(faults, fmt.Sprintf("metadata.name has %d characters: shorten it to 253 at most", len(name)))
	default:
		for _, m := range path.IsValidPathSegmentName(name) {
			faults = append(faults, "metadata.name "+m)
		}
	}
	if namespace != "" {
		for _, m := range validation.IsDNS1123Label(namespace) {
			faults = append(faults, "metadata.namespace "+m)
		}
	}
	return faults
}

// checkTemplate finds what a template engine was to fill in: no API server takes such a
// name or label.
func checkTemplate(object snapshot.Object) []string {
	const open, fix = "{{", " is a template: render it first, as with helm template"
	switch {
	case strings.Contains(object.GetName(), open):
		return []string{"metadata.name" + fix}
	case strings.Contains(object.GetNamespace(), open):
		return []string{"metadata.namespace" + fix}
	}
	for key, value := range object.GetLabels() {
		if strings.Contains(key, open) || strings.Contains(value, open) {
			return []string{"metadata.labels" + fix}
		}
	}
	return nil
}

func checkPolicy(p *networkingv1.NetworkPolicy) []string {
	faults := checkSelector("spec.podSelector", &p.Spec.PodSelector)
	for i, t := range p.Spec.PolicyTypes {
		if t != networkingv1.PolicyTypeIngress && t != networkingv1.PolicyTypeEgress {
			faults = append(faults, fmt.Sprintf("spec.policyTypes[%d] %q must be Ingress or Egress", i, clip(string(t))))
		}
	}
	for i, r := range p.Spec.Ingress {
		at := fmt.Sprintf("spec.ingress[%d]", i)
		faults = append(faults, checkPorts(at, r.Ports)...)
		faults = append(faults, checkPeers(at+".from", r.From)...)
	}
	for i, r := range p.Spec.Egress {
		at := fmt.Sprintf("spec.egress[%d]", i)
		faults = append(faults, checkPorts(at, r.Ports)...)
		faults = append(faults, checkPeers(at+".to", r.To)...)
	}
	return faults
}

func checkPeers(at string, peers []networkingv1.NetworkPolicyPeer) []string {
	var faults []string
	for i, p := range peers {
		here := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case p.IPBlock != nil && (p.PodSelector != nil || p.NamespaceSelector != nil):
			faults = append(faults, here+" has ipBlock beside a selector: split it into two peers")
		case p.IPBlock == nil && p.PodSelector == nil && p.NamespaceSelector == nil:
			faults = append(faults, here+" is empty: set podSelector, namespaceSelector or ipBlock")
		}
		faults = append(faults, checkSelector(here+".podSelector", p.PodSelector)...)
		faults = append(faults, checkSelector(here+".namespaceSelector", p.NamespaceSelector)...)
		if p.IPBlock != nil {
			faults = append(faults, checkBlock(here+".ipBlock", p.IPBlock.CIDR, p.IPBlock.Except)...)
		}
	}
	return faults
}

func checkPorts(at string, ports []networkingv1.NetworkPolicyPort) []string {
	var faults []string
	for i, p := range ports {
		here := fmt.Sprintf("%s.ports[%d]", at, i)
		if p.Protocol != nil && !slices.Contains([]string{"TCP", "UDP", "SCTP"}, string(*p.Protocol)) {
			faults = append(faults, fmt.Sprintf("%s.protocol %q must be TCP, UDP or SCTP", here, clip(string(*p.Protocol))))
		}
		switch {
		case p.EndPort != nil && (p.Port == nil || p.Port.StrVal != ""):
			faults = append(faults, here+".endPort needs a numeric port beside it")
		case p.EndPort != nil && (*p.EndPort < p.Port.IntVal || *p.EndPort > 65535):
			faults = append(faults, here+".endPort must be from port to 65535")
		case p.Port != nil && p.Port.StrVal != "":
			for _, m := range validation.IsValidPortName(p.Port.StrVal) {
				faults = append(faults, here+".port "+m)
			}
		case p.Port != nil && (p.Port.IntVal < 1 || p.Port.IntVal > 65535):
			faults = append(faults, here+".port must be from 1 to 65535")
		}
	}
	return faults
}

func checkSelector(at string, s *metav1.LabelSelector) []string {
	if s == nil {
		return nil
	}
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return []string{fmt.Sprintf("%s is invalid: %s", at, oneLine(err))}
	}
	return nil
}

func checkTenant(t *v1alpha1.Tenant) []string {
	var faults []string
	for i, f := range t.Spec.Network.Flows {
		for side, end := range map[string]v1alpha1.FlowEnd{"from": f.From, "to": f.To} {
			if end.CIDR != "" {
				faults = append(faults, checkBlock(fmt.Sprintf("spec.network.flows[%d].%s", i, side), end.CIDR, end.Except)...)
			}
		}
	}
	return faults
}

func checkBlock(at, cidr string, except []string) []string {
	faults := checkCIDR(at+".cidr", cidr)
	if len(faults) > 0 {
		return faults
	}
	outer := netip.MustParsePrefix(cidr)
	for i, e := range except {
		here := fmt.Sprintf("%s.except[%d]", at, i)
		inner, err := netip.ParsePrefix(e)
		switch {
		case err != nil:
			faults = append(faults, checkCIDR(here, e)...)
		case !outer.Contains(inner.Addr()) || inner.Bits() < outer.Bits():
			faults = append(faults, fmt.Sprintf("%s %q must be inside %s", here, clip(e), cidr))
		}
	}
	return faults
}

func checkCIDR(at, cidr string) []string {
	if _, err := netip.ParsePrefix(cidr); err != nil {
		return []string{fmt.Sprintf("%s %q must be a CIDR such as 203.0.113.0/24", at, clip(cidr))}
	}
	return nil
}
