package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ciliumPlace is a rule's place.
type ciliumPlace struct {
	ciliumList
	field string
}

// rule reads one rule. It becomes several where some of its peers or ports are less sure
// than others.
func (c *ciliumReader) rule(at ciliumPlace, value any) ([]Rule, error) {
	peers, traffic, unknown, err := decodeCiliumRule(at, value)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 { // may be anything: another kind of peer, a condition
		why := "fields that are not known to this version of Watertight: " + strings.Join(unknown, ", ")
		return []Rule{{Field: at.field, Action: at.action, Peers: []Peer{{Field: at.field, Unknown: why}}, Unsure: why}}, nil
	}
	ports, err := c.ports(at, traffic)
	if err != nil {
		return nil, err
	}
	groups, err := c.peers(peers, len(traffic.ToPorts)+len(traffic.ICMPs) > 0)
	if err != nil {
		return nil, err
	}
	if len(ports) == 0 && len(traffic.ToPorts)+len(traffic.ICMPs) > 0 && !emptyPorts(traffic) {
		return nil, nil // protocols without ports
	}
	if len(ports) == 0 || len(groups) == 0 {
		return []Rule{{Field: at.field, Action: at.action}}, nil
	}
	authentication := ""
	if a := traffic.Authentication; a != nil && a.Mode != "disabled" {
		authentication = fmt.Sprintf("only peers that authenticate (authentication.mode %q)", a.Mode)
	}
	var out []Rule
	for _, g := range groups {
		for _, p := range ports {
			out = append(out, Rule{
				Field: at.field, Action: at.action, Peers: g.peers, Ports: p.ports,
				Unsure: joinReasons(g.unsure, p.unsure, authentication),
			})
		}
	}
	return out, nil
}

func joinReasons(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(reasons, func(s string) bool { return s == "" }), "; ")
}

// emptyPorts reports whether the rule names ports, and none in any of the lists: it
// matches nothing.
func emptyPorts(t *ciliumTraffic) bool {
	return len(t.ICMPs) == 0 && !slices.ContainsFunc(t.ToPorts, func(p *ciliumPorts) bool { return len(p.Ports) > 0 })
}

// decodeCiliumRule decodes a rule of either direction.
func decodeCiliumRule(at ciliumPlace, value any) (*ciliumPeers, *ciliumTraffic, []string, error) {
	var peers *ciliumPeers
	var traffic *ciliumTraffic
	var unknown []string
	if at.direction == Ingress {
		in, fields, err := decodeCilium[ciliumIngress](at.field, value)
		if err != nil {
			return nil, nil, nil, err
		}
		unknown, traffic = fields, &in.ciliumTraffic
		peers = &ciliumPeers{
			field: at.field, prefix: "from", endpoints: in.FromEndpoints, nodes: in.FromNodes, entities: in.FromEntities,
			cidrs: in.FromCIDR, cidrSets: in.FromCIDRSet, groups: in.FromGroups, requires: in.FromRequires,
		}
	} else {
		in, fields, err := decodeCilium[ciliumEgress](at.field, value)
		if err != nil {
			return nil, nil, nil, err
		}
		unknown, traffic = fields, &in.ciliumTraffic
		peers = &ciliumPeers{
			field: at.field, prefix: "to", endpoints: in.ToEndpoints, nodes: in.ToNodes, entities: in.ToEntities,
			cidrs: in.ToCIDR, cidrSets: in.ToCIDRSet, groups: in.ToGroups, requires: in.ToRequires,
			services: in.ToServices, fqdns: in.ToFQDNs,
		}
	}
	if at.action == Deny { // fields that only rules that allow have
		if traffic.Authentication != nil {
			unknown = append(unknown, at.field+".authentication")
		}
		if peers.fqdns != nil {
			unknown = append(unknown, at.field+".toFQDNs")
		}
		for i, p := range traffic.ToPorts {
			if p != nil && p.conditional() {
				unknown = append(unknown, at.field+".toPorts["+strconv.Itoa(i)+"]")
			}
		}
	}
	return peers, traffic, unknown, nil
}
