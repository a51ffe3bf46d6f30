package services

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/services/gateway"
	"watertight.dev/watertight/internal/analyze/services/hostname"
	"watertight.dev/watertight/internal/snapshot"
)

// claim is a claim to a host name with the field that makes it.
type claim struct {
	hostname.Claim
	object snapshot.Object
	field  string
}

// conflict is a claim of a tenant's that meets somebody else's.
type conflict struct {
	hostname.Conflict
	mine, other *claim
}

// claims gathers every claim to a host name that its class gives, or that belongs to no
// tenant. A claim to what the class does not give is broken already, and takes nothing
// from the rightful.
type claims struct {
	*picture
	list  []claim
	gives map[string][]string
}

// conflicts lists, by tenant, whose names it takes.
func (p *picture) conflicts() map[string][]conflict {
	c := &claims{picture: p, gives: map[string][]string{}}
	for _, t := range p.snapshot.Tenants {
		if class := p.snapshot.ClassOf(t); class != nil {
			c.gives[t.Name] = hostnamesOf(class, t.Name)
		}
	}
	for _, g := range p.snapshot.Ingresses {
		c.ingress(g)
	}
	for _, r := range p.gateways.Routes {
		c.route(r)
	}
	for _, g := range p.gateways.Gateways {
		if p.owner(g.Object) != "" { // routes claim what the platform's listeners offer
			c.listeners(g.Object, g.Listeners)
		}
	}
	for _, s := range p.gateways.Sets {
		if p.owner(s.Object) != "" && p.gateways.Attached(s, p.labels) != gateway.No {
			c.listeners(s.Object, s.Listeners)
		}
	}
	plain := make([]hostname.Claim, len(c.list))
	for i := range c.list {
		plain[i] = c.list[i].Claim
	}
	out := map[string][]conflict{}
	for _, found := range hostname.NewClaims(plain).Conflicts() {
		mine, other := &c.list[found.ID], &c.list[found.Other]
		out[mine.Owner] = append(out[mine.Owner], conflict{found, mine, other})
	}
	return out
}

// add takes a claim.
func (c *claims) add(o snapshot.Object, field, host string, path hostname.Path, oneLabel bool, key string) {
	host = hostname.Fold(host)
	owner := c.owner(o)
	gives, classed := c.gives[owner]
	if !hostname.Valid(host) || classed && !hostname.Allowed(gives, host) {
		return
	}
	claimed := hostname.Claim{ID: len(c.list), Owner: owner, Host: host, OneLabel: oneLabel, Path: path, Since: since(o), Key: key}
	c.list = append(c.list, claim{claimed, o, field})
}

// since is when an object was created; a manifest does not say.
func since(o snapshot.Object) int64 {
	if at := o.GetCreationTimestamp(); !at.IsZero() {
		return at.Unix()
	}
	return 0
}

// metacharacters make an ImplementationSpecific path a regular expression.
const metacharacters = `*+?()[]{}|^$\`

func (c *claims) ingress(g *networkingv1.Ingress) {
	for i, r := range g.Spec.Rules {
		at := fmt.Sprintf("spec.rules[%d]", i)
		if r.Host == "" {
			continue
		}
		if r.HTTP == nil || len(r.HTTP.Paths) == 0 {
			c.add(g, at+".host", r.Host, hostname.Path{Text: "/"}, true, "")
			continue
		}
		for k, p := range r.HTTP.Paths {
			path := hostname.Path{Text: p.Path}
			switch {
			case p.PathType != nil && *p.PathType == networkingv1.PathTypeExact:
				path.Exact = true
			case p.PathType == nil || *p.PathType == networkingv1.PathTypeImplementationSpecific:
				if cut := strings.IndexAny(p.Path, metacharacters); cut >= 0 {
					path.Text, path.Vague = p.Path[:strings.LastIndexByte(p.Path[:cut], '/')+1], true
				}
			}
			c.add(g, fmt.Sprintf("%s.http.paths[%d]", at, k), r.Host, path, true, "")
		}
	}
}

// route claims the names that a route takes of its listeners, and those that it names
// itself where its Gateway is not to be seen. A route that hangs nowhere takes nothing.
func (c *claims) route(r *gateway.Route) {
	if !r.Named() {
		return
	}
	names := map[string]string{}
	for _, parent := range r.Parents {
		hung, answer := c.gateways.Attach(r, parent, c.labels)
		if answer == gateway.Unseen {
			for i, h := range r.Hostnames {
				names[hostname.Fold(h)] = fmt.Sprintf("spec.hostnames[%d]", i)
			}
		}
		for _, h := range hung {
			for _, host := range h.Hosts {
				names[host.Name] = "spec.hostnames"
				if host.Index >= 0 {
					names[host.Name] = fmt.Sprintf("spec.hostnames[%d]", host.Index)
				}
			}
		}
	}
	key := r.Object.GetNamespace() + "/" + r.Object.GetName()
	for _, host := range slices.Sorted(maps.Keys(names)) {
		for _, p := range r.Paths {
			c.add(r.Object, names[host], host, hostname.Path{Text: p.Text, Exact: p.Exact, Vague: p.Vague}, false, key)
		}
	}
}

func (c *claims) listeners(o *unstructured.Unstructured, list []gateway.Listener) {
	for _, l := range list {
		if l.Hostname != "" && !streams[l.Protocol] {
			c.add(o, l.Field+".hostname", l.Hostname, hostname.Path{Text: "/"}, false, o.GetNamespace()+"/"+o.GetName())
		}
	}
}

// conflict notes a claim that meets another's, and who wins where that is known. The
// other's object is evidence only by name: what it is for is the other's affair.
func (j *judge) conflict(c conflict) {
	rule, fact := hostnameConflict, "claims "+clip(c.mine.Host)
	if c.Same {
		fact += clip(path(c.mine.Path))
	}
	switch {
	case c.Vague:
		rule = hostnameMayMeet
	case c.other.Owner == "":
		fact += fmt.Sprintf(", which %s of the platform has", snapshot.KeyOf(c.other.object))
	case c.Sure:
		fact += fmt.Sprintf(", and %s of tenant %s, created %s, was first%s", snapshot.KeyOf(c.other.object), c.other.Owner, created(c.other.object), wins(c))
	default:
		fact += fmt.Sprintf(", as does %s of tenant %s; which of them wins cannot be told without their creation times", snapshot.KeyOf(c.other.object), c.other.Owner)
	}
	j.note(rule, c.mine.object, c.mine.field, fact,
		about(j.snapshot, c.other.object, c.other.field, "claims "+clip(c.other.Host)+clip(path(c.other.Path))))
}

// wins says who gets the requests. The Gateway API lets the older route win; of Ingresses,
// Kubernetes says nothing, and ingress-nginx keeps the older.
func wins(c conflict) string {
	if c.mine.Key != "" && c.other.Key != "" {
		return " and wins"
	}
	return " (ingress-nginx keeps the older; others may not)"
}

func path(p hostname.Path) string {
	if p.Text == "/" {
		return ""
	}
	return p.Text
}

func created(o snapshot.Object) string {
	at := o.GetCreationTimestamp()
	return at.UTC().Format(time.RFC3339)
}
