package rbacreach

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/internal/snapshot"
)

// reach repeats every question until nothing new comes of it.
func reach(s *snapshot.Snapshot, start string) map[string]bool {
	o := &oracle{s: s, found: map[string]bool{start: true}, rulesOf: map[boundRole][]rbacv1.PolicyRule{}, heldBy: map[string][]boundRole{}}
	for before := -1; before != o.size(); {
		before = o.size()
		for place := range o.found {
			o.from(place)
		}
	}
	return o.found
}

func (o *oracle) size() int { return len(o.found) + len(o.handed) + len(o.given) }

func (o *oracle) take(places ...string) {
	for _, p := range places {
		o.found[p] = true
	}
}

// everyone is every identity that something names.
func (o *oracle) everyone() map[string]bool {
	if o.all != nil {
		return o.all
	}
	out := map[string]bool{}
	for _, ns := range o.s.NamespaceNames() {
		out["SA "+ns+"/default"] = true
	}
	note := func(subjects []rbacv1.Subject) {
		for _, sub := range subjects {
			out[spelled(sub)] = true
		}
	}
	for _, b := range o.s.ClusterRoleBindings {
		note(b.Subjects)
	}
	for _, b := range o.s.RoleBindings {
		note(b.Subjects)
	}
	for _, p := range o.s.Pods {
		out["SA "+p.Namespace+"/"+p.Spec.ServiceAccountName] = true
	}
	for _, t := range o.s.Others {
		out["SA "+t.GetNamespace()+"/"+t.GetAnnotations()[corev1.ServiceAccountNameKey]] = true
	}
	o.all = out
	return out
}

func (o *oracle) from(place string) {
	kind, rest, _ := strings.Cut(place, " ")
	switch kind {
	case "SA", "User", "Group":
		o.fromIdentity(place)
	case "Namespace":
		o.take("Secrets " + rest)
		for who := range o.everyone() {
			if strings.HasPrefix(who, "SA "+rest+"/") {
				o.take(who)
			}
		}
		if rest == "kube-system" {
			o.take(total)
		}
	case "Secrets":
		for _, t := range o.s.Others {
			if t.GetNamespace() == rest {
				o.take("SA " + rest + "/" + t.GetAnnotations()[corev1.ServiceAccountNameKey])
			}
		}
		if rest == "kube-system" {
			o.take(total)
		}
	case "Workload":
		for _, p := range o.s.Pods {
			if rest == p.Namespace+"/"+p.Name && (p.Spec.AutomountServiceAccountToken == nil || *p.Spec.AutomountServiceAccountToken) {
				o.take("SA " + p.Namespace + "/" + p.Spec.ServiceAccountName)
			}
		}
	}
}

func (o *oracle) fromIdentity(id string) {
	for _, g := range groupsOf(id) {
		if o.everyone()[g] {
			o.take(g)
		}
	}
	if id == "Group system:masters" {
		o.take(total)
	}
	o.fromCluster(id)
	for _, ns := range append(o.s.NamespaceNames(), "") {
		o.bindIn(id, ns)
		if ns != "" {
			o.fromNamespace(id, ns)
		}
	}
}

// names are all that rules may be restricted to, and one that none is.
var names = []string{fresh, "x", "deployer", "default", "cluster-admin", "agg", "token", "pod", "acme", "ops", "system:masters", "kubernetes.io/kube-apiserver-client"}

// some asks for the verbs on whatever name.
func (o *oracle) some(id, verbs, what, ns string) bool {
	for _, n := range names {
		if o.any(id, verbs, what, ns, n) {
			return true
		}
	}
	return false
}

const rbacAPI = "rbac.authorization.k8s.io|"

func (o *oracle) fromCluster(id string) {
	const made = "create update patch"
	switch {
	case o.some(id, "get create", "|nodes/proxy", ""):
		if o.any(id, "get create", "|nodes/proxy", "", fresh) {
			o.take("Node")
		}
		for _, n := range names[1:] {
			if !o.found["Node"] && o.any(id, "get create", "|nodes/proxy", "", n) {
				o.take("Node " + n)
			}
		}
	}
	if o.some(id, made, "|persistentvolumes", "") {
		o.take("Node")
	}
	for _, what := range []string{"apiregistration.k8s.io|apiservices", "admissionregistration.k8s.io|mutatingwebhookconfigurations"} {
		if o.some(id, made, what, "") {
			o.take(total)
		}
	}
	if o.some(id, "escalate", rbacAPI+"clusterroles", "") && o.some(id, made, rbacAPI+"clusterroles", "") {
		o.take(total)
	}
	const csr = "certificates.k8s.io|certificatesigningrequests"
	if o.some(id, "create", csr, "") && o.some(id, "update patch", csr+"/approval", "") &&
		(o.may(id, "approve", "certificates.k8s.io|signers", "", fresh) || o.may(id, "approve", "certificates.k8s.io|signers", "", "kubernetes.io/kube-apiserver-client")) {
		o.take(total)
	}
	for _, tenant := range []string{"acme"} {
		if o.any(id, "update patch", "watertight.dev|tenants", "", tenant) || o.any(id, "create", "watertight.dev|tenants", "", "") {
			for _, ns := range o.s.NamespacesOf(tenant) {
				o.take("Namespace " + ns)
			}
		}
	}
	o.impersonate(id)
}

func (o *oracle) impersonate(id string) {
	if o.may(id, "impersonate", "|users", "", fresh) {
		o.take(total)
	}
	anybody := o.some(id, "impersonate", "|users", "")
	for _, ns := range append(o.s.NamespaceNames(), "") {
		anybody = anybody || o.some(id, "impersonate", "|serviceaccounts", ns)
	}
	if anybody && (o.may(id, "impersonate", "|groups", "", fresh) || o.may(id, "impersonate", "|groups", "", "system:masters")) {
		o.take(total)
	}
	for who := range o.everyone() {
		if name, ok := strings.CutPrefix(who, "User "); ok && o.may(id, "impersonate", "|users", "", name) {
			o.take(who)
		}
		if name, ok := strings.CutPrefix(who, "Group "); ok && anybody && o.may(id, "impersonate", "|groups", "", name) {
			o.take(who)
		}
	}
}

func (o *oracle) fromNamespace(id, ns string) {
	const made = "create update patch"
	runs := o.some(id, "create", "|pods", ns) || o.some(id, made, "apps|deployments", ns) || o.some(id, "create", "batch|jobs", ns) ||
		o.some(id, made, "batch|cronjobs", ns) || o.some(id, made, "|replicationcontrollers", ns) || o.some(id, "create", "tekton.dev|taskruns", ns)
	if runs {
		o.take("Namespace " + ns)
	}
	if o.any(id, "get list watch", "|secrets", ns, fresh) {
		o.take("Secrets " + ns)
	}
	for _, t := range o.s.Others {
		if t.GetNamespace() == ns && o.any(id, "get list watch", "|secrets", ns, t.GetName()) {
			o.take("SA " + ns + "/" + t.GetAnnotations()[corev1.ServiceAccountNameKey])
		}
	}
	tokens := o.may(id, "create", "|secrets", ns, "") && o.some(id, "get list watch", "|secrets", ns)
	becomes := func(name string) bool {
		return tokens || o.may(id, "create", "|serviceaccounts/token", ns, name) || o.may(id, "impersonate", "|serviceaccounts", ns, name)
	}
	enters := func(name string) bool {
		return o.any(id, "get create", "|pods/exec", ns, name) || o.any(id, "update patch", "|pods/ephemeralcontainers", ns, name) || o.any(id, "update patch", "|pods", ns, name)
	}
	if ns == "kube-system" && (becomes(fresh) || enters(fresh)) {
		o.take(total)
	}
	for who := range o.everyone() {
		if name, ok := strings.CutPrefix(who, "SA "+ns+"/"); ok && becomes(name) {
			o.take(who)
		}
		if o.some(id, made, "kustomize.toolkit.fluxcd.io|kustomizations", ns) && strings.HasSuffix(who, "/kustomize-controller") {
			o.take(who)
		}
	}
	for _, p := range o.s.Pods {
		if p.Namespace == ns && enters(p.Name) {
			o.take("Workload " + ns + "/" + p.Name)
		}
	}
}

// bindIn hands an identity the roles that it may bind itself to in a namespace, or in the
// cluster where that is empty.
func (o *oracle) bindIn(id, ns string) {
	const made = "create update patch"
	me := rbacv1.Subject{Kind: "User", Name: id}
	if sa, ok := strings.CutPrefix(id, "SA "); ok {
		me.Kind = "ServiceAccount"
		me.Namespace, me.Name, _ = strings.Cut(sa, "/")
	} else {
		me.Kind, me.Name, _ = strings.Cut(id, " ")
	}
	bindings := "rolebindings"
	if ns == "" {
		bindings = "clusterrolebindings"
	}
	roles := map[rbacv1.RoleRef]bool{}
	if o.some(id, made, rbacAPI+bindings, ns) {
		for _, r := range append(o.clusterRoles(), "cluster-admin") {
			if o.may(id, "bind", rbacAPI+"clusterroles", ns, r) {
				roles[rbacv1.RoleRef{Kind: "ClusterRole", Name: r}] = true
			}
		}
		for _, r := range o.s.Roles {
			if r.Namespace == ns && o.may(id, "bind", rbacAPI+"roles", ns, r.Name) {
				roles[rbacv1.RoleRef{Kind: "Role", Name: r.Name}] = true
			}
		}
	}
	if ns != "" && o.some(id, "escalate", rbacAPI+"roles", ns) && o.some(id, made, rbacAPI+"roles", ns) {
		roles[rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}] = true
	}
	for ref := range roles {
		o.hand(ns, ref, me)
	}
}

func (o *oracle) clusterRoles() []string {
	var out []string
	for _, r := range o.s.ClusterRoles {
		out = append(out, r.Name)
	}
	return out
}

func (o *oracle) hand(ns string, ref rbacv1.RoleRef, me rbacv1.Subject) {
	if ns == "" {
		for _, b := range o.handed {
			if b.RoleRef == ref && b.Subjects[0] == me {
				return
			}
		}
		clear(o.heldBy)
		o.handed = append(o.handed, rbacv1.ClusterRoleBinding{RoleRef: ref, Subjects: []rbacv1.Subject{me}})
		return
	}
	for _, b := range o.given {
		if b.Namespace == ns && b.RoleRef == ref && b.Subjects[0] == me {
			return
		}
	}
	b := rbacv1.RoleBinding{RoleRef: ref, Subjects: []rbacv1.Subject{me}}
	b.Namespace = ns
	clear(o.heldBy)
	o.given = append(o.given, b)
}
