package netreach

import (
	"fmt"
	"strings"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// offence is undeclared traffic of one class with others, or with addresses.
type offence struct {
	id     guarantee.ID
	tenant string
	dir    rules.Direction
	// near is the tenant's own class.
	near *engine.Class
	// far is the other class, or nil, with addresses; more are further ones that share
	// the causes, and count all namespaces of the far ends, where they are a crowd.
	far       *engine.Class
	more      []*engine.Class
	count     int
	addresses netset.Addresses
	ports     netset.Ports
	// sure is false where the traffic is only perhaps allowed.
	sure bool
}

// culprit gathers the offences that one cause explains: one mistake, one finding.
type culprit struct {
	offence
	cause      engine.Cause
	namespaces []string // of the far ends, the first few
	known      map[string]bool
	real       bool
	// certain is set where no policy that could not be read would have closed it.
	certain bool
}

// culprits are in the order in which they were found.
type culprits struct {
	list  []*culprit
	byKey map[culpritKey]*culprit
}

type culpritKey struct {
	id          guarantee.ID
	tenant      string
	dir         rules.Direction
	namespace   string
	hostNetwork bool
	rule        *rules.Rule
	sure        bool
}

func newCulprits() *culprits { return &culprits{byKey: map[culpritKey]*culprit{}} }

// charge finds the causes, on the tenant's side, of an offence.
func (c *culprits) charge(e *engine.Engine, o offence, spare func(engine.Cause) bool) {
	var causes []engine.Cause
	if o.far != nil {
		causes = e.Causes(o.dir, o.near, o.far)
	} else {
		causes = e.AddressCauses(o.dir, o.near)
	}
	for _, why := range causes {
		part := o
		part.ports = why.Ports.Intersect(o.ports)
		if o.far == nil {
			part.addresses = why.Addresses.Intersect(o.addresses)
		}
		if part.ports.Empty() || o.far == nil && part.addresses.Empty() || spare != nil && spare(why) || o.sure && !why.Sure {
			continue
		}
		c.add(part, why)
	}
}

func (c *culprits) add(o offence, why engine.Cause) {
	key := culpritKey{o.id, o.tenant, o.dir, o.near.Namespace(), o.near.HostNetwork, why.Rule, o.sure}
	known, ok := c.byKey[key]
	if !ok {
		known = &culprit{offence: o, cause: why, known: map[string]bool{}}
		known.count = 0
		c.byKey[key] = known
		c.list = append(c.list, known)
	}
	known.ports = known.ports.Union(o.ports)
	known.addresses = known.addresses.Union(o.addresses)
	known.real = known.real || len(o.near.Pods) > 0
	known.certain = known.certain || o.certain(why)
	if o.far == nil {
		return
	}
	for _, far := range append([]*engine.Class{o.far}, o.more...) {
		if ns := far.Namespace(); !known.known[ns] {
			known.known[ns] = true
			known.namespaces = append(known.namespaces, ns)
		}
	}
	known.count = max(known.count, o.count, len(known.namespaces))
}

// certain reports whether both ends are isolated already, so that one policy more could
// only open more; or are past policies.
func (o offence) certain(why engine.Cause) bool {
	near := why.Policy != nil || o.near.HostNetwork
	if o.far == nil || o.id == guarantee.NET8 {
		return near
	}
	return near && (o.far.HostNetwork || o.far.Isolated(1-o.dir))
}

// report turns each culprit into a finding.
func (c *culprits) report(j *judge) {
	for _, x := range c.list {
		l := j.ledgers[x.tenant]
		if l == nil || !x.certain && !l.Complete("NetworkPolicy") {
			continue
		}
		if x.sure {
			l.Break(x.id, x.reason(), x.message(), x.evidence(j)...)
		} else {
			l.Doubt(x.id, "Perhaps"+x.reason(), x.perhaps(j), x.evidence(j)...)
		}
	}
}

func (x *culprit) reason() string {
	switch {
	case x.id == guarantee.NET8:
		return "OneSidedAllow"
	case x.id == guarantee.NET6:
		return "NodeReachable"
	case x.cause.Policy == nil && x.near.HostNetwork:
		return "HostNetwork"
	case x.cause.Policy == nil:
		return "NotIsolated"
	case x.metadata():
		return "MetadataReachable"
	case x.dir == rules.Egress:
		return "UndeclaredEgress"
	}
	return "UndeclaredIngress"
}

// message is one sentence: who, what, where, and how to mend it.
func (x *culprit) message() string {
	return fmt.Sprintf("%s %s on %s, which is not declared (%s): %s", x.subject(), x.object(), x.ports, where(x.cause, x.near, x.dir), x.remedy())
}

// perhaps is the message where nobody can tell.
func (x *culprit) perhaps(j *judge) string {
	unsure := x.cause
	if unsure.Sure && x.far != nil { // then it is the other side that nobody can tell
		if theirs, ok := x.theirs(j, false); ok {
			unsure = theirs
		}
	}
	why := "the rule may match"
	switch rule := unsure.Rule; {
	case rule != nil && rule.Unsure != "":
		why = rule.Unsure
	case unsure.Peer != nil && unsure.Peer.Unknown != "":
		why = unsure.Peer.Unknown
	case unsure.Peer != nil && unsure.Peer.Addresses != nil:
		why = "whether ipBlocks match pods is up to the network plugin, or the pods' addresses are not known"
	}
	return fmt.Sprintf("it cannot be told whether %s %s on %s (%s: %s)", x.subject(), x.object(), x.ports, where(unsure, x.near, x.dir), why)
}

// theirs is what allows the offence on the other side, surely or perhaps.
func (x *culprit) theirs(j *judge, sure bool) (engine.Cause, bool) {
	for _, why := range j.engine.Causes(1-x.dir, x.far, x.near) {
		if why.Sure == sure && !why.Ports.Intersect(x.ports).Empty() {
			return why, true
		}
	}
	return engine.Cause{}, false
}

func (x *culprit) subject() string {
	subject := fmt.Sprintf("pods in %s", x.near.Namespace())
	if !x.real {
		subject = fmt.Sprintf("a pod that the tenant may create in %s", x.near.Namespace())
	}
	switch {
	case x.id == guarantee.NET8 && x.dir == rules.Egress:
		return subject + " would reach, once the other side allows it,"
	case x.id == guarantee.NET8:
		return subject + " would admit, once the other side allows it,"
	case x.dir == rules.Ingress && x.real:
		return subject + " admit"
	case x.dir == rules.Ingress:
		return subject + " admits"
	case x.real:
		return subject + " reach"
	}
	return subject + " reaches"
}

// object is the far end in words.
func (x *culprit) object() string {
	var parts []string
	if !x.addresses.Empty() {
		text := x.addresses.String()
		if x.metadata() {
			text += " (metadata and loopback addresses among them)"
		}
		parts = append(parts, text)
	}
	names := x.namespaces[:min(len(x.namespaces), mostNamed)]
	switch more := x.count - len(names); {
	case len(names) > 0 && more > 0:
		parts = append(parts, fmt.Sprintf("pods in %s and %d more namespaces", strings.Join(names, ", "), more))
	case len(names) > 0:
		parts = append(parts, "pods in "+strings.Join(names, ", "))
	}
	return strings.Join(parts, " and ")
}

// metadata reports whether addresses that nothing may open are among the far ends.
func (x *culprit) metadata() bool {
	return x.id == guarantee.NET4 && !x.addresses.Intersect(neverReachable).Empty()
}

// where names what allows it.
func where(why engine.Cause, near *engine.Class, d rules.Direction) string {
	switch {
	case why.Policy != nil:
		return fmt.Sprintf("%s, %s", snapshot.KeyOf(why.Policy.Object), why.Field())
	case near.HostNetwork:
		return "the pod uses the node's network"
	}
	return fmt.Sprintf("no NetworkPolicy isolates %s there", d)
}

func (x *culprit) remedy() string {
	switch {
	case x.cause.Policy == nil && x.near.HostNetwork:
		return "remove spec.hostNetwork"
	case x.cause.Policy == nil:
		return "add a default-deny NetworkPolicy, as Watertight does in a tenant's declared namespaces"
	case x.id == guarantee.NET6:
		return "leave the nodes' addresses out of the rule (ipBlock.except)"
	case x.far != nil && x.far.Tenant() != "" && x.far.Tenant() != x.tenant:
		return "remove the rule, or declare the flow in both Tenants (spec.network.flows)"
	}
	return "remove the rule, or declare the flow in the Tenant (spec.network.flows)"
}

// evidence is the cause on this side, and one on the other.
func (x *culprit) evidence(j *judge) []guarantee.Evidence {
	out := []guarantee.Evidence{about(j.snapshot, x.near, x.dir, x.cause)}
	if x.far == nil || x.id == guarantee.NET8 {
		return out
	}
	theirs, ok := x.theirs(j, x.sure)
	if !ok {
		theirs, ok = x.theirs(j, !x.sure)
	}
	if ok {
		out = append(out, about(j.snapshot, x.far, 1-x.dir, theirs))
	}
	return out
}

// about is a cause as evidence.
func about(s *snapshot.Snapshot, c *engine.Class, d rules.Direction, why engine.Cause) guarantee.Evidence {
	switch {
	case why.Policy != nil:
		return analyze.About(s, why.Policy.Object, why.Field(), fmt.Sprintf("allows %s of %s on %s", d, c, why.Ports))
	case c.HostNetwork && len(c.Pods) > 0:
		return analyze.About(s, c.Pods[0], "spec.hostNetwork", "the pod uses the node's network, which NetworkPolicies do not govern")
	}
	return analyze.AboutNamespace(s, c.Namespace(), fmt.Sprintf("no NetworkPolicy isolates %s of %s", d, c))
}
