package blast

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// The steps that follow from what the places mean; the analyzers need not list them.
const (
	idOwnsTenant = "OwnsTenant"
	idMemberOf   = "MemberOf"
	idAllSecrets = "AllSecrets"
	idAnyNode    = "AnyNode"
)

// The groups and the user that the API server gives to callers.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
const (
	userPrefix           = "User "
	groupPrefix          = "Group "
	groupAuthenticated   = groupPrefix + "system:authenticated"
	groupUnauthenticated = groupPrefix + "system:unauthenticated"
	groupAccounts        = groupPrefix + "system:serviceaccounts"
	userAnonymous        = userPrefix + "system:anonymous"
	accountUser          = userPrefix + "system:serviceaccount:"
)

func identity(name string) analyze.Place {
	return analyze.Place{Kind: analyze.PlaceIdentity, Name: name}
}

func account(namespace, name string) analyze.Place {
	return analyze.Place{Kind: analyze.PlaceIdentity, Namespace: namespace, Name: name}
}

// holder is the place of an owner or of the subject of a binding.
func holder(kind, namespace, name string) analyze.Place {
	switch kind {
	case rbacv1.ServiceAccountKind:
		return account(namespace, name)
	case rbacv1.GroupKind:
		return identity(groupPrefix + name)
	}
	if rest, ok := strings.CutPrefix(userPrefix+name, accountUser); ok {
		if ns, account_, ok := strings.Cut(rest, ":"); ok {
			return account(ns, account_)
		}
	}
	return identity(userPrefix + name)
}

// Places that stand for all of their kind.
var (
	allSecrets = analyze.Place{Kind: analyze.PlaceSecrets}
	anyNode    = analyze.Place{Kind: analyze.PlaceNode}
)

// wholes are the steps from what stands for all of a kind: all Secrets are those of each
// namespace, any node may be each of them, unless an edge says more about that.
func (b *builder) wholes() []analyze.Edge {
	var out []analyze.Edge
	if _, known := b.number[allSecrets]; known {
		for _, ns := range b.snapshot.NamespaceNames() {
			out = append(out, analyze.Edge{
				From: allSecrets, To: analyze.Place{Kind: analyze.PlaceSecrets, Namespace: ns},
				ID: idAllSecrets, Guarantee: guarantee.API1, Effect: "holds the Secrets of namespace " + ns,
			})
		}
	}
	node, known := b.number[anyNode]
	if !known {
		return out
	}
	named := map[int32]bool{}
	for _, e := range b.ends {
		if e.from == node {
			named[e.to] = true
		}
	}
	for _, n := range b.snapshot.Nodes {
		place := analyze.Place{Kind: analyze.PlaceNode, Name: n.Name}
		if at, known := b.number[place]; !known || !named[at] {
			out = append(out, analyze.Edge{
				From: anyNode, To: place, ID: idAnyNode, Effect: "may be node " + n.Name + ": which it is, is not known",
			})
		}
	}
	return out
}

// memberships are the steps to groups that other steps start from or lead to.
func (b *builder) memberships() []analyze.Edge {
	var out []analyze.Edge
	for _, p := range b.places {
		for _, group := range groupsOf(p) {
			to := identity(group)
			if _, known := b.number[to]; known && to != p {
				out = append(out, analyze.Edge{From: p, To: to, ID: idMemberOf, Effect: "is in that group"})
			}
		}
	}
	return out
}

// ownerships are what spec.owners gives.
func ownerships(s *snapshot.Snapshot) []analyze.Edge {
	var out []analyze.Edge
	for _, t := range s.Tenants {
		for i, o := range t.Spec.Owners {
			field := fmt.Sprintf("spec.owners[%d]", i)
			evidence := analyze.AboutTenant(s, t.Name, field, o.Kind+" "+o.Name)
			for _, ns := range s.NamespacesOf(t.Name) {
				out = append(out, analyze.Edge{
					From: holder(o.Kind, o.Namespace, o.Name), To: analyze.Place{Kind: analyze.PlaceNamespace, Namespace: ns},
					ID: idOwnsTenant, Guarantee: guarantee.API3,
					Effect: fmt.Sprintf("is an owner of tenant %s, and so creates pods in namespace %s", t.Name, ns),
					Fix:    fmt.Sprintf("remove it from %s of Tenant %s", field, t.Name), Evidence: evidence,
				})
			}
		}
	}
	return out
}

// groupsOf lists the groups that come with a place: with an account those of every
// ServiceAccount, with a namespace those of the accounts its pods may run as.
func groupsOf(p analyze.Place) []string {
	switch {
	case p.Kind == analyze.PlaceNamespace && p.Namespace != "",
		p.Kind == analyze.PlaceIdentity && p.Namespace != "":
		return []string{groupAccounts + ":" + p.Namespace, groupAccounts, groupAuthenticated}
	case p.Kind == analyze.PlaceIdentity && strings.HasPrefix(p.Name, groupAccounts+":"):
		return []string{groupAccounts, groupAuthenticated}
	case p.Kind == analyze.PlaceIdentity && p.Name != userAnonymous && p.Name != groupUnauthenticated:
		return []string{groupAuthenticated}
	}
	return nil
}

// assign says whose each place is, and where an attacker inside each tenant starts.
func (g *Graph) assign() {
	index := make(map[string]int32, len(g.tenants))
	for i, t := range g.tenants {
		index[t] = int32(i)
	}
	g.starts = make([][]int32, len(g.tenants))
	owners := g.owners(index)
	g.tenant = make([]int32, len(g.places))
	everybody := []string{groupAuthenticated, groupUnauthenticated, groupAccounts, userAnonymous}
	for i, p := range g.places {
		at, ns := int32(i), namespaceOf(p)
		g.tenant[i] = none
		inside, owned := index[g.snapshot.TenantOf(ns)]
		switch by := owners[at]; {
		case ns != "" && owned:
			g.tenant[i] = inside
			g.starts[inside] = append(g.starts[inside], at)
		case len(by) == 1:
			g.tenant[i] = by[0]
		}
		if group, ok := strings.CutPrefix(p.Name, groupAccounts+":"); ok && p.Kind == analyze.PlaceIdentity {
			// Its rights count, by their own steps; to be a member is no harm to a tenant.
			if member, owned := index[g.snapshot.TenantOf(group)]; owned {
				g.starts[member] = append(g.starts[member], at)
			}
		}
		for _, tenant := range owners[at] {
			g.starts[tenant] = append(g.starts[tenant], at)
		}
		if p.Kind == analyze.PlaceIdentity && p.Namespace == "" && slices.Contains(everybody, p.Name) {
			for tenant := range g.starts {
				g.starts[tenant] = append(g.starts[tenant], at)
			}
		}
	}
}

// owners lists the tenants whose credentials an identity holds by the Tenants, or by the
// ServiceAccount that the operator makes for their owners.
func (g *Graph) owners(index map[string]int32) map[int32][]int32 {
	owners := map[int32][]int32{}
	note := func(p analyze.Place, tenant string) {
		if at, known := g.number[p]; known && !slices.Contains(owners[at], index[tenant]) {
			owners[at] = append(owners[at], index[tenant])
		}
	}
	for _, t := range g.snapshot.Tenants {
		note(account(v1alpha1.SystemNamespace, v1alpha1.OwnerServiceAccount(t.Name)), t.Name)
		for _, o := range t.Spec.Owners {
			note(holder(o.Kind, o.Namespace, o.Name), t.Name)
		}
	}
	return owners
}

// namespaceOf is the namespace that a place lies in; an account may come by its user name.
func namespaceOf(p analyze.Place) string {
	if rest, ok := strings.CutPrefix(p.Name, accountUser); ok && p.Kind == analyze.PlaceIdentity {
		ns, _, _ := strings.Cut(rest, ":")
		return ns
	}
	return p.Namespace
}
