package services

import (
	"fmt"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/services/gateway"
)

// route judges a route of the Gateway API.
func (j *judge) route(r *gateway.Route) {
	j.faults(r.Object, r.Faults)
	for i, h := range r.Hostnames {
		j.host(r.Object, fmt.Sprintf("spec.hostnames[%d]", i), h)
	}
	for _, parent := range r.Parents {
		hung, answer := j.gateways.Attach(r, parent, j.labels)
		if answer == gateway.Unseen {
			j.unseen(r, parent)
		}
		for _, h := range hung {
			j.hangs(r, parent, h)
		}
	}
	for _, f := range r.Unknown {
		j.note(fieldUnknown, r.Object, f, "is a filter that is not judged")
	}
	for _, b := range r.Backends {
		j.backend(r, b)
	}
	j.annotations(r.Object, "")
}

// unseen notes what a route may take of a listener that is not in the picture.
func (j *judge) unseen(r *gateway.Route, parent gateway.Ref) {
	fact := fmt.Sprintf("names %s %s/%s, and that, or whether it admits this namespace, is not among what is judged", clip(parent.Kind), clip(parent.Namespace), clip(parent.Name))
	switch {
	case !r.Named():
		j.note(gatewayNotSeen, r.Object, parent.Field, fact)
	case len(r.Hostnames) == 0:
		j.note(hostnameInherited, r.Object, "spec.hostnames", "is empty, and "+parent.Field+" "+fact)
	}
}

// hangs judges what a route takes of a listener.
func (j *judge) hangs(r *gateway.Route, parent gateway.Ref, h gateway.Hung) {
	j.through(r.Object, parent.Field, h.Owner)
	listener := fmt.Sprintf("listener %s of %s %s/%s", clip(h.Listener.Name), h.Owner.GetKind(), h.Owner.GetNamespace(), h.Owner.GetName())
	if !r.Named() {
		if j.owner(h.Owner) != j.tenant.Name {
			j.note(routeTakesPort, r.Object, parent.Field, "hangs on "+listener)
		}
		return
	}
	evidence := about(j.snapshot, h.Owner, h.Listener.Field+".hostname", "is what the route takes")
	if len(h.Hosts) == 0 {
		if j.class != nil {
			j.note(hostnameMissing, r.Object, "spec.hostnames", "is empty, as is the hostname of "+listener, evidence)
		}
		return
	}
	for _, host := range h.Hosts {
		if host.Index >= 0 {
			continue // judged as it is written
		}
		if c := j.hostCharge(host.Name); c.rule.ID != "" {
			j.note(c.rule, r.Object, "spec.hostnames", "is empty, and by "+listener+" it "+c.fact, evidence)
		}
	}
}

// backend judges where a route sends. Without a grant, a backend in another namespace
// does nothing.
func (j *judge) backend(r *gateway.Route, b gateway.Ref) {
	if b.Group != "" || b.Kind != "Service" {
		j.note(backendUnknown, r.Object, b.Field, fmt.Sprintf("names a %s of group %q", clip(b.Kind), clip(b.Group)))
		return
	}
	tenant := j.snapshot.TenantOf(b.Namespace)
	if tenant == "" || tenant == j.tenant.Name || j.flows.both(j.snapshot, r.Object.GetNamespace(), b.Namespace) {
		return
	}
	if grant, to := j.gateways.Allows(gateway.Group, r.Kind, r.Object.GetNamespace(), b); grant != nil {
		j.note(foreignBackend, r.Object, b.Field, fmt.Sprintf("names Service %s/%s of tenant %s", clip(b.Namespace), clip(b.Name), tenant),
			about(j.snapshot, grant.Object, to.Field, "allows it"),
			analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.network.flows", "declares no such flow, or the other Tenant does not"))
	}
}
