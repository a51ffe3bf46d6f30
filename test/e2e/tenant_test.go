package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

// shop is a three-tier tenant of the class standard.
func shop(t *testing.T, name string) *v1alpha1.Tenant {
	return parse[v1alpha1.Tenant](t, strings.ReplaceAll(`
apiVersion: watertight.dev/v1alpha1
kind: Tenant
metadata: {name: NAME}
spec:
  className: standard
  deletionPolicy: Delete
  owners: [{kind: Group, name: NAME-admins}, {kind: User, name: NAME-owner}]
  namespaces: [{name: frontend}, {name: backend}, {name: database}]
  network:
    flows:
    - {from: {ingress: true}, to: {namespace: frontend}, ports: [{port: 8080}]}
    - {from: {namespace: frontend}, to: {namespace: backend}, ports: [{port: 9090}]}
    - {from: {namespace: backend}, to: {namespace: database}, ports: [{port: 5432}]}
    - {from: {namespace: backend}, to: {cidr: 203.0.113.0/24}, ports: [{port: 443}]}
  capacity: {requests.cpu: "8", limits.cpu: "16", requests.memory: 32Gi, limits.memory: 32Gi, pods: "60"}
`, "NAME", name))
}

func ready(c client.Client, t *testing.T, name string) func() error {
	return func() error {
		var got v1alpha1.Tenant
		if err := c.Get(t.Context(), client.ObjectKey{Name: name}, &got); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionReady)
		if condition == nil || condition.Status != "True" || condition.ObservedGeneration != got.Generation {
			return fmt.Errorf("tenant %s is not ready: %s %+v", name, got.Status.Phase, got.Status.Conditions)
		}
		return nil
	}
}

// owner is a client with the rights of the tenant's owner group.
func owner(t *testing.T, config *rest.Config, tenant string) client.Client {
	t.Helper()
	config = rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "someone", Groups: []string{tenant + "-admins", "system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const goodPod = `
apiVersion: v1
kind: Pod
metadata: {name: good}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: main
    image: registry.example/app:1
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

func TestTenantBecomesReady(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	acme := shop(t, "acme")
	if err := c.Create(t.Context(), acme); err != nil {
		t.Fatal(err)
	}
	eventually(t, ready(c, t, "acme"))
	o := owner(t, config, "acme")
	other := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "nvidia"}, Handler: "nvidia"}
	if err := c.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}

	t.Run("the status says that it is not sealed", func(t *testing.T) { saysUnsealed(t, c) })
	t.Run("the status tells of the guarantees", func(t *testing.T) {
		eventually(t, func() error {
			var got v1alpha1.Tenant
			if err := c.Get(t.Context(), client.ObjectKey{Name: "acme"}, &got); err != nil {
				return err
			}
			if g := got.Status.Guarantees; g == nil || g.Holds < 10 || g.Broken != 0 {
				return fmt.Errorf("guarantees: %+v", g)
			}
			return nil
		})
	})
	t.Run("the owner deploys", func(t *testing.T) {
		pod := parse[corev1.Pod](t, goodPod)
		pod.Namespace = "acme-frontend"
		if err := o.Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		if pod.Spec.Containers[0].Resources.Limits.Cpu().IsZero() {
			t.Error("the container has no cpu limit: the LimitRange did not fill it in")
		}
	})
	for _, r := range refusals() {
		t.Run("the owner is refused "+r.name, func(t *testing.T) {
			err := o.Create(t.Context(), r.object(t))
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), r.because) {
				t.Errorf("got %v, want Forbidden because of %q", err, r.because)
			}
		})
	}
	t.Run("an administrator labels a namespace, but not as Watertight does", func(t *testing.T) {
		label := func(key string) error {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme-frontend"}}
			patch := fmt.Sprintf(`{"metadata":{"labels":{%q:"privileged"}}}`, key)
			return c.Patch(t.Context(), ns, client.RawPatch("application/merge-patch+json", []byte(patch)), client.DryRunAll)
		}
		if err := label("team"); err != nil {
			t.Errorf("a label of their own: %v", err)
		}
		for _, key := range []string{v1alpha1.LabelTenant, v1alpha1.LabelRetained, "watertight.dev/new", "pod-security.kubernetes.io/enforce"} {
			if err := label(key); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "watertight-namespaces") {
				t.Errorf("%s: got %v, want Forbidden", key, err)
			}
		}
	})
	t.Run("the owner is refused changing what guards it", func(t *testing.T) { ownerCannotUndo(t, o, c) })
}

// saysUnsealed reads the stored status: a false that was never stored says nothing.
func saysUnsealed(t *testing.T, c client.Client) {
	var stored unstructured.Unstructured
	stored.SetAPIVersion(v1alpha1.GroupVersion.String())
	stored.SetKind("Tenant")
	if err := c.Get(t.Context(), client.ObjectKey{Name: "acme"}, &stored); err != nil {
		t.Fatal(err)
	}
	if sealed, said, err := unstructured.NestedBool(stored.Object, "status", "sealed"); sealed || !said || err != nil {
		t.Errorf("status.sealed is %v (said: %v, %v)", sealed, said, err)
	}
}

// refusal is an object that an owner may not create, and a word of the reason.
type refusal struct {
	name, because, manifest string
	into                    client.Object
}

func (r refusal) object(t *testing.T) client.Object {
	t.Helper()
	o, ok := r.into.DeepCopyObject().(client.Object)
	if !ok {
		t.Fatalf("%T", r.into)
	}
	p := parse[map[string]any](t, r.manifest)
	if err := decode(*p, o); err != nil {
		t.Fatal(err)
	}
	if o.GetName() == "" {
		o.SetName("try")
	}
	if o.GetNamespace() == "" {
		o.SetNamespace("acme-frontend")
	}
	return o
}

func refusals() []refusal {
	withSpec := func(extra string) string { return strings.Replace(goodPod, "spec:\n", "spec:\n"+extra, 1) }
	return []refusal{
		{"a privileged pod", "PodSecurity", strings.Replace(goodPod, "allowPrivilegeEscalation: false", "privileged: true", 1), &corev1.Pod{}},
		{"a pod on the host network", "PodSecurity", withSpec("  hostNetwork: true\n"), &corev1.Pod{}},
		{"a placed pod", "watertight-pods", withSpec("  nodeName: node-1\n"), &corev1.Pod{}},
		{"a scheduler of its own", "watertight-pods", withSpec("  schedulerName: mine\n"), &corev1.Pod{}},
		{"another runtime", "watertight-pods", withSpec("  runtimeClassName: nvidia\n"), &corev1.Pod{}},
		{"a toleration of everything", "watertight-pods", withSpec("  tolerations: [{operator: Exists}]\n"), &corev1.Pod{}},
		{"a priority that preempts", "watertight-pods", withSpec("  priorityClassName: system-cluster-critical\n"), &corev1.Pod{}},
		{"an inline csi volume", "watertight-pods", withSpec("  volumes: [{name: v, csi: {driver: hostpath.csi.k8s.io}}]\n"), &corev1.Pod{}},
		{"more than the budget", "exceeded quota", strings.Replace(goodPod, "    image:", "    resources: {requests: {cpu: '9'}, limits: {cpu: '9'}}\n    image:", 1), &corev1.Pod{}},
		{"a policy without peers", "watertight-networkpolicy", `{spec: {podSelector: {}, ingress: [{}]}}`, &networkingv1.NetworkPolicy{}},
		{"a policy to everywhere", "watertight-networkpolicy", `{spec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}}`, &networkingv1.NetworkPolicy{}},
		{"half the internet", "watertight-networkpolicy", `{spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/1}}]}]}}`, &networkingv1.NetworkPolicy{}},
		{"every namespace", "watertight-networkpolicy", `{spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}}`, &networkingv1.NetworkPolicy{}},
		{"a foreign namespace", "watertight-networkpolicy", `{spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: globex-frontend}}}]}]}}`, &networkingv1.NetworkPolicy{}},
		{"a reserved name", "watertight-protected", `{metadata: {name: watertight-x}, spec: {podSelector: {}}}`, &networkingv1.NetworkPolicy{}},
		{"a forged label", "watertight-protected", `{metadata: {labels: {watertight.dev/tenant: globex}}, spec: {podSelector: {}}}`, &networkingv1.NetworkPolicy{}},
		{"a node port", "watertight-services", `{spec: {type: NodePort, ports: [{port: 80}]}}`, &corev1.Service{}},
		{"an external IP", "watertight-services", `{spec: {externalIPs: [192.0.2.1], ports: [{port: 80}]}}`, &corev1.Service{}},
		{"an external name", "watertight-services", `{spec: {type: ExternalName, externalName: kubernetes.default.svc}}`, &corev1.Service{}},
		{"a foreign hostname", "watertight-ingress", `{spec: {ingressClassName: nginx, rules: [{host: globex.shop.example}]}}`, &networkingv1.Ingress{}},
		{"an ingress for everybody", "watertight-ingress", `{spec: {ingressClassName: nginx, defaultBackend: {service: {name: x, port: {number: 80}}}}}`, &networkingv1.Ingress{}},
		{"an ingress snippet", "watertight-ingress", `{metadata: {annotations: {nginx.ingress.kubernetes.io/server-snippet: x}}, spec: {ingressClassName: nginx, rules: [{host: acme.shop.example}]}}`, &networkingv1.Ingress{}},
		{"a storage class", "watertight-storage", `{spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`, &corev1.PersistentVolumeClaim{}},
		{"a volume by name", "watertight-storage", `{spec: {storageClassName: standard, volumeName: theirs, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`, &corev1.PersistentVolumeClaim{}},
		{"a token that never expires", "watertight-secrets", `{type: kubernetes.io/service-account-token, metadata: {annotations: {kubernetes.io/service-account.name: default}}}`, &corev1.Secret{}},
		{"endpoints", "cannot create resource", `{}`, &corev1.Endpoints{}}, //nolint:staticcheck // the old kind still works
		{"a role binding", "cannot create resource", `{roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}`, &rbacv1.RoleBinding{}},
		{"a namespace", "cannot create resource", `{metadata: {labels: {watertight.dev/tenant: acme}}}`, &corev1.Namespace{}},
		{"a tenant", "cannot create resource", `{metadata: {name: evil}, spec: {className: standard, namespaces: [{name: a}]}}`, &v1alpha1.Tenant{}},
		{"a secret next door", "cannot create resource", `{metadata: {namespace: kube-system}}`, &corev1.Secret{}},
	}
}

// ownerCannotUndo tries to change and delete every object that guards the tenant.
func ownerCannotUndo(t *testing.T, o, admin client.Client) {
	for _, object := range []client.Object{
		&corev1.ResourceQuota{}, &corev1.LimitRange{}, &networkingv1.NetworkPolicy{}, &v1alpha1.Guard{}, &rbacv1.RoleBinding{},
	} {
		err := o.DeleteAllOf(t.Context(), object, client.InNamespace("acme-frontend"))
		if !apierrors.IsForbidden(err) {
			t.Errorf("delete --all of %T: got %v, want Forbidden", object, err)
		}
	}
	var policies networkingv1.NetworkPolicyList
	if err := admin.List(t.Context(), &policies, client.InNamespace("acme-frontend")); err != nil {
		t.Fatal(err)
	}
	if len(policies.Items) < 3 {
		t.Errorf("only %d network policies are left", len(policies.Items))
	}
	var sa corev1.ServiceAccount
	if err := o.Get(t.Context(), client.ObjectKey{Namespace: "acme-frontend", Name: "default"}, &sa); err != nil {
		t.Fatal(err)
	}
	yes := true
	sa.AutomountServiceAccountToken = &yes
	if err := o.Update(t.Context(), &sa); !apierrors.IsForbidden(err) {
		t.Errorf("mount the default token: got %v, want Forbidden", err)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	if err := c.Create(t.Context(), shop(t, "drift")); err != nil {
		t.Fatal(err)
	}
	eventually(t, ready(c, t, "drift"))
	// The guards refuse even an administrator; break-glass is to drop their binding.
	quota := &corev1.ResourceQuota{}
	key := client.ObjectKey{Namespace: "drift-backend", Name: "watertight-budget"}
	if err := c.Get(t.Context(), key, quota); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), quota); !apierrors.IsForbidden(err) {
		t.Fatalf("an administrator deleted a guarded quota: %v", err)
	}
	asOperator := rest.CopyConfig(config)
	asOperator.Impersonate = rest.ImpersonationConfig{UserName: v1alpha1.OperatorUser}
	intruder, err := client.New(asOperator, client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := intruder.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		fresh := &corev1.ResourceQuota{}
		if err := c.Get(t.Context(), key, fresh); err != nil {
			return err
		}
		if fresh.UID == quota.UID {
			return errors.New("still the old quota")
		}
		return nil
	})
}

func TestDeletion(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	if err := c.Create(t.Context(), shop(t, "gone")); err != nil {
		t.Fatal(err)
	}
	eventually(t, ready(c, t, "gone"))
	pod := parse[corev1.Pod](t, goodPod)
	pod.Namespace = "gone-backend"
	if err := owner(t, config, "gone").Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), shop(t, "gone")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		err := c.Get(t.Context(), client.ObjectKey{Name: "gone"}, &v1alpha1.Tenant{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("the tenant is still there (%v)", err)
	})
	for _, list := range []client.ObjectList{&corev1.NamespaceList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}, &corev1.ServiceAccountList{}} {
		if err := c.List(t.Context(), list, client.MatchingLabels{v1alpha1.LabelTenant: "gone"}); err != nil {
			t.Fatal(err)
		}
		if n := meta.LenList(list); n > 0 {
			t.Errorf("%d left in %T", n, list)
		}
	}
}
