package services

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"watertight.dev/watertight/internal/analyze/services/gateway"
)

// gateway judges a Gateway of the tenant's.
func (j *judge) gateway(g *gateway.Gateway) {
	j.faults(g.Object, g.Faults)
	if j.class != nil && !slices.Contains(j.class.Spec.Network.ServiceTypes, corev1.ServiceTypeLoadBalancer) {
		j.note(gatewayForbidden, g.Object, "spec.gatewayClassName", fmt.Sprintf("is %s, and class %s allows no load balancers", clip(g.Class), j.class.Name))
	}
	for _, a := range g.Addresses {
		j.note(gatewayAddress, g.Object, a.Field, "is "+j.named(a.Value))
	}
	j.annotations(g.Object, "")
	j.admits(g.Object, g.Sets)
	j.certificates(g.Object, g.ClientCertificate)
	j.listeners(g.Object, g.Listeners)
}

// listenerSet judges a ListenerSet; one that its Gateway does not take does nothing.
func (j *judge) listenerSet(s *gateway.ListenerSet) {
	j.faults(s.Object, s.Faults)
	if j.gateways.Attached(s, j.labels) == gateway.No {
		return
	}
	if g := j.gateways.Gateway(s.Parent); g != nil {
		j.through(s.Object, s.Parent.Field, g.Object)
	}
	j.listeners(s.Object, s.Listeners)
}

// through judges whose Gateway an object hangs on.
func (j *judge) through(o *unstructured.Unstructured, field string, owner *unstructured.Unstructured) {
	if tenant := j.owner(owner); tenant != "" && tenant != j.tenant.Name {
		j.note(foreignGateway, o, field, fmt.Sprintf("hangs on %s %s/%s of tenant %s", owner.GetKind(), owner.GetNamespace(), owner.GetName(), tenant))
	}
}

// streams are the protocols whose listeners know no host names.
var streams = map[string]bool{"TCP": true, "UDP": true}

func (j *judge) listeners(o *unstructured.Unstructured, list []gateway.Listener) {
	for _, l := range list {
		if !streams[l.Protocol] {
			j.host(o, l.Field+".hostname", l.Hostname)
		}
		j.admits(o, l.Routes)
		j.certificates(o, l.Certificates)
	}
}

// certificates judges the Secrets that a Gateway serves with. Without a grant a reference
// to another namespace does nothing; the platform's grants are its own affair.
func (j *judge) certificates(o *unstructured.Unstructured, list []gateway.Ref) {
	for _, ref := range list {
		tenant := j.snapshot.TenantOf(ref.Namespace)
		if tenant == "" || tenant == j.tenant.Name {
			continue
		}
		if grant, _ := j.gateways.Allows(gateway.Group, o.GetKind(), o.GetNamespace(), ref); grant != nil {
			j.note(foreignSecret, o, ref.Field, fmt.Sprintf("names %s %s/%s of tenant %s", clip(ref.Kind), clip(ref.Namespace), clip(ref.Name), tenant),
				about(j.snapshot, grant.Object, "spec.to", "allows it"))
		}
	}
}

// admits judges which foreign namespaces may hang something on the tenant's Gateway.
func (j *judge) admits(o *unstructured.Unstructured, a gateway.Admission) {
	field := a.Field + ".from"
	switch a.From {
	case gateway.FromAll:
		j.note(listenerAdmits, o, field, "admits every namespace")
	case gateway.FromSelector:
		ns := a.Admitted(o.GetNamespace(), j.candidates(a.Selector), j.labels, func(ns string) bool { return j.snapshot.TenantOf(ns) != j.tenant.Name })
		if ns != "" {
			j.note(listenerAdmits, o, a.Field+".selector", "admits namespace "+ns)
		}
	case gateway.FromSame, gateway.FromNone:
	default:
		j.note(fieldUnknown, o, field, fmt.Sprintf("is %q, which is not known", clip(a.From)))
	}
}

// candidates are the namespaces that a selector may select: those with the label that its
// first "in" names, or all.
func (p *picture) candidates(selector labels.Selector) []string {
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		switch r.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals:
			var out []string
			for _, v := range slices.Sorted(func(yield func(string) bool) {
				for v := range r.Values() {
					if !yield(v) {
						return
					}
				}
			}) {
				out = append(out, p.withLabel(r.Key(), v)...)
			}
			return out
		}
	}
	return p.snapshot.NamespaceNames()
}

// withLabel are the namespaces with a label.
func (p *picture) withLabel(key, value string) []string {
	if p.listed == nil {
		p.listed = map[[2]string][]string{}
		for _, ns := range p.snapshot.NamespaceNames() {
			have, _ := p.labels(ns)
			for k, v := range have {
				p.listed[[2]string{k, v}] = append(p.listed[[2]string{k, v}], ns)
			}
		}
	}
	return p.listed[[2]string{key, value}]
}

// faults notes fields that could not be read.
func (j *judge) faults(o *unstructured.Unstructured, faults []string) {
	for _, f := range faults {
		at, fact, _ := strings.Cut(f, " ")
		j.note(fieldUnknown, o, at, fact)
	}
}

// grant judges a ReferenceGrant of the tenant's: whom it lets in, and to what.
func (j *judge) grant(g *gateway.Grant) {
	j.faults(g.Object, g.Faults)
	home := g.Object.GetNamespace()
	for _, f := range g.From {
		tenant := j.snapshot.TenantOf(f.Namespace)
		if tenant == j.tenant.Name || tenant == "" && j.snapshot.Exists(f.Namespace) {
			continue
		}
		for _, t := range g.To {
			fact := fmt.Sprintf("lets %s of namespace %s refer to %s", clip(f.Kind), clip(f.Namespace), strings.TrimSpace(clip(t.Kind)+" "+clip(t.Name)))
			switch {
			case tenant == "":
				j.note(grantToUnseen, g.Object, f.Field, fact)
			case t.Group == "" && t.Kind == "Secret":
				j.note(grantOpensSecrets, g.Object, f.Field, fact)
			case t.Group == "" && t.Kind == "Service":
				if !j.flows.both(j.snapshot, f.Namespace, home) {
					j.note(grantOpensServices, g.Object, f.Field, fact)
				}
			default:
				j.note(grantOpensObjects, g.Object, f.Field, fact)
			}
		}
	}
}
