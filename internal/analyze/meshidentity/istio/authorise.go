package istio

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Decision is whether a connection is authorised.
type Decision string

// The decisions. Conditional depends on the request (a path, a token) or on an external
// provider; Unknown on what is not understood or not seen.
const (
	Allowed     Decision = "allowed"
	Denied      Decision = "denied"
	Conditional Decision = "conditional"
	Unknown     Decision = "unknown"
)

// Verdict is a decision and why.
type Verdict struct {
	Decision Decision
	// Reason in words, for people.
	Reason string
	// Policy that decides, where it is one.
	Policy *Policy
}

// Authorised tells whether a peer may connect to a port of a pod. With identity, the
// peer shows its certificate where it has one and the port takes it; without, it sends
// plain text, as an attacker who goes past his own proxy can.
func (m *Mesh) Authorised(src Peer, dst *corev1.Pod, port int32, identity bool) Verdict {
	tls := m.TLS(dst)
	mode := tls.Modes.At(port)
	if len(tls.Faults) > 0 && mode != Uncaptured {
		return Verdict{Decision: Unknown, Reason: tls.Faults[0]}
	}
	shown := identity && src.Meshed && mode != Disable
	switch {
	case mode == Uncaptured:
		return Verdict{Decision: Allowed, Reason: "no proxy is in front of the port: policies are not enforced"}
	case mode == Strict && !shown:
		return Verdict{Decision: Denied, Reason: "mutual TLS is STRICT, and the peer shows no certificate"}
	}
	if w := m.Waypoint(dst); w != "" {
		return Verdict{Decision: Unknown, Reason: "traffic takes waypoint " + w + ", whose policies are not evaluated"}
	}
	e := &evaluation{mesh: m, port: port, shown: shown, src: src, protocol: m.protocol(dst, port)}
	return e.decide(m.For(dst))
}

// For lists the policies that are enforced at a pod.
func (m *Mesh) For(dst *corev1.Pod) []*Policy {
	var out []*Policy
	spaces := []string{m.RootNamespace, dst.Namespace}
	for _, ns := range slices.Compact(spaces) {
		for _, p := range m.policies[ns] {
			if m.applies(p, dst.Namespace, dst.Labels) {
				out = append(out, p)
			}
		}
	}
	return out
}

// decide goes through CUSTOM, DENY and ALLOW (Istio: Authorization Policy): a request
// that a DENY policy matches is denied; without ALLOW policies all others are allowed;
// with some, those that one of them matches.
func (e *evaluation) decide(policies []*Policy) Verdict {
	var custom, deny, allow, faulty *Policy
	customs, denies, allows := never, never, never
	asked := false
	for _, p := range policies {
		if p.Action == Audit {
			continue
		}
		found := e.policy(p)
		switch p.Action {
		case Custom:
			customs, custom = worst(customs, custom, found, p)
		case Deny:
			denies, deny = worst(denies, deny, found, p)
		case Allow:
			asked = true
			allows, allow = worst(allows, allow, found, p)
		default:
			faulty = p
		}
	}
	switch {
	case denies == always:
		return Verdict{Denied, "a DENY policy matches", deny}
	case asked && allows == never:
		return Verdict{Denied, "no ALLOW policy matches", nil}
	case faulty != nil:
		return Verdict{Unknown, name(faulty.Object) + ": " + faulty.Faults[0], faulty}
	case denies == unsure:
		return Verdict{Unknown, e.why(deny), deny}
	case asked && allows == unsure:
		return Verdict{Unknown, e.why(allow), allow}
	case customs != never:
		return Verdict{Conditional, fmt.Sprintf("provider %q decides", custom.Provider), custom}
	case denies == sometimes:
		return Verdict{Conditional, "a DENY policy matches some requests", deny}
	case asked && allows == sometimes:
		return Verdict{Conditional, "an ALLOW policy matches some requests", allow}
	case !asked:
		return Verdict{Allowed, "no ALLOW policy is for the workload", nil}
	}
	return Verdict{Allowed, "an ALLOW policy matches", allow}
}

// worst keeps the match that is surest.
func worst(have match, by *Policy, found match, p *Policy) (match, *Policy) {
	if found > have {
		return found, p
	}
	return have, by
}

func (e *evaluation) why(p *Policy) string {
	if len(p.Faults) > 0 {
		return name(p.Object) + ": " + p.Faults[0]
	}
	return name(p.Object) + ": " + e.doubt
}

// protocol is what Istio takes a port for by its Service ("http", "tcp"), or "" where it
// looks at the connection itself (Istio: Protocol Selection). Behind ztunnel all is TCP.
func (m *Mesh) protocol(dst *corev1.Pod, port int32) string {
	if m.Of(dst) == Ambient {
		return "tcp"
	}
	found := ""
	for _, s := range m.serving(dst) {
		for _, sp := range s.Spec.Ports {
			if targetPort(sp, dst) != port {
				continue
			}
			if p := declared(sp); found == "" {
				found = p
			} else if p != found {
				return ""
			}
		}
	}
	return found
}
