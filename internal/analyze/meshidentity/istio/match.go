package istio

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// match is how far a rule matches a connection; of alternatives the greatest counts.
type match int

const (
	never     match = iota
	sometimes       // some of its requests
	unsure          // what decides is not understood or not seen
	always
)

// both is the match of two that must match: one that never does settles it, then one of
// which nothing is sure.
func both(a, b match) match {
	for _, m := range []match{never, unsure, sometimes} {
		if a == m || b == m {
			return m
		}
	}
	return always
}

// either is the match of two of which one suffices.
func either(a, b match) match { return max(a, b) }

func not(m match) match {
	switch m {
	case never:
		return always
	case always:
		return never
	}
	return m
}

func sure(matches bool) match {
	if matches {
		return always
	}
	return never
}

// evaluation is one connection.
type evaluation struct {
	mesh     *Mesh
	src      Peer
	port     int32
	protocol string
	// shown is true where the peer's identity is known to the proxy.
	shown bool
	// doubt says why the last unsure answer is.
	doubt string
	// deny is true while a DENY policy is evaluated: on a TCP port it is stricter.
	deny bool
}

// policy matches where any of its rules does: none matches nothing.
func (e *evaluation) policy(p *Policy) match {
	e.deny = p.Action == Deny
	out := never
	for _, r := range p.rules {
		out = either(out, e.rule(p, r))
	}
	if len(p.Faults) > 0 {
		return unsure
	}
	return out
}

func (e *evaluation) rule(p *Policy, r rule) match {
	return both(both(e.any(p, r.from), e.any(p, r.to)), e.conditions(r.when))
}

// any matches where one of the sources or operations does; an empty list always.
func (e *evaluation) any(p *Policy, list []fields) match {
	if len(list) == 0 {
		return always
	}
	out := never
	for _, f := range list {
		all := always
		for _, key := range slices.Sorted(keys(f)) {
			all = both(all, e.field(p, key, f[key]))
		}
		out = either(out, all)
	}
	return out
}

func keys(f fields) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range f {
			if !yield(k) {
				return
			}
		}
	}
}

// field evaluates one list of a source or an operation. The names that begin with "not"
// are the same, turned round.
func (e *evaluation) field(p *Policy, key string, list []string) match {
	switch key {
	case "principals", "notPrincipals":
		return e.turned(key, e.principal(list))
	case "namespaces", "notNamespaces":
		return e.turned(key, e.namespace(list))
	case "serviceAccounts", "notServiceAccounts":
		return e.turned(key, e.account(p, list))
	case "ipBlocks", "notIpBlocks":
		return e.turned(key, e.address(list))
	case "ports", "notPorts":
		return e.turned(key, sure(slices.Contains(list, strconv.Itoa(int(e.port)))))
	case "remoteIpBlocks", "notRemoteIpBlocks":
		return e.unsure(key + " depends on the proxies in front")
	}
	return e.http()
}

func (e *evaluation) turned(key string, m match) match {
	if strings.HasPrefix(key, "not") {
		return not(m)
	}
	return m
}

func (e *evaluation) unsure(why string) match {
	e.doubt = why
	return unsure
}

// http is the answer to what only a request has. On a TCP port an ALLOW rule with it
// never matches, and a DENY rule as if it were not there (Istio: Authorization Policy).
func (e *evaluation) http() match {
	switch {
	case e.protocol != "tcp":
		return sometimes
	case e.deny:
		return always
	}
	return never
}

// identities are the names by which the peer is known: "cluster.local" in a policy means
// the mesh's own trust domain, whatever it is called (Istio: Trust Domain Migration).
func (e *evaluation) identities() []string {
	if !e.shown {
		return nil
	}
	path := "/ns/" + e.src.Namespace + "/sa/" + e.src.Account
	return slices.Compact([]string{e.mesh.TrustDomain + path, "cluster.local" + path})
}

func (e *evaluation) principal(list []string) match {
	return sure(slices.ContainsFunc(e.identities(), func(id string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return matchText(pattern, id) })
	}))
}

func (e *evaluation) namespace(list []string) match {
	return sure(e.shown && slices.ContainsFunc(list, func(pattern string) bool { return matchGlob(pattern, e.src.Namespace) }))
}

// account matches "namespace/name", or a name in the policy's own namespace.
func (e *evaluation) account(p *Policy, list []string) match {
	return sure(e.shown && slices.ContainsFunc(list, func(a string) bool {
		if !strings.Contains(a, "/") {
			a = p.Namespace + "/" + a
		}
		return a == e.src.Namespace+"/"+e.src.Account
	}))
}

// address matches the peer's address; where it has several families, all must agree.
func (e *evaluation) address(list []string) match {
	if len(e.src.Addresses) == 0 {
		return e.unsure("the address of " + e.src.Namespace + "/" + e.src.Account + " is not known")
	}
	hits := 0
	for _, a := range e.src.Addresses {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			return e.unsure(fmt.Sprintf("address %q is malformed", a))
		}
		inside, bad := contains(list, addr)
		if bad != "" {
			return e.unsure(fmt.Sprintf("block %q is malformed", bad))
		}
		if inside {
			hits++
		}
	}
	switch hits {
	case 0:
		return never
	case len(e.src.Addresses):
		return always
	}
	return sometimes
}

func contains(blocks []string, addr netip.Addr) (inside bool, bad string) {
	for _, b := range blocks {
		if single, err := netip.ParseAddr(b); err == nil {
			inside = inside || single == addr
			continue
		}
		prefix, err := netip.ParsePrefix(b)
		if err != nil {
			return false, b
		}
		inside = inside || prefix.Contains(addr)
	}
	return inside, ""
}

// conditions must all match (Istio: Authorization Policy Conditions).
func (e *evaluation) conditions(list []condition) match {
	out := always
	for _, c := range list {
		out = both(out, e.condition(c))
	}
	return out
}

func (e *evaluation) condition(c condition) match {
	var attribute func([]string) match
	switch {
	case c.key == "source.principal":
		attribute = e.principal
	case c.key == "source.namespace":
		attribute = e.namespace
	case c.key == "source.ip":
		attribute = e.address
	case c.key == "destination.port":
		attribute = func(list []string) match { return sure(slices.Contains(list, strconv.Itoa(int(e.port)))) }
	case strings.HasPrefix(c.key, "request."):
		return e.http()
	case c.key == "connection.sni":
		return sometimes
	default:
		return e.unsure(fmt.Sprintf("condition %q is not evaluated", c.key))
	}
	out := always
	if len(c.values) > 0 {
		out = both(out, attribute(c.values))
	}
	if len(c.notValues) > 0 {
		out = both(out, not(attribute(c.notValues)))
	}
	return out
}
