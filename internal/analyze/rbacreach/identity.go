package rbacreach

import (
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

const accountPrefix = "system:serviceaccount:"

// identities are the users, groups and ServiceAccounts that act for a tenant: its
// owners, the ServiceAccount that carries their rights, and any ServiceAccount that
// exists, or that the tenant could create, in its namespaces.
type identities struct {
	users      map[string]bool
	groups     map[string]bool
	namespaces map[string]bool
	// accounts are ServiceAccounts elsewhere ("namespace/name").
	accounts map[string]bool
}

func identitiesOf(s *snapshot.Snapshot, t *v1alpha1.Tenant) identities {
	who := identities{
		users:      map[string]bool{"system:anonymous": true},
		groups:     map[string]bool{"system:authenticated": true, "system:unauthenticated": true, "system:serviceaccounts": true},
		namespaces: map[string]bool{},
		accounts:   map[string]bool{},
	}
	for _, ns := range s.NamespacesOf(t.Name) {
		who.namespaces[ns] = true
		who.groups["system:serviceaccounts:"+ns] = true
	}
	who.account(v1alpha1.SystemNamespace, v1alpha1.OwnerServiceAccount(t.Name))
	for _, o := range t.Spec.Owners {
		switch o.Kind {
		case rbacv1.UserKind:
			who.users[o.Name] = true
		case rbacv1.GroupKind:
			who.groups[o.Name] = true
		case rbacv1.ServiceAccountKind:
			who.account(o.Namespace, o.Name)
		}
	}
	return who
}

func (w identities) account(namespace, name string) {
	w.accounts[namespace+"/"+name] = true
	w.groups["system:serviceaccounts:"+namespace] = true
}

// among finds the first of the subjects that is one of the identities.
func (w identities) among(subjects []rbacv1.Subject) (string, int) {
	for i, sub := range subjects {
		if w.is(sub) {
			return describe(sub), i
		}
	}
	return "", -1
}

func (w identities) is(sub rbacv1.Subject) bool {
	switch sub.Kind {
	case rbacv1.GroupKind:
		return w.groups[sub.Name]
	case rbacv1.ServiceAccountKind:
		return w.namespaces[sub.Namespace] || w.accounts[sub.Namespace+"/"+sub.Name]
	case rbacv1.UserKind:
		if namespace, name, ok := strings.Cut(strings.TrimPrefix(sub.Name, accountPrefix), ":"); ok && strings.HasPrefix(sub.Name, accountPrefix) {
			return w.namespaces[namespace] || w.accounts[namespace+"/"+name]
		}
		return w.users[sub.Name]
	}
	return false
}

func describe(sub rbacv1.Subject) string {
	if sub.Kind == rbacv1.ServiceAccountKind {
		return fmt.Sprintf("ServiceAccount %s/%s", sub.Namespace, sub.Name)
	}
	return sub.Kind + " " + sub.Name
}

// String says whom a verdict is about.
func (w identities) String() string {
	return fmt.Sprintf("judged for its owners, the %d ServiceAccounts that carry their rights, every ServiceAccount in its %d namespaces, and their groups", len(w.accounts), len(w.namespaces))
}
