package hostname

import (
	"cmp"
	"slices"
	"strings"
)

// Claim is one object's claim to a host name.
type Claim struct {
	// ID is the caller's own name for the claim.
	ID int
	// Owner is the tenant; empty is the platform.
	Owner string
	// Host is folded and valid.
	Host string
	// OneLabel marks a wildcard that stands for one label, as an Ingress's does; that of
	// a Gateway stands for any number.
	OneLabel bool
	Path     Path
	// Since is when the object was created, in seconds; 0 where that is not known.
	Since int64
	// Key is what ties are broken by, where the rule of the kind breaks them by name
	// (Gateway API: "namespace/name").
	Key string
}

// Path is the part of a host that is claimed.
type Path struct {
	Text string
	// Exact is a claim to the very path, not to what is below it.
	Exact bool
	// Vague marks a path whose meaning the controller decides (a regular expression).
	Vague bool
}

// Conflict is a claim to what another owner has or may have had first.
type Conflict struct {
	ID, Other int
	// Sure is set where Other is known to be the older; otherwise either may win.
	Sure bool
	// Vague is set where the two may not meet at all.
	Vague bool
	// Same is set where both name the same host.
	Same bool
}

// Claims finds who claims the same host names. Its work grows with the number of claims
// (and the length of names), not with the number of pairs.
type Claims struct {
	list  []Claim
	hosts *host
	paths map[string]*path
}

// host is a node of the tree of labels, from the last to the first.
type host struct {
	children map[string]*host
	// deep and one are the claims to the wildcards right below the name, next those to
	// names one label below, under those to all names and wildcards further below.
	deep, one, next, under first
}

// path is a node of the tree of a host's path segments.
type path struct {
	children map[string]*path
	// exact are the claims to this very path, prefix those to it and all below it, under
	// those to it or anything below it.
	exact, prefix, under first
}

// first holds the first claims of two owners: whoever asks is one of them at most.
type first [2]*Claim

func (f *first) add(c *Claim) {
	switch {
	case f[0] == nil || f[0].Owner == c.Owner && older(c, f[0]) < 0:
		f[0] = c
	case f[0].Owner == c.Owner:
	case older(c, f[0]) < 0:
		f[0], f[1] = c, f[0]
	case f[1] == nil || older(c, f[1]) < 0:
		f[1] = c
	}
}

// other is the first claim of another owner.
func (f *first) other(c *Claim) *Claim {
	for _, o := range f {
		if o != nil && o.Owner != c.Owner {
			return o
		}
	}
	return nil
}

// older orders claims: the platform's before all, then one of unknown age, because it may
// be the oldest.
func older(a, b *Claim) int {
	if a.Owner == "" != (b.Owner == "") {
		return cmp.Compare(a.Owner, b.Owner)
	}
	return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID))
}

// NewClaims indexes claims.
func NewClaims(list []Claim) *Claims {
	c := &Claims{list: list, hosts: &host{}, paths: map[string]*path{}}
	for i := range list {
		c.addPath(&list[i])
		if list[i].Owner != "" { // the platform's catch-alls give way to tenants by design
			c.addHost(&list[i])
		}
	}
	return c
}

func (c *Claims) addHost(claim *Claim) {
	labels, wild := split(claim)
	at := c.hosts
	for i, l := range labels {
		at.under.add(claim)
		if i == len(labels)-1 && !wild {
			at.next.add(claim)
		}
		at = child(&at.children, l)
	}
	switch {
	case wild && claim.OneLabel:
		at.one.add(claim)
	case wild:
		at.deep.add(claim)
	}
}

// split is the labels of a claim's host from the last to the first.
func split(c *Claim) (labels []string, wild bool) {
	name, wild := strings.CutPrefix(c.Host, "*.")
	labels = strings.Split(name, ".")
	slices.Reverse(labels)
	return labels, wild
}

func child[T any](children *map[string]*T, name string) *T {
	if *children == nil {
		*children = map[string]*T{}
	}
	at, ok := (*children)[name]
	if !ok {
		at = new(T)
		(*children)[name] = at
	}
	return at
}

// Conflicts lists, for each claim of a tenant, the first claim of somebody else that it
// meets and that is not known to be younger. Where ages are not known, both are listed.
func (c *Claims) Conflicts() []Conflict {
	var out []Conflict
	for i := range c.list {
		claim := &c.list[i]
		if claim.Owner == "" {
			continue
		}
		same := c.onPath(claim)
		if found, ok := judge(claim, same, true); ok {
			out = append(out, found)
			continue
		}
		if found, ok := judge(claim, c.onHost(claim), false); ok {
			out = append(out, found)
		}
	}
	return out
}

// judge picks the oldest of the claims that a claim meets.
func judge(c *Claim, met []*Claim, same bool) (Conflict, bool) {
	var worst *Claim
	for _, o := range met {
		if o == nil || yields(o, c) {
			continue
		}
		if worst == nil || older(o, worst) < 0 {
			worst = o
		}
	}
	if worst == nil {
		return Conflict{}, false
	}
	return Conflict{
		ID: c.ID, Other: worst.ID, Sure: yields(c, worst), Same: same,
		Vague: same && (c.Path.Vague || worst.Path.Vague),
	}, true
}

// yields reports whether a claim is known to come after another. The platform yields to
// nobody.
func yields(c, to *Claim) bool {
	switch {
	case to.Owner == "":
		return true
	case c.Owner == "" || c.Since == 0 || to.Since == 0:
		return false
	case c.Since != to.Since:
		return c.Since > to.Since
	}
	return c.Key != "" && to.Key != "" && c.Key > to.Key
}

// onHost is the first foreign claims whose host overlaps, but is not the same.
func (c *Claims) onHost(claim *Claim) []*Claim {
	labels, wild := split(claim)
	at := c.hosts
	var met []*Claim
	for i, l := range labels {
		met = append(met, at.deep.other(claim))
		if i == len(labels)-1 && !wild {
			met = append(met, at.one.other(claim))
		}
		if at = at.children[l]; at == nil {
			return met
		}
	}
	if wild && claim.OneLabel {
		return append(met, at.next.other(claim))
	}
	if wild {
		return append(met, at.under.other(claim))
	}
	return met
}
