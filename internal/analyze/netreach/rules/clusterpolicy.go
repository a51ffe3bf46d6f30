package rules

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// clusterDialect is ClusterNetworkPolicy v1alpha2 of network-policy-api v0.2.0.
var clusterDialect = tierDialect{
	kind: "ClusterNetworkPolicy", apiVersion: "policy.networking.k8s.io/v1alpha2",
	fields:     []string{"tier", "priority"},
	actions:    map[string]Action{"Accept": Allow, "Deny": Deny, "Pass": Pass},
	egress:     []string{"namespaces", "pods", "nodes", "networks", "domainNames"},
	portsField: "protocols", readPort: clusterPort, most: 25,
}

// ClusterNetworkPolicy reads a ClusterNetworkPolicy v1alpha2
// (network-policy-api.sigs.k8s.io, NPEP-285). What a server that knows the kind would
// refuse is an error that names the field and the fix. A field that is not known is a
// Doubt of the policy, or makes its rule Unsure.
//
// Of two policies of one tier and priority "the implementation can apply any": the
// reader sees one at a time and leaves that to the engine.
func (r *Reader) ClusterNetworkPolicy(u *unstructured.Unstructured) (*Policy, error) {
	t := tierReader{r, &clusterDialect, &Policy{Object: u}}
	set, err := t.read(u)
	if err != nil {
		return nil, err
	}
	spec := tierNode{path: "spec"}
	if t.policy.Priority, err = set["priority"].orMissing(spec, "priority").number(0, lastPriority); err != nil {
		return nil, err
	}
	tier, err := set["tier"].orMissing(spec, "tier").text()
	if err != nil {
		return nil, err
	}
	switch tier {
	case "Admin":
		t.policy.Tier = TierAdmin
	case "Baseline":
		t.policy.Tier = TierBaseline
	default:
		return nil, fmt.Errorf("spec.tier is %q: use Admin or Baseline", tier)
	}
	return t.policy, nil
}

var clusterProtocols = map[string]corev1.Protocol{
	"tcp": corev1.ProtocolTCP, "udp": corev1.ProtocolUDP, "sctp": corev1.ProtocolSCTP,
}

// clusterPort reads an item of protocols: exactly one of tcp, udp, sctp and
// destinationNamedPort.
func clusterPort(r *Reader, n tierNode) (ports []Port, doubt string, err error) {
	set, stranger, err := n.fields("tcp", "udp", "sctp", "destinationNamedPort")
	switch {
	case err != nil || stranger != "":
		return nil, stranger, err
	case len(set) == 0:
		return nil, n.path, nil
	case len(set) > 1:
		return nil, "", fmt.Errorf("%s: set only one of tcp, udp, sctp and destinationNamedPort", n.path)
	}
	if name, ok := set["destinationNamedPort"]; ok {
		text, err := name.portName()
		return everyProtocol(text), "", err
	}
	for field, n := range set {
		inner, stranger, err := n.fields("destinationPort")
		switch {
		case err != nil || stranger != "":
			return nil, stranger, err
		case len(inner) == 0:
			return nil, n.path, nil
		}
		ports, doubt, err = clusterNumbers(r, clusterProtocols[field], inner["destinationPort"])
		if err != nil || doubt != "" {
			return nil, doubt, err
		}
	}
	return ports, "", nil
}

// clusterNumbers reads a destinationPort: a number or a range.
func clusterNumbers(r *Reader, protocol corev1.Protocol, n tierNode) (ports []Port, doubt string, err error) {
	set, stranger, err := n.fields("number", "range")
	switch {
	case err != nil || stranger != "":
		return nil, stranger, err
	case len(set) != 1:
		return nil, "", fmt.Errorf("%s: set exactly one of number and range", n.path)
	}
	if number, ok := set["number"]; ok {
		return r.onePort(protocol, number)
	}
	inner, stranger, err := set["range"].fields("start", "end")
	if err != nil || stranger != "" {
		return nil, stranger, err
	}
	return r.portRange(protocol, set["range"], inner)
}

func (r *Reader) onePort(protocol corev1.Protocol, n tierNode) (ports []Port, doubt string, err error) {
	number, err := n.number(1, netset.LastPort)
	if err != nil {
		return nil, "", err
	}
	return []Port{{Protocol: protocol, Ports: r.ports(protocol, number, number)}}, "", nil
}

// portRange reads start and end of a range. The API wants start below end; one port
// written as a range means that port.
func (r *Reader) portRange(protocol corev1.Protocol, n tierNode, set map[string]tierNode) (ports []Port, doubt string, err error) {
	start, err := set["start"].orMissing(n, "start").number(1, netset.LastPort)
	if err != nil {
		return nil, "", err
	}
	end, err := set["end"].orMissing(n, "end").number(1, netset.LastPort)
	if err != nil {
		return nil, "", err
	}
	if start > end {
		return nil, "", fmt.Errorf("%s starts at %d and ends at %d: swap them", n.path, start, end)
	}
	return []Port{{Protocol: protocol, Ports: r.ports(protocol, start, end)}}, "", nil
}

// portName reads the name of a container's port.
func (n tierNode) portName() (string, error) {
	text, err := n.text()
	if err == nil && text == "" {
		err = fmt.Errorf("%s is empty: name a container's port, or leave the field out", n.path)
	}
	return text, err
}
