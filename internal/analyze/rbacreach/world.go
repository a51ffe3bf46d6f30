package rbacreach

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// controlNamespace holds the ServiceAccounts of the controllers, whose rights add up to
// all there are.
const controlNamespace = "kube-system"

// defaultAccount is the ServiceAccount that every namespace has.
const defaultAccount = "default"

// prefixes of users and groups in the names of places.
const (
	userPrefix  = rbacv1.UserKind + " "
	groupPrefix = rbacv1.GroupKind + " "
)

// The groups that the API server gives to callers.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication
const (
	allAccounts     = "system:serviceaccounts"
	authenticated   = "system:authenticated"
	unauthenticated = "system:unauthenticated"
	anonymous       = "system:anonymous"
	masters         = "system:masters"
	nodeUser        = "system:node:"
)

// controllers are users that may do everything, or make themselves somebody who does.
var controllers = []string{"system:kube-controller-manager", "system:apiserver"}

// place is a vertex: its number in the world.
type placeID = int32

// world is the graph of all steps in a snapshot: numbered places, and the arcs that lead
// from each to the next.
type world struct {
	s      *snapshot.Snapshot
	roles  *roles
	number map[analyze.Place]placeID
	places []analyze.Place
	out    [][]arc
	// grants of each identity, in the order of the bindings.
	grants map[placeID][]*binding
	// accounts and pods of each namespace, by number; named finds accounts by name alone.
	accounts, pods map[string][]placeID
	named          map[string][]placeID
	// podsNamed finds pods by name alone.
	podsNamed map[string][]placeID
	tokens    tokens
	// staff are those who act for each deputy.
	staff [][]agent
	// free is a volume that anybody may claim and that is a path of a node, if any.
	free *corev1.PersistentVolume
	// rolesIn lists the names of the Roles of each namespace.
	rolesIn map[string][]string
}

// arc is a step from one place to another.
type arc struct {
	to   placeID
	weak bool
	why  *cause
}

// cause is what gives a step: a rule that a binding grants, or a field of an object.
type cause struct {
	step    *step
	binding *binding
	rule    int
	object  snapshot.ObjectKey
	field   string
	// effect in words, where it differs from the step's.
	effect string
}

// newWorld reads the graph out of a snapshot. The work is in the bindings and pods, not
// in the tenants.
func newWorld(s *snapshot.Snapshot, bindings []*binding, r *roles) *world {
	w := &world{
		s: s, roles: r, number: map[analyze.Place]placeID{}, grants: map[placeID][]*binding{},
		accounts: map[string][]placeID{}, pods: map[string][]placeID{}, named: map[string][]placeID{},
		rolesIn: map[string][]string{}, podsNamed: map[string][]placeID{},
	}
	w.id(analyze.Place{Kind: analyze.PlaceCluster})
	for _, role := range s.Roles {
		w.rolesIn[role.Namespace] = append(w.rolesIn[role.Namespace], role.Name)
	}
	w.everybody()
	w.readSubjects(bindings)
	w.readTokens()
	w.readPods()
	w.findStaff()
	w.findFree()
	for id := placeID(0); int(id) < len(w.places); id++ { // expanding a place may add others
		w.expand(id)
	}
	return w
}

// everybody adds what is there though no binding names it: in every namespace pods can be
// created, and there is a ServiceAccount called default; tenants have owners.
func (w *world) everybody() {
	for _, ns := range w.s.NamespaceNames() {
		w.id(analyze.Place{Kind: analyze.PlaceNamespace, Namespace: ns})
		w.id(account(ns, defaultAccount))
	}
	for _, t := range w.s.Tenants {
		for _, p := range owners(t) {
			w.id(p)
		}
	}
}

// owners are the identities that act for a tenant by its record: those that it names, and
// the account that carries their rights.
func owners(t *v1alpha1.Tenant) []analyze.Place {
	out := []analyze.Place{account(v1alpha1.SystemNamespace, v1alpha1.OwnerServiceAccount(t.Name))}
	for _, o := range t.Spec.Owners {
		if p, ok := subjectPlace(rbacv1.Subject{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}); ok {
			out = append(out, p)
		}
	}
	return out
}

// id numbers a place.
func (w *world) id(p analyze.Place) placeID {
	if id, ok := w.number[p]; ok {
		return id
	}
	id := placeID(len(w.places))
	w.number[p] = id
	w.places = append(w.places, p)
	w.out = append(w.out, nil)
	if p.Kind == analyze.PlaceIdentity && p.Namespace != "" {
		w.accounts[p.Namespace] = append(w.accounts[p.Namespace], id)
		w.named[p.Name] = append(w.named[p.Name], id)
	}
	return id
}

func (w *world) controlPlane() placeID { return 0 }

func account(namespace, name string) analyze.Place {
	return analyze.Place{Kind: analyze.PlaceIdentity, Namespace: namespace, Name: name}
}

func group(name string) analyze.Place {
	return analyze.Place{Kind: analyze.PlaceIdentity, Name: groupPrefix + name}
}

// user is the place of a user; that of a ServiceAccount's user name is the account.
func user(name string) analyze.Place {
	if rest, ok := strings.CutPrefix(name, accountPrefix); ok {
		if ns, sa, ok := strings.Cut(rest, ":"); ok && ns != "" && sa != "" {
			return account(ns, sa)
		}
	}
	return analyze.Place{Kind: analyze.PlaceIdentity, Name: userPrefix + name}
}

func subjectPlace(sub rbacv1.Subject) (analyze.Place, bool) {
	switch sub.Kind {
	case rbacv1.ServiceAccountKind:
		return account(sub.Namespace, sub.Name), sub.Namespace != "" && sub.Name != ""
	case rbacv1.GroupKind:
		return group(sub.Name), sub.Name != ""
	case rbacv1.UserKind:
		return user(sub.Name), sub.Name != ""
	}
	return analyze.Place{}, false
}

func (w *world) readSubjects(bindings []*binding) {
	for _, b := range bindings {
		for _, sub := range b.subjects {
			p, ok := subjectPlace(sub)
			if !ok {
				continue
			}
			id := w.id(p)
			if list := w.grants[id]; len(list) == 0 || list[len(list)-1] != b {
				w.grants[id] = append(list, b)
			}
		}
	}
}

// implied are the groups that come with an identity.
func implied(p analyze.Place) []analyze.Place {
	switch {
	case p.Namespace != "":
		return []analyze.Place{group(allAccounts + ":" + p.Namespace), group(allAccounts), group(authenticated)}
	case p == group(authenticated), p == group(unauthenticated):
		return nil
	case p == user(anonymous):
		return []analyze.Place{group(unauthenticated)}
	case strings.HasPrefix(p.Name, groupPrefix+allAccounts+":"):
		return []analyze.Place{group(allAccounts), group(authenticated)}
	}
	return []analyze.Place{group(authenticated)}
}

// expand adds the arcs out of a place.
func (w *world) expand(id placeID) {
	switch p := w.places[id]; p.Kind {
	case analyze.PlaceIdentity:
		w.expandIdentity(id, p)
	case analyze.PlaceNamespace:
		w.expandNamespace(id, p.Namespace)
	case analyze.PlaceSecrets:
		w.expandSecrets(id, p.Namespace)
	}
}

func (w *world) add(from, to placeID, why *cause) {
	if from != to {
		w.out[from] = append(w.out[from], arc{to: to, weak: why.step.Weak, why: why})
	}
}

func (w *world) expandNamespace(id placeID, ns string) {
	if ns == "" || ns == controlNamespace {
		w.add(id, w.controlPlane(), &cause{step: stepKubeSystem, object: namespaceKey(controlNamespace)})
		if ns == "" {
			return // everything falls with the control plane
		}
	}
	w.add(id, w.id(analyze.Place{Kind: analyze.PlaceSecrets, Namespace: ns}), &cause{step: stepMountSecrets, object: namespaceKey(ns)})
	runAs := &cause{step: stepRunAs, object: namespaceKey(ns)}
	for _, to := range slices.Clone(w.accounts[ns]) {
		w.add(id, to, runAs)
	}
}

func namespaceKey(name string) snapshot.ObjectKey {
	return snapshot.ObjectKey{Kind: "Namespace", Name: name}
}
