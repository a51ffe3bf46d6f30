package rbacreach

import (
	"fmt"
	"slices"
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
	keys map[string]bool
	// accounts are the single ServiceAccounts outside the tenant's namespaces.
	accounts, namespaces int
}

func identitiesOf(s *snapshot.Snapshot, t *v1alpha1.Tenant) *identities {
	who := &identities{keys: map[string]bool{}}
	who.add(rbacv1.UserKind, "system:anonymous")
	for _, g := range []string{"system:authenticated", "system:unauthenticated", "system:serviceaccounts"} {
		who.add(rbacv1.GroupKind, g)
	}
	for _, ns := range s.NamespacesOf(t.Name) {
		who.namespaces++
		who.keys["namespace/"+ns] = true
		who.add(rbacv1.GroupKind, "system:serviceaccounts:"+ns)
	}
	who.account(v1alpha1.SystemNamespace, v1alpha1.OwnerServiceAccount(t.Name))
	for _, o := range t.Spec.Owners {
		if o.Kind == rbacv1.ServiceAccountKind {
			who.account(o.Namespace, o.Name)
			continue
		}
		who.add(o.Kind, o.Name)
	}
	return who
}

func (w *identities) add(kind, name string) { w.keys[kind+"/"+name] = true }

func (w *identities) account(namespace, name string) {
	w.accounts++
	w.keys["account/"+namespace+"/"+name] = true
	w.add(rbacv1.GroupKind, "system:serviceaccounts:"+namespace)
}

// subjectKeys are the keys under which identities may know a subject. A ServiceAccount is known
// by its name, and by its namespace: whoever holds that can create any account there.
func subjectKeys(sub rbacv1.Subject) []string {
	namespace, name := sub.Namespace, sub.Name
	switch rest, isAccount := strings.CutPrefix(sub.Name, accountPrefix); {
	case sub.Kind == rbacv1.UserKind && isAccount:
		namespace, name, _ = strings.Cut(rest, ":")
	case sub.Kind != rbacv1.ServiceAccountKind:
		return []string{sub.Kind + "/" + sub.Name}
	}
	return []string{"account/" + namespace + "/" + name, "namespace/" + namespace}
}

// among finds the first of the subjects that is one of the identities.
func (w *identities) among(subjects []rbacv1.Subject) (string, int) {
	i := slices.IndexFunc(subjects, func(sub rbacv1.Subject) bool {
		return slices.ContainsFunc(subjectKeys(sub), func(k string) bool { return w.keys[k] })
	})
	if i < 0 {
		return "", -1
	}
	return describe(subjects[i]), i
}

// bindings lists those that name one of the identities, each once, in order.
func (w *identities) bindings(all map[string][]*binding) []*binding {
	seen := map[*binding]bool{}
	var out []*binding
	for key := range w.keys {
		for _, b := range all[key] {
			if !seen[b] {
				seen[b] = true
				out = append(out, b)
			}
		}
	}
	slices.SortFunc(out, func(a, b *binding) int { return a.key.Compare(b.key) })
	return out
}

func describe(sub rbacv1.Subject) string {
	if sub.Kind == rbacv1.ServiceAccountKind {
		return fmt.Sprintf("ServiceAccount %s/%s", sub.Namespace, sub.Name)
	}
	return sub.Kind + " " + sub.Name
}

// String says whom a verdict is about.
func (w *identities) String() string {
	return fmt.Sprintf("judged for its owners, the %d ServiceAccounts that carry their rights, every ServiceAccount in its %d namespaces, and their groups", w.accounts, w.namespaces)
}
