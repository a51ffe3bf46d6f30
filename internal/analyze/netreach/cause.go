package netreach

// cause is why something is allowed in one direction: a peer of a rule, a rule without
// peers, or (with no policy) the absence of any policy that isolates the class.
type cause struct {
	policy *policy
	// field is the path of the peer or rule; rule that of the rule.
	field, rule string
	ports       Ports
	addresses   Addresses
}

// causes lists why c is allowed to talk with the other class in a direction.
func (c *Class) causes(d direction, other *Class) []cause {
	g := &c.grants[d]
	if g.open() {
		return []cause{{ports: AllPorts()}}
	}
	destination := other
	if d == ingress {
		destination = c
	}
	var out []cause
	for _, p := range g.policies {
		for _, r := range p.rules[d] {
			ports := r.at(destination)
			if ports.Empty() {
				continue
			}
			if r.everyone {
				out = append(out, cause{policy: p, field: r.field, rule: r.field, ports: ports})
			}
			for i := range r.peers {
				if r.peers[i].admits(p.object.Namespace, other) {
					out = append(out, cause{policy: p, field: r.peers[i].field, rule: r.field, ports: ports})
				}
			}
		}
	}
	return out
}

// admits reports whether a peer of a policy in that namespace stands for the class.
func (q *peer) admits(namespace string, c *Class) bool {
	switch {
	case q.block != nil:
		return q.atom < len(c.blockBytes) && c.blockBytes[q.atom] == '1'
	case c.HostNetwork || !q.pods.Matches(c.Labels):
		return false
	case q.namespaces == nil:
		return c.Namespace == namespace
	}
	return q.namespaces.Matches(c.namespace)
}

// addressCauses lists why a class may talk with addresses outside the cluster. Named
// ports have no meaning there.
func (c *Class) addressCauses(d direction) []cause {
	g := &c.grants[d]
	if g.open() {
		return []cause{{ports: AllPorts(), addresses: everywhere}}
	}
	var out []cause
	for _, p := range g.policies {
		for _, r := range p.rules[d] {
			ports := r.fixed()
			if d == ingress {
				ports = r.at(c)
			}
			if ports.Empty() {
				continue
			}
			if r.everyone {
				out = append(out, cause{p, r.field, r.field, ports, everywhere})
			}
			for _, q := range r.peers {
				if q.block != nil {
					out = append(out, cause{p, q.field, r.field, ports, q.block})
				}
			}
		}
	}
	return out
}
