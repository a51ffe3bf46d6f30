package netreach

import (
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// ruleKey is a place in a NetworkPolicy.
type ruleKey struct {
	namespace, name, field string
}

// offence is undeclared traffic of one class with another, or with addresses.
type offence struct {
	id     guarantee.ID
	tenant string
	dir    direction
	// near is the tenant's own class.
	near *Class
	// far is the other class, or nil, with addresses.
	far       *Class
	addresses Addresses
	ports     Ports
}

// culprit gathers the offences that one cause explains: one mistake, one finding.
type culprit struct {
	offence
	cause      cause
	namespaces []string // of the far ends
	example    *Class
	real       bool
	// certain is set where no policy that could not be read would have closed it.
	certain bool
}

// culprits are in the order in which they were found.
type culprits struct {
	list  []*culprit
	byKey map[string]*culprit
}

func newCulprits() *culprits { return &culprits{byKey: map[string]*culprit{}} }

// charge finds the causes, on the tenant's side, of an offence.
func (c *culprits) charge(o offence, spare func(cause) bool) {
	causes := o.near.addressCauses(o.dir)
	if o.far != nil {
		causes = o.near.causes(o.dir, o.far)
	}
	for _, why := range causes {
		part := o
		part.ports = why.ports.Intersect(o.ports)
		if o.far == nil {
			part.addresses = why.addresses.Intersect(o.addresses)
		}
		if part.ports.Empty() || o.far == nil && part.addresses.Empty() || spare != nil && spare(why) {
			continue
		}
		c.add(part, why)
	}
}

func (c *culprits) add(o offence, why cause) {
	key := fmt.Sprintf("%s|%s|%d|%s|%t|%s", o.id, o.tenant, o.dir, o.near.Namespace, o.near.HostNetwork, why.rule)
	if why.policy != nil {
		key += "|" + why.policy.object.Name
	}
	known, ok := c.byKey[key]
	if !ok {
		known = &culprit{offence: o, cause: why, example: o.far}
		c.byKey[key] = known
		c.list = append(c.list, known)
	}
	known.ports = known.ports.Union(o.ports)
	known.addresses = known.addresses.Union(o.addresses)
	known.real = known.real || len(o.near.Pods) > 0
	known.certain = known.certain || o.certain(why)
	if o.far != nil && !slices.Contains(known.namespaces, o.far.Namespace) {
		known.namespaces = append(known.namespaces, o.far.Namespace)
	}
}

// certain reports whether both ends are isolated already, so that one policy more could
// only open more; or are past policies.
func (o offence) certain(why cause) bool {
	near := why.policy != nil || o.near.HostNetwork
	if o.far == nil || o.id == guarantee.NET8 {
		return near
	}
	return near && (o.far.HostNetwork || !o.far.grants[1-o.dir].open())
}

// report turns each culprit into a finding.
func (c *culprits) report(j *judge) {
	for _, x := range c.list {
		l := j.ledgers[x.tenant]
		if l == nil || !x.certain && !l.Complete("NetworkPolicy") {
			continue
		}
		l.Break(x.id, x.reason(), x.message(), x.evidence(j)...)
	}
}

func (x *culprit) reason() string {
	switch {
	case x.id == guarantee.NET8:
		return "OneSidedAllow"
	case x.cause.policy == nil && x.near.HostNetwork:
		return "HostNetwork"
	case x.cause.policy == nil:
		return "NotIsolated"
	case x.metadata():
		return "MetadataReachable"
	case x.dir == egress:
		return "UndeclaredEgress"
	}
	return "UndeclaredIngress"
}

// message is one sentence: who, what, where, and how to mend it.
func (x *culprit) message() string {
	subject := fmt.Sprintf("pods in %s", x.near.Namespace)
	if !x.real {
		subject = fmt.Sprintf("a pod that the tenant may create in %s", x.near.Namespace)
	}
	verb := "reach"
	switch {
	case x.id == guarantee.NET8 && x.dir == egress:
		verb = "would reach, once the other side allows it,"
	case x.id == guarantee.NET8:
		verb = "would admit, once the other side allows it,"
	case x.dir == ingress:
		verb = "admit"
	}
	if !x.real && !strings.HasPrefix(verb, "would") {
		verb += "es"
		verb = strings.Replace(verb, "admites", "admits", 1)
	}
	return fmt.Sprintf("%s %s %s on %s, which is not declared (%s): %s", subject, verb, x.object(), x.ports, x.where(), x.remedy())
}

// object is the far end in words.
func (x *culprit) object() string {
	const most = 4
	var parts []string
	if !x.addresses.Empty() {
		text := x.addresses.String()
		if x.metadata() {
			text += " (metadata and loopback addresses among them)"
		}
		parts = append(parts, text)
	}
	switch names := x.namespaces; {
	case len(names) > most:
		parts = append(parts, fmt.Sprintf("pods in %s and %d more namespaces", strings.Join(names[:most], ", "), len(names)-most))
	case len(names) > 0:
		parts = append(parts, "pods in "+strings.Join(names, ", "))
	}
	return strings.Join(parts, " and ")
}

// metadata reports whether addresses that nothing may open are among the far ends.
func (x *culprit) metadata() bool { return !x.addresses.Intersect(neverReachable).Empty() }

// where names what allows it.
func (x *culprit) where() string {
	switch {
	case x.cause.policy != nil:
		return fmt.Sprintf("NetworkPolicy %s/%s, %s", x.cause.policy.object.Namespace, x.cause.policy.object.Name, x.cause.field)
	case x.near.HostNetwork:
		return "the pod uses the node's network"
	}
	return fmt.Sprintf("no NetworkPolicy isolates %s there", x.dir)
}

func (x *culprit) remedy() string {
	switch {
	case x.cause.policy == nil && x.near.HostNetwork:
		return "remove spec.hostNetwork"
	case x.cause.policy == nil:
		return "add a default-deny NetworkPolicy, as Watertight does in a tenant's declared namespaces"
	case x.far != nil && x.far.Tenant != "" && x.far.Tenant != x.tenant:
		return "remove the rule, or declare the flow in both Tenants (spec.network.flows)"
	}
	return "remove the rule, or declare the flow in the Tenant (spec.network.flows)"
}

// evidence is the cause on this side, and one on the other.
func (x *culprit) evidence(j *judge) []guarantee.Evidence {
	out := []guarantee.Evidence{x.near.about(j.snapshot, x.dir, x.cause)}
	if x.far == nil {
		return out
	}
	other := 1 - x.dir
	for _, why := range x.far.causes(other, x.near) {
		if x.id == guarantee.NET8 || why.ports.Intersect(x.ports).Empty() {
			continue
		}
		return append(out, x.far.about(j.snapshot, other, why))
	}
	return out
}

// about is a cause as evidence.
func (c *Class) about(s *snapshot.Snapshot, d direction, why cause) guarantee.Evidence {
	switch {
	case why.policy != nil:
		return analyze.About(s, why.policy.object, why.field, fmt.Sprintf("allows %s of %s on %s", d, c, why.ports))
	case c.HostNetwork && len(c.Pods) > 0:
		return analyze.About(s, c.Pods[0], "spec.hostNetwork", "the pod uses the node's network, which NetworkPolicies do not govern")
	}
	return analyze.AboutNamespace(s, c.Namespace, fmt.Sprintf("no NetworkPolicy isolates %s of %s", d, c))
}
