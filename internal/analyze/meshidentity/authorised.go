package meshidentity

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/meshidentity/istio"
	"watertight.dev/watertight/internal/guarantee"
)

// authorised judges IDN-2: at every port of every pod, who is authorised that no flow of
// the tenant declares.
func (j *judge) authorised(pods []*corev1.Pod) {
	for _, g := range grouped(pods, j.alike) {
		if j.outside(guarantee.IDN2, g, "whoever reaches it is authorised") {
			continue
		}
		for _, port := range portsOf(g.first) {
			if !j.anonymous(g, port) {
				j.known(g, port)
			}
		}
	}
}

// alike puts pods together at which the same is authorised and declared.
func (j *judge) alike(p *corev1.Pod) string {
	key := fmt.Sprint(p.Namespace, j.mesh.Of(p), j.mesh.TLS(p).Modes, portsOf(p), j.mesh.Waypoint(p))
	for _, policy := range j.mesh.For(p) {
		key += " " + policy.Namespace + "/" + policy.Object.GetName()
	}
	for _, f := range j.tenant.Spec.Network.Flows {
		key += fmt.Sprint(" ", j.receives(f.To, p))
	}
	for _, s := range j.services[p.Namespace] {
		if len(s.Spec.Selector) > 0 && within(s.Spec.Selector, p.Labels) {
			key += " " + s.Name
		}
	}
	return key
}

// portsOf are the TCP ports that a pod says it has; one that says nothing is asked at a
// port that no policy names.
func portsOf(p *corev1.Pod) []int32 {
	var out []int32
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if c.Name != "istio-proxy" && c.Name != "linkerd-proxy" && (port.Protocol == "" || port.Protocol == corev1.ProtocolTCP) {
				out = append(out, port.ContainerPort)
			}
		}
	}
	if len(out) == 0 {
		return []int32{istio.AnyPort}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func at(port int32) string {
	if port == istio.AnyPort {
		return "any port"
	}
	return fmt.Sprintf("port %d", port)
}

// anonymous judges who shows no certificate, and reports whether anybody may come.
func (j *judge) anonymous(g *group, port int32) bool {
	v := j.mesh.Authorised(istio.Peer{}, g.first, port, false)
	switch {
	case v.Decision == istio.Allowed, v.Decision == istio.Conditional && v.Policy.Action != istio.Custom:
		j.ledger.Break(guarantee.IDN2, "Anonymous", fmt.Sprintf("whoever shows no certificate is authorised at %s of %s (%s): make mutual TLS STRICT, and name the callers in an ALLOW policy", at(port), g, v.Reason), j.by(g, v))
		return true
	case v.Decision == istio.Unknown:
		// What the peers' identities cannot settle either is told once, by known.
	}
	return false
}

// known judges the identities that no flow declares; one finding stands for all of a
// kind.
func (j *judge) known(g *group, port int32) {
	type kind struct{ decision, policy string }
	counts := map[kind]int{}
	var order []kind
	first := map[kind]*identity{}
	verdicts := map[kind]istio.Verdict{}
	for _, id := range j.identities {
		if j.declares(id, g.first, port) {
			continue
		}
		v := j.mesh.Authorised(id.Peer, g.first, port, true)
		if v.Decision == istio.Denied {
			continue
		}
		k := kind{string(v.Decision), v.Reason}
		if counts[k]++; counts[k] == 1 {
			order, first[k], verdicts[k] = append(order, k), id, v
		}
	}
	for _, k := range order {
		who := "ServiceAccount " + first[k].String()
		if counts[k] > 1 {
			who += fmt.Sprintf(" (and %d more)", counts[k]-1)
		}
		j.undeclared(g, port, who, verdicts[k])
	}
}

func (j *judge) undeclared(g *group, port int32, who string, v istio.Verdict) {
	where := fmt.Sprintf("at %s of %s", at(port), g)
	switch {
	case v.Decision == istio.Unknown:
		j.ledger.Doubt(guarantee.IDN2, "PolicyNotUnderstood", fmt.Sprintf("whether %s is authorised %s is unknown: %s", who, where, v.Reason), j.by(g, v))
	case v.Decision == istio.Conditional && v.Policy != nil && v.Policy.Action == istio.Custom:
		j.ledger.Doubt(guarantee.IDN2, "ProviderDecides", fmt.Sprintf("whether %s is authorised %s is decided outside the mesh: %s", who, where, v.Reason), j.by(g, v))
	case v.Decision == istio.Conditional:
		j.ledger.Break(guarantee.IDN2, "UndeclaredIdentity", fmt.Sprintf("%s is authorised %s for some requests, and no flow declares it: leave it out of the policy, or declare the flow", who, where), j.by(g, v))
	default:
		j.ledger.Break(guarantee.IDN2, "UndeclaredIdentity", fmt.Sprintf("%s is authorised %s, and no flow declares it (%s): name the declared callers in an ALLOW policy, or declare the flow", who, where, v.Reason), j.by(g, v))
	}
}

// by is evidence about the policy that decides, else about the pod.
func (j *judge) by(g *group, v istio.Verdict) guarantee.Evidence {
	if v.Policy != nil {
		return analyze.About(j.snapshot, v.Policy.Object, "spec.rules", v.Reason)
	}
	return analyze.About(j.snapshot, g.first, "metadata.labels", v.Reason)
}
