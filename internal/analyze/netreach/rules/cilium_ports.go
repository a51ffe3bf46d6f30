package rules

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// portGroup is ports that are equally sure; no ports are all of them.
type portGroup struct {
	ports  []Port
	unsure string
}

// ports reads toPorts. No group means no port.
func (c *ciliumReader) ports(at ciliumPlace, t *ciliumTraffic) ([]portGroup, error) {
	switch {
	case len(t.ToPorts) > 0 && len(t.ICMPs) > 0:
		return nil, fmt.Errorf("%s has toPorts and icmps: Cilium refuses the policy; write a rule for each", at.field)
	case len(t.ICMPs) > 0:
		return nil, nil
	case len(t.ToPorts) == 0:
		return []portGroup{{}}, nil
	}
	var out []portGroup
	add := func(unsure string, ports ...Port) {
		i := slices.IndexFunc(out, func(o portGroup) bool { return o.unsure == unsure })
		if i < 0 {
			i = len(out)
			out = append(out, portGroup{unsure: unsure})
		}
		out[i].ports = append(out[i].ports, ports...)
	}
	for i, p := range t.ToPorts {
		field := at.field + ".toPorts[" + strconv.Itoa(i) + "]"
		if p == nil || slices.Contains(p.Ports, nil) {
			return nil, fmt.Errorf("%s is null, or a port in it", field)
		}
		if err := p.check(at.direction); err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		condition := p.condition()
		for j, port := range p.Ports {
			if port.Port == "" {
				c.doubt(fmt.Sprintf("%s.ports[%d].port", field, j), "Cilium refuses a policy that leaves it out, unless it runs with --enable-extended-ip-protocols")
			}
			ports, unsure, err := c.port(port)
			if err != nil {
				return nil, fmt.Errorf("%s.ports[%d].%w", field, j, err)
			}
			if len(ports) > 0 {
				add(joinReasons(condition, unsure), ports...)
			}
		}
	}
	return out, nil
}

// Protocols that have no ports: nothing is said of them.
var portless = []string{"VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH"}

// serviceName is the form of port names (RFC 6335); other texts must be numbers.
var serviceName = regexp.MustCompile(`^([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$`)

// port reads one port; none for protocols that have none.
func (c *ciliumReader) port(p *ciliumPort) (out []Port, unsure string, err error) {
	protocols := []corev1.Protocol{corev1.Protocol(strings.ToUpper(p.Protocol))}
	switch name := string(protocols[0]); {
	case slices.Contains(portless, name):
		if p.Port != "" && p.Port != "0" {
			return nil, "", fmt.Errorf("port: %s has no ports: Cilium refuses the policy", name)
		}
		return nil, "", nil
	case name == "" || name == "ANY":
		protocols = netset.Protocols
	case !slices.Contains(netset.Protocols, protocols[0]):
		return nil, "", fmt.Errorf("protocol %q: use TCP, UDP, SCTP or ANY", p.Protocol)
	}
	if p.EndPort < 0 || p.EndPort > netset.LastPort {
		return nil, "", fmt.Errorf("endPort %d is no port", p.EndPort)
	}
	name, from, to := "", uint64(0), uint64(p.EndPort)
	if len(p.Port) <= 15 && serviceName.MatchString(p.Port) {
		name = strings.ToLower(p.Port)
	} else if p.Port != "" {
		if from, err = strconv.ParseUint(p.Port, 0, 16); err != nil { // as Cilium does: 010 is 8
			return nil, "", fmt.Errorf("port: %q is no number and no name", p.Port)
		}
	}
	switch {
	case name != "" && to > 0: // a range at one end of the connection, not at the other
		name, from, to, unsure = "", 1, netset.LastPort, "endPort beside a named port"
	case from == 0: // whatever endPort says
		from, to = 1, netset.LastPort
	case to < from:
		to = from
	}
	for _, protocol := range protocols {
		if name != "" {
			out = append(out, Port{Protocol: protocol, Name: name})
		} else {
			out = append(out, Port{Protocol: protocol, Ports: c.Reader.ports(protocol, int32(from), int32(to))})
		}
	}
	return out, unsure, nil
}

// conditional reports whether more than ports is asked for.
func (p *ciliumPorts) conditional() bool {
	return p.TerminatingTLS != nil || p.OriginatingTLS != nil || p.ServerNames != nil || p.Listener != nil || p.Rules != nil
}

// layer7 lists the kinds of requests that rules asks for: lists that are not empty.
func (p *ciliumPorts) layer7() (kinds []string) {
	for _, k := range slices.Sorted(maps.Keys(p.Rules)) {
		if list, ok := p.Rules[k].([]any); !ok || len(list) > 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// condition says what the ports are allowed for only; "" where it is for everything.
func (p *ciliumPorts) condition() string {
	var out []string
	for _, k := range p.layer7() {
		switch k {
		case "http":
			out = append(out, "only HTTP requests that rules.http allows")
		case "dns":
			out = append(out, "only DNS queries that rules.dns allows")
		default:
			out = append(out, fmt.Sprintf("only what rules.%s allows", k))
		}
	}
	if len(p.ServerNames) > 0 {
		out = append(out, "only TLS with one of the serverNames")
	}
	if p.TerminatingTLS != nil || p.OriginatingTLS != nil {
		out = append(out, "only through TLS that Cilium ends")
	}
	if p.Listener != nil {
		out = append(out, "only what the Envoy listener lets through")
	}
	return strings.Join(out, "; ")
}

// mostPorts is how many ports one element of toPorts may have.
const mostPorts = 40

// check refuses what Cilium refuses.
func (p *ciliumPorts) check(d Direction) error {
	kinds := p.layer7()
	dns := slices.Contains(kinds, "dns")
	switch {
	case len(p.Ports) > mostPorts:
		return fmt.Errorf("more than %d ports: Cilium refuses the policy", mostPorts)
	case len(kinds) > 1:
		return fmt.Errorf("rules has %s: Cilium refuses more than one", strings.Join(kinds, " and "))
	case d == Ingress && (dns || p.Listener != nil):
		return errors.New("rules.dns and listener belong into egress: Cilium refuses the policy")
	case len(kinds) > 0 && p.Listener != nil:
		return errors.New("listener and rules: Cilium refuses the policy")
	case slices.Contains(p.ServerNames, ""):
		return errors.New("an empty one of serverNames: Cilium refuses the policy")
	case len(p.ServerNames) > 0 && len(kinds) > 0 && p.TerminatingTLS == nil:
		return errors.New("serverNames and rules need terminatingTLS: Cilium refuses the policy")
	case dns && len(p.Ports) == 0:
		return errors.New("rules.dns needs ports: Cilium refuses the policy")
	}
	for _, port := range p.Ports {
		if len(kinds) > 0 && !dns && !strings.EqualFold(port.Protocol, "TCP") {
			return fmt.Errorf("rules.%s needs protocol TCP: Cilium refuses the policy", kinds[0])
		}
		if n, err := strconv.ParseUint(port.Port, 0, 16); len(kinds) > 0 && err == nil && n == 0 {
			return errors.New("rules needs a port other than 0: Cilium refuses the policy")
		}
	}
	return checkRequests(p.Rules)
}

// checkRequests refuses expressions that Cilium cannot compile.
func checkRequests(rules map[string]any) error {
	list, _ := rules["http"].([]any)
	for i, e := range list {
		m, _ := e.(map[string]any)
		for _, k := range []string{"path", "method"} {
			text, _ := m[k].(string)
			if _, err := regexp.Compile(text); err != nil {
				return fmt.Errorf("rules.http[%d].%s: %w", i, k, err)
			}
		}
	}
	return nil
}
