package estate

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/api/v1alpha1"
)

// The platform's names in RBAC.
const (
	platform    = "platform"
	ownerRole   = "tenant-owner"
	workerRole  = "worker"
	deployer    = "deployer"
	secretsRole = "secrets-reader"
)

// access of the platform: what owners may do, and a deployer that writes webhooks, with
// its token in a Secret.
func (m *maker) access() {
	m.namespace(platform, map[string]string{})
	m.out.ClusterRoles = append(m.out.ClusterRoles,
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: ownerRole}, Rules: []rbacv1.PolicyRule{
			rule("", "pods services configmaps secrets persistentvolumeclaims", "get list watch create update patch delete"),
			rule("", "pods/exec pods/portforward", "create"),
			rule("apps", "deployments statefulsets daemonsets", "*"),
			rule("batch", "jobs cronjobs", "*"),
			rule("networking.k8s.io", "networkpolicies ingresses", "*"),
		}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: deployer}, Rules: []rbacv1.PolicyRule{
			rule("admissionregistration.k8s.io", "validatingwebhookconfigurations", "create update"),
		}})
	m.out.Roles = append(m.out.Roles, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: platform, Name: secretsRole},
		Rules:      []rbacv1.PolicyRule{rule("", "secrets", "get")},
	})
	m.out.ServiceAccounts = append(m.out.ServiceAccounts, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: platform, Name: deployer}})
	m.out.Others = append(m.out.Others, tokenOf(platform, deployer))
	m.out.ClusterRoleBindings = append(m.out.ClusterRoleBindings, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: deployer}, RoleRef: roleRef("ClusterRole", deployer),
		Subjects: []rbacv1.Subject{account(platform, deployer)},
	})
}

// rights of a tenant: its owners', and in each namespace those of a ServiceAccount as
// which its pods run.
func (m *maker) rights(t *v1alpha1.Tenant) {
	owners := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: t.Name + "-owners"}
	t.Spec.Owners = []v1alpha1.Owner{{Kind: rbacv1.GroupKind, Name: owners.Name}}
	for _, tier := range tiers {
		ns := v1alpha1.NamespaceName(t.Name, tier.name)
		m.out.ServiceAccounts = append(m.out.ServiceAccounts, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: workerRole}})
		m.out.Roles = append(m.out.Roles, &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: workerRole},
			Rules:      []rbacv1.PolicyRule{rule("", "configmaps secrets", "get list"), rule("batch", "jobs", "create")},
		})
		m.bind(ns, "owners", roleRef("ClusterRole", ownerRole), owners)
		m.bind(ns, workerRole, roleRef("Role", workerRole), account(ns, workerRole))
	}
}

// excess is one of the rights that people give and regret.
func (m *maker) excess(tenant string) {
	worker := account(v1alpha1.NamespaceName(tenant, tiers[0].name), workerRole)
	switch m.dice.IntN(3) {
	case 0: // the way to the deployer's token
		m.bind(platform, tenant, roleRef("Role", secretsRole), worker)
	case 1: // a neighbour's namespace
		foreign := v1alpha1.NamespaceName(tenantName(m.dice.IntN(m.options.Tenants)), tiers[0].name)
		m.bind(foreign, "help-from-"+tenant, roleRef("ClusterRole", ownerRole), worker)
	case 2: // all namespaces
		m.out.ClusterRoleBindings = append(m.out.ClusterRoleBindings, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: tenant}, RoleRef: roleRef("ClusterRole", ownerRole), Subjects: []rbacv1.Subject{worker},
		})
	}
}

func (m *maker) bind(namespace, name string, role rbacv1.RoleRef, subject rbacv1.Subject) {
	m.out.RoleBindings = append(m.out.RoleBindings, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, RoleRef: role, Subjects: []rbacv1.Subject{subject},
	})
}

func roleRef(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

// tokenOf is a Secret that holds the token of a ServiceAccount.
func tokenOf(namespace, name string) *unstructured.Unstructured {
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "type": string(corev1.SecretTypeServiceAccountToken)}}
	secret.SetNamespace(namespace)
	secret.SetName(name + "-token")
	secret.SetAnnotations(map[string]string{corev1.ServiceAccountNameKey: name})
	return secret
}

func account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

func rule(group, resources, verbs string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: strings.Fields(resources), Verbs: strings.Fields(verbs)}
}
