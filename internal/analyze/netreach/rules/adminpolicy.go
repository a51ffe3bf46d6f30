package rules

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const adminVersion = "policy.networking.k8s.io/v1alpha1"

// The dialects of network-policy-api v1alpha1. A BaselineAdminNetworkPolicy has nothing
// behind it to pass to, and no domain names.
var (
	adminDialect = tierDialect{
		kind: "AdminNetworkPolicy", apiVersion: adminVersion, fields: []string{"priority"},
		actions:    map[string]Action{"Allow": Allow, "Deny": Deny, "Pass": Pass},
		egress:     []string{"namespaces", "pods", "nodes", "networks", "domainNames"},
		portsField: "ports", readPort: adminPort, most: 100,
	}
	baselineDialect = tierDialect{
		kind: "BaselineAdminNetworkPolicy", apiVersion: adminVersion,
		actions:    map[string]Action{"Allow": Allow, "Deny": Deny},
		egress:     []string{"namespaces", "pods", "nodes", "networks"},
		portsField: "ports", readPort: adminPort, most: 100,
	}
)

// baselineName is the only name that a BaselineAdminNetworkPolicy may have.
const baselineName = "default"

// AdminNetworkPolicy reads an AdminNetworkPolicy or a BaselineAdminNetworkPolicy v1alpha1
// (network-policy-api.sigs.k8s.io, KEP-2091), as ClusterNetworkPolicy reads its kind.
func (r *Reader) AdminNetworkPolicy(u *unstructured.Unstructured) (*Policy, error) {
	t := tierReader{r, &adminDialect, &Policy{Object: u, Tier: TierAdmin}}
	switch u.GetKind() {
	case adminDialect.kind:
	case baselineDialect.kind:
		t.tierDialect, t.policy.Tier = &baselineDialect, TierBaseline
		if u.GetName() != baselineName {
			return nil, fmt.Errorf("metadata.name is %q: the only BaselineAdminNetworkPolicy of a cluster is called %q", u.GetName(), baselineName)
		}
	default:
		return nil, fmt.Errorf("kind is %q: this reads AdminNetworkPolicy and BaselineAdminNetworkPolicy", u.GetKind())
	}
	set, err := t.read(u)
	if err != nil {
		return nil, err
	}
	if t.policy.Tier == TierAdmin {
		priority := set["priority"].orMissing(tierNode{path: "spec"}, "priority")
		if t.policy.Priority, err = priority.number(0, lastPriority); err != nil {
			return nil, err
		}
	}
	return t.policy, nil
}

// adminPort reads an item of ports: exactly one of portNumber, portRange and namedPort.
func adminPort(r *Reader, n tierNode) (ports []Port, doubt string, err error) {
	set, stranger, err := n.fields("portNumber", "portRange", "namedPort")
	switch {
	case err != nil || stranger != "":
		return nil, stranger, err
	case len(set) == 0:
		return nil, n.path, nil
	case len(set) > 1:
		return nil, "", fmt.Errorf("%s: set only one of portNumber, portRange and namedPort", n.path)
	}
	if name, ok := set["namedPort"]; ok {
		text, err := name.portName()
		return everyProtocol(text), "", err
	}
	if number, ok := set["portNumber"]; ok {
		protocol, inner, doubt, err := adminProtocol(number, "port")
		if err != nil || doubt != "" {
			return nil, doubt, err
		}
		return r.onePort(protocol, inner["port"].orMissing(number, "port"))
	}
	n = set["portRange"]
	protocol, inner, doubt, err := adminProtocol(n, "start", "end")
	if err != nil || doubt != "" {
		return nil, doubt, err
	}
	return r.portRange(protocol, n, inner)
}

// adminProtocol reads the protocol beside other fields: "if not specified, this field
// defaults to TCP". The API lets any text through.
func adminProtocol(n tierNode, others ...string) (p corev1.Protocol, set map[string]tierNode, doubt string, err error) {
	set, stranger, err := n.fields(append(others, "protocol")...)
	if err != nil || stranger != "" {
		return "", nil, stranger, err
	}
	p = corev1.ProtocolTCP
	if field, ok := set["protocol"]; ok {
		text, err := field.text()
		if err != nil {
			return "", nil, "", err
		}
		if p = corev1.Protocol(text); !knownProtocol(p) {
			return "", nil, field.path, nil
		}
	}
	return p, set, "", nil
}
