package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/reconcile/capability"
)

// attackClass allows what the attacks need to get as far as the guard they are for.
const attackClass = `
apiVersion: watertight.dev/v1alpha1
kind: TenantClass
metadata: {name: attacked}
spec:
  kernel: {registries: [registry.example, ghcr.example/approved]}
  network:
    hostnames: ["{tenant}.shop.example", "*.{tenant}.shop.example"]
    ingressClasses: [nginx]
    ingressFrom: [{namespace: att-edge, pods: {app: edge}}]
  capacity: {max: {pods: "100"}, storageClasses: [standard, extra]}
`

// attackTenant is a tenant of that class; extra is more of its spec, as flow YAML.
func attackTenant(t *testing.T, name, extra string) *v1alpha1.Tenant {
	return parse[v1alpha1.Tenant](t, strings.NewReplacer("NAME", name, "EXTRA", extra).Replace(
		`{apiVersion: watertight.dev/v1alpha1, kind: Tenant, metadata: {name: NAME}, spec: {className: attacked, owners: [{kind: Group, name: NAME-admins}], EXTRA}}`))
}

// TestAttack tries, as a tenant's owner and as the author of Tenants, what must not work.
func TestAttack(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	mustCreate(t, c, parse[v1alpha1.TenantClass](t, attackClass))
	mustCreate(t, c, attackTenant(t, "att1", "namespaces: [{name: a}]"))
	eventually(t, ready(c, t, "att1"))
	o := owner(t, config, "att1")
	asOperator := rest.CopyConfig(config)
	asOperator.Impersonate = rest.ImpersonationConfig{UserName: v1alpha1.OperatorUser}
	intruder := must(client.New(asOperator, client.Options{Scheme: scheme()}))
	asCloud := rest.CopyConfig(config)
	asCloud.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:kube-system:cloud", Groups: []string{"watertight:cluster-admins"}}
	cloud := must(client.New(asCloud, client.Options{Scheme: scheme()}))
	for _, r := range ownerAttacks() {
		t.Run("an owner creates "+r.name, func(t *testing.T) { r.try(t, o) })
	}
	t.Run("the address of cluster DNS", func(t *testing.T) { chosenAddress(t, c, o) })
	t.Run("kinds without a bound", func(t *testing.T) { everyKindIsBounded(t, c) })
	t.Run("another namespace's backend in a route", func(t *testing.T) { routeToNeighbour(t, c, intruder) })
	t.Run("workloads that outlive their tenant", func(t *testing.T) { hiddenWorkload(t, c, owner(t, config, "att2")) })
	t.Run("a claim whose class was withdrawn", func(t *testing.T) { withdrawnClass(t, c) })
	t.Run("a finalizer that outlives the Guard", func(t *testing.T) { lateFinalizer(t, c, cloud) })
	t.Run("an adoption", func(t *testing.T) { adoptions(t, c) })
	t.Run("the ingress controllers' namespace", func(t *testing.T) { edgeNamespace(t, c) })
	t.Run("a running tenant's namespace", func(t *testing.T) { takenName(t, c) })
	t.Run("labels that poison a partner", func(t *testing.T) { poisonedShare(t, c) })
	t.Run("the cluster's own addresses", func(t *testing.T) { clusterAddresses(t, c) })
}

func mustCreate(t *testing.T, c client.Client, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// attack is an object that must be refused, and words of which the refusal has one.
type attack struct{ name, refused, manifest string }

func (a attack) try(t *testing.T, o client.Client) {
	t.Helper()
	u := &unstructured.Unstructured{Object: *parse[map[string]any](t, a.manifest)}
	u.SetNamespace("att1-a")
	if u.GetName() == "" && u.GetGenerateName() == "" {
		u.SetName("try")
	}
	err := o.Create(t.Context(), u, client.DryRunAll)
	if err == nil {
		t.Fatalf("was accepted, want a refusal because of %q", a.refused)
	}
	if !slices.ContainsFunc(strings.Split(a.refused, "|"), func(word string) bool { return strings.Contains(err.Error(), word) }) {
		t.Errorf("got %v, want a refusal because of %q", err, a.refused)
	}
}

// attackPod is a good pod with more in its metadata, spec and container.
func attackPod(metadata, spec, container string) string {
	out := strings.Replace(goodPod, "{name: good}", "{name: try"+metadata+"}", 1)
	out = strings.Replace(out, "spec:\n", "spec:\n  "+spec+"\n", 1)
	return strings.Replace(out, "    image:", "    "+container+"\n    image:", 1)
}

func attackPolicy(peer string) string {
	return `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [` + peer + `]}]}}`
}

func attackIngress(host, path, kind string) string {
	return fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: Ingress, spec: {ingressClassName: nginx, rules: [{host: %q, http: {paths: [{path: %q, pathType: %s, backend: {service: {name: a, port: {number: 80}}}}]}}]}}`, host, path, kind)
}

func attackClaim(spec string) string {
	return `{apiVersion: v1, kind: PersistentVolumeClaim, spec: {storageClassName: standard, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, ` + spec + `}}`
}

func ownerAttacks() []attack {
	zero := `{cpu: "0", memory: "0", ephemeral-storage: "0"}`
	return []attack{
		{"a container with limits of zero, which is none", "minimum|watertight-pods", attackPod("", "", "resources: {requests: "+zero+", limits: "+zero+"}")},
		{"a pod with every GPU of a node", "watertight-pods|exceeded quota", attackPod("", "", `resources: {limits: {nvidia.com/gpu: "8"}}`)},
		{"a pod with huge pages", "watertight-pods|exceeded quota", attackPod("", "", `resources: {limits: {hugepages-2Mi: 1Gi, memory: 1Gi, cpu: "1"}}`)},
		{"a disruption budget that blocks every drain", "watertight", `{apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {maxUnavailable: 0, selector: {}}}`},
		{"a windows pod, which Pod Security lets off", "watertight-pods", `{apiVersion: v1, kind: Pod, spec: {os: {name: windows}, containers: [{name: main, image: registry.example/app:1, securityContext: {runAsNonRoot: true}}]}}`},
		{"a pod that is never killed", "watertight-pods", attackPod("", "terminationGracePeriodSeconds: 2147483647", "")},
		{"a pod for nodes that are out of service", "watertight-pods", attackPod("", "tolerations: [{key: node.kubernetes.io/out-of-service, operator: Exists}]", "")},
		{"a volume of a foreign image", "watertight-pods", attackPod("", "volumes: [{name: v, image: {reference: docker.io/evil/x}}]", "")},
		{"another port of the registry's host", "watertight-pods", strings.Replace(goodPod, "registry.example/", "registry.example:5000/", 1)},
		{"a second network (multus)", "watertight-pods", attackPod(", annotations: {k8s.v1.cni.cncf.io/networks: kube-system/host}", "", "")},
		{"settings of its own sandbox (kata)", "watertight-pods", attackPod(", annotations: {io.katacontainers.config.hypervisor.kernel_params: x}", "", "")},
		{"settings of its own sandbox (gvisor)", "watertight-pods", attackPod(", annotations: {dev.gvisor.flag.network: host}", "", "")},
		{"a probe of the metadata service", "PodSecurity", attackPod("", "", "livenessProbe: {httpGet: {host: 169.254.169.254, port: 80}}")},
		{"an unmasked proc", "PodSecurity", strings.Replace(attackPod("", "hostUsers: false", ""), "allowPriv", "procMount: Unmasked, allowPriv", 1)},
		{"a mirror pod", "nodeName", attackPod(", annotations: {kubernetes.io/config.mirror: x}", "", "")},
		{"a priority by number", "priority", attackPod("", "priority: 2000000000", "")},
		{"a pod that cannot go", "finalizer", attackPod(", finalizers: [evil.example/never]", "", "")},
		{"a config map that cannot go", "finalizer", `{apiVersion: v1, kind: ConfigMap, metadata: {finalizers: [evil.example/never]}}`},
		{"a service that cannot go", "finalizer", `{apiVersion: v1, kind: Service, metadata: {finalizers: [evil.example/never]}, spec: {ports: [{port: 80}]}}`},
		{"a service that asks external-dns for a neighbour's name", "watertight-services", `{apiVersion: v1, kind: Service, metadata: {annotations: {external-dns.alpha.kubernetes.io/hostname: globex.shop.example}}, spec: {clusterIP: None, ports: [{port: 80}]}}`},
		{"a service that asks MetalLB for an address", "watertight-services", `{apiVersion: v1, kind: Service, metadata: {annotations: {metallb.io/loadBalancerIPs: 192.0.2.1}}, spec: {ports: [{port: 80}]}}`},
		{"an ingress path that ends its location", "watertight-ingress", attackIngress("att1.shop.example", "/x; } location /y { proxy_pass http://x", "ImplementationSpecific")},
		{"an ingress path of two lines", "watertight-ingress", attackIngress("att1.shop.example", "/x\";\n}", "Prefix")},
		{"an ingress of every tenant's host", "watertight-ingress", attackIngress("*.shop.example", "/", "Prefix")},
		{"an ingress of every host", "watertight-ingress", attackIngress("*.com", "/", "Prefix")},
		{"an ingress of a host that ends alike", "watertight-ingress", attackIngress("evilatt1.shop.example", "/", "Prefix")},
		{"an ingress in upper case", "Invalid value", attackIngress("ATT1.shop.example", "/", "Prefix")},
		{"an ingress with a trailing dot", "Invalid value", attackIngress("att1.shop.example.", "/", "Prefix")},
		{"a policy to a mapped address", "IPv4-mapped|watertight-networkpolicy", attackPolicy(`{ipBlock: {cidr: "::ffff:203.0.113.0/120"}}`)},
		{"a policy to all of IPv6", "watertight-networkpolicy", attackPolicy(`{ipBlock: {cidr: "::/0"}}`)},
		{"a policy to the tenant label", "watertight-networkpolicy", attackPolicy(`{namespaceSelector: {matchLabels: {watertight.dev/tenant: att1}}}`)},
		{"a policy to an empty peer", "must specify a peer", attackPolicy(`{}`)},
		{"a claim with a quality of service", "watertight-storage", attackClaim("volumeAttributesClassName: gold")},
		{"a claim filled by a foreign populator", "watertight-storage", attackClaim("dataSourceRef: {apiGroup: evil.example, kind: VolumeSnapshot, name: x}")},
		{"a generated reserved name", "watertight-protected", `{apiVersion: v1, kind: ServiceAccount, metadata: {generateName: watertight-}}`},
		{"an event that fakes demand", "cannot create resource", `{apiVersion: v1, kind: Event, reason: FailedCreate, involvedObject: {kind: Pod, name: x, namespace: att1-a}}`},
	}
}

// chosenAddress asks for the address that cluster DNS usually has: the wish is dropped.
func chosenAddress(t *testing.T, c, o client.Client) {
	kubernetes := read(t, c, "default", "kubernetes", &corev1.Service{})
	dns := kubernetes.Spec.ClusterIP[:strings.LastIndex(kubernetes.Spec.ClusterIP, ".")] + ".10"
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "att1-a", Name: "dns"},
		Spec: corev1.ServiceSpec{ClusterIP: dns, Ports: []corev1.ServicePort{{Port: 53, Protocol: corev1.ProtocolUDP}}}}
	if err := o.Create(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if service.Spec.ClusterIP == dns {
		t.Errorf("a tenant's Service has the address of its choice, %s", dns)
	}
}

// everyKindIsBounded finds the kinds that an owner may create without end: the API server's
// store is shared.
func everyKindIsBounded(t *testing.T, c client.Client) {
	quota := read(t, c, "att1-a", compile.QuotaName, &corev1.ResourceQuota{})
	for _, names := range [][]corev1.ResourceName{
		{"count/pods"}, // "pods" does not count those that have ended
		{"count/serviceaccounts"}, {"count/daemonsets.apps"}, {"count/controllerrevisions.apps"}, {"count/horizontalpodautoscalers.autoscaling"},
		{"count/poddisruptionbudgets.policy"}, {"secrets", "count/secrets"}, {"configmaps", "count/configmaps"}, {"services", "count/services"},
		{"count/deployments.apps"}, {"count/statefulsets.apps"}, {"count/replicasets.apps"}, {"count/jobs.batch"}, {"count/cronjobs.batch"},
		{"count/ingresses.networking.k8s.io"}, {"count/networkpolicies.networking.k8s.io"},
	} {
		if !slices.ContainsFunc(names, func(n corev1.ResourceName) bool { _, ok := quota.Spec.Hard[n]; return ok }) {
			t.Errorf("the quota has none of %v", names)
		}
	}
}

// TestAttackBudget asks for so much, in vain, that the sum of what is asked for wraps round.
func TestAttackBudget(t *testing.T) {
	const memory, third, most = corev1.ResourceRequestsMemory, "6148914691236517205", "9223372036854775807" // 2^64/3, 2^63-1
	for _, demand := range [][]string{{third, third, third}, {third, third, "0"}, {most, most, most}, {"0", "0", most}} {
		t.Run(strings.Join(demand, " "), func(t *testing.T) {
			list := func(q string) corev1.ResourceList { return corev1.ResourceList{memory: resource.MustParse(q)} }
			usage := map[string]compile.Usage{}
			for i, n := range []string{"a", "b", "c"} {
				message := fmt.Sprintf("exceeded quota: %s, requested: %s=%s, used: %s=1Mi, limited: %s=2Gi", compile.QuotaName, memory, demand[i], memory, memory)
				usage[n] = compile.Usage{Exists: true, Spec: list("2Gi"), Hard: list("2Gi"), Used: list("1Mi"), Demand: compile.Refused(message)}
			}
			var total resource.Quantity
			for n, share := range compile.Rebalance(list("8Gi"), []string{"a", "b", "c"}, usage).Shares {
				q := share[memory]
				if total.Add(q); q.Sign() < 0 {
					t.Errorf("%s is given %s", n, q.String())
				}
			}
			if total.Cmp(resource.MustParse("8Gi")) > 0 {
				t.Errorf("%s are shared out of 8Gi", total.String())
			}
		})
	}
}

// settled is a tenant's Ready condition once it is True or has stayed False for a while.
func settled(t *testing.T, c client.Client, name string) metav1.Condition {
	t.Helper()
	var last metav1.Condition
	since := time.Now()
	eventually(t, func() error {
		got := read(t, c, "", name, &v1alpha1.Tenant{})
		now := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionReady)
		if now == nil || now.ObservedGeneration != got.Generation {
			return fmt.Errorf("tenant %s has not been looked at", name)
		}
		if now.Reason != last.Reason || now.Message != last.Message {
			last, since = *now, time.Now()
		}
		if now.Status != metav1.ConditionTrue && time.Since(since) < 3*time.Second {
			return fmt.Errorf("tenant %s is not ready: %s", name, now.Message)
		}
		return nil
	})
	return last
}

func mergePatch(text string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(text))
}

func mustPatch(t *testing.T, c client.Client, o client.Object, text string) {
	t.Helper()
	if err := c.Patch(t.Context(), o, mergePatch(text)); err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func read[T client.Object](t *testing.T, c client.Client, namespace, name string, into T) T {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func tenantNamed(name string) *v1alpha1.Tenant {
	return &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func gone(ctx context.Context, c client.Client, o client.Object) func() error {
	return func() error {
		err := c.Get(ctx, client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("%T %s is still there (%v)", o, o.GetName(), err)
	}
}

// hiddenWorkload gives a pod the label of the operator's own objects, and deletes the tenant.
func hiddenWorkload(t *testing.T, c, o client.Client) {
	mustCreate(t, c, attackTenant(t, "att2", "deletionPolicy: Retain, namespaces: [{name: a}]"))
	eventually(t, ready(c, t, "att2"))
	pod := parse[corev1.Pod](t, attackPod(", labels: {app.kubernetes.io/managed-by: watertight}", "", ""))
	pod.Namespace = "att2-a"
	if apierrors.IsForbidden(o.Create(t.Context(), pod)) {
		return // refused by a guard: as good
	}
	if err := c.Delete(t.Context(), tenantNamed("att2")); err != nil {
		t.Fatal(err)
	}
	eventually(t, gone(t.Context(), c, tenantNamed("att2")))
	var left corev1.PodList
	if err := c.List(t.Context(), &left, client.InNamespace("att2-a")); err != nil {
		t.Fatal(err)
	}
	if len(left.Items) > 0 {
		t.Errorf("%d pods outlive their tenant", len(left.Items))
	}
}

// withdrawnClass takes a storage class away from a claim: it must still be deletable, and
// its deletion writes it.
func withdrawnClass(t *testing.T, c client.Client) {
	claim := parse[corev1.PersistentVolumeClaim](t, strings.Replace(attackClaim("volumeMode: Filesystem"), "standard", "extra", 1))
	claim.Name, claim.Namespace = "old", "att1-a"
	mustCreate(t, c, claim)
	mustPatch(t, c, &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "attacked"}}, `{"spec":{"capacity":{"storageClasses":["standard"]}}}`)
	eventually(t, func() error {
		if got := read(t, c, "att1-a", v1alpha1.GuardName, &v1alpha1.Guard{}).Spec.StorageClasses; len(got) > 1 {
			return fmt.Errorf("the Guard still allows %v", got)
		}
		return nil
	})
	if err := c.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	short(t, gone(t.Context(), c, claim))
}

// short is eventually with little patience, for what fails for good.
func short(t *testing.T, check func() error) {
	t.Helper()
	err := check()
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); err = check() {
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
}

// lateFinalizer takes a finalizer off a Service, as a load balancer's controller does, when
// its namespace is being deleted and everything else in it is gone.
func lateFinalizer(t *testing.T, c, cloud client.Client) {
	mustCreate(t, c, attackTenant(t, "att3", "deletionPolicy: Delete, namespaces: [{name: a}]"))
	eventually(t, ready(c, t, "att3"))
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "att3-a", Name: "late", Finalizers: []string{"service.kubernetes.io/load-balancer-cleanup"}},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	mustCreate(t, cloud, service)
	if err := c.Delete(t.Context(), tenantNamed("att3")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		ns := read(t, c, "", "att3-a", &corev1.Namespace{})
		if !slices.ContainsFunc(ns.Status.Conditions, func(d corev1.NamespaceCondition) bool {
			return d.Type == corev1.NamespaceFinalizersRemaining && d.Status == corev1.ConditionTrue
		}) {
			return fmt.Errorf("namespace is not stuck yet: %+v", ns.Status)
		}
		return nil
	})
	short(t, func() error {
		return c.Patch(t.Context(), service.DeepCopy(), mergePatch(`{"metadata":{"finalizers":null}}`))
	})
	if !t.Failed() {
		eventually(t, gone(t.Context(), c, tenantNamed("att3"))) // the namespace controller takes its time
	}
}

// adoptions hand over namespaces with what no guard has judged. Labels must not hide it.
func adoptions(t *testing.T, c client.Client) {
	for _, r := range []struct{ name, manifest string }{
		{"binding", `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}, subjects: [{kind: User, name: mallory, apiGroup: rbac.authorization.k8s.io}]}`},
		{"policy", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}}`},
		{"service", `{apiVersion: v1, kind: Service, spec: {externalIPs: [192.0.2.1], ports: [{port: 443}]}}`},
		{"slice", `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, endpoints: [{addresses: [10.128.0.9]}], ports: [{port: 443, protocol: TCP}]}`},
		{"ingress", attackIngress("globex.shop.example", "/", "Prefix")},
	} {
		t.Run(r.name, func(t *testing.T) {
			name := "att4" + r.name
			mustCreate(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name + "-old"}})
			u := &unstructured.Unstructured{Object: *parse[map[string]any](t, r.manifest)}
			u.SetNamespace(name + "-old")
			u.SetName("before")
			u.SetLabels(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
			eventually(t, func() error { // a token's ServiceAccount has to be there
				return c.Get(t.Context(), client.ObjectKey{Namespace: u.GetNamespace(), Name: "default"}, &corev1.ServiceAccount{})
			})
			mustCreate(t, c, u, attackTenant(t, name, "namespaces: [{name: old, adopt: true}]"))
			if got := settled(t, c, name); got.Reason != "AdoptionBlocked" {
				t.Errorf("the namespace was adopted with a foreign %s in it: %s", r.name, got.Message)
			}
		})
	}
}

// edgeNamespace names a tenant so that its namespace is where every tenant of the class
// takes the ingress controllers to be.
func edgeNamespace(t *testing.T, c client.Client) {
	mustCreate(t, c, attackTenant(t, "att", "namespaces: [{name: edge}]"))
	if got := settled(t, c, "att"); got.Status == metav1.ConditionTrue {
		t.Error("a tenant's pods pass for the ingress controllers of all tenants")
	}
}

// takenName has an older tenant claim the namespace of a younger one that runs.
func takenName(t *testing.T, c client.Client) {
	mustCreate(t, c, attackTenant(t, "att5-x", "namespaces: [{name: a}]"))
	time.Sleep(1100 * time.Millisecond) // ages have seconds
	mustCreate(t, c, attackTenant(t, "att5", "namespaces: [{name: x-b}]"))
	eventually(t, ready(c, t, "att5"))
	mustPatch(t, c, tenantNamed("att5-x"), `{"spec":{"namespaces":[{"name":"a"},{"name":"b"}]}}`)
	if got := settled(t, c, "att5-x"); got.Reason != "NamespaceConflict" {
		t.Errorf("the claim was not refused: %s", got.Message)
	}
	mustPatch(t, c, tenantNamed("att5"), `{"spec":{"capacity":{"pods":"10"}}}`)
	if got := settled(t, c, "att5"); got.Status != metav1.ConditionTrue {
		t.Errorf("the tenant that has the namespace is stuck: %s", got.Message)
	}
}

// poisonedShare declares a half of a share with labels that no selector can have.
func poisonedShare(t *testing.T, c client.Client) {
	mustCreate(t, c, attackTenant(t, "att6", "namespaces: [{name: a}]"),
		attackTenant(t, "att7", "namespaces: [{name: a}], network: {flows: [{from: {tenant: att6}, to: {namespace: a}}]}"))
	eventually(t, ready(c, t, "att7"))
	err := c.Patch(t.Context(), tenantNamed("att6"), mergePatch(`{"spec":{"network":{"flows":[{"from":{"namespace":"a"},"to":{"tenant":"att7","pods":{"bad key!":"also bad"}}}]}}}`))
	if apierrors.IsInvalid(err) {
		return
	}
	settled(t, c, "att6")
	mustPatch(t, c, tenantNamed("att7"), `{"spec":{"capacity":{"pods":"10"}}}`)
	if got := settled(t, c, "att7"); got.Status != metav1.ConditionTrue {
		t.Errorf("the partner is stuck: %s", got.Message)
	}
	mustPatch(t, c, tenantNamed("att6"), `{"spec":{"network":{"flows":[]}}}`)
}

// clusterAddresses are never a flow's other end: nodes, Services, pods, clouds' metadata.
func clusterAddresses(t *testing.T, c client.Client) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "att-node"}, Spec: corev1.NodeSpec{Unschedulable: true, PodCIDR: "10.77.0.0/24", PodCIDRs: []string{"10.77.0.0/24"}}}
	mustCreate(t, c, node)
	t.Cleanup(func() { _ = c.Delete(context.Background(), node) })
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.31.9.9"}}
	if err := c.Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	capabilities := must(capability.Read(t.Context(), c))
	kubernetes := read(t, c, "default", "kubernetes", &corev1.Service{})
	class := parse[v1alpha1.TenantClass](t, attackClass)
	for _, cidr := range []string{
		"10.77.0.9/32", "172.31.9.9/32", kubernetes.Spec.ClusterIP + "/32", "169.254.169.254/32", "fd00:ec2::254/128",
		"168.63.129.16/32", "100.100.100.200/32", "fd20:ce::254/128", // Azure, Alibaba, Google
		"::ffff:169.254.169.254/128", "::ffff:0:0/96",
	} {
		flow := fmt.Sprintf("namespaces: [{name: a}], network: {flows: [{from: {namespace: a}, to: {cidr: %q}}]}", cidr)
		if _, err := compile.Tenant(compile.Input{Tenant: attackTenant(t, "att8", flow), Class: class, Capabilities: capabilities}); err == nil {
			t.Errorf("a flow to %s was accepted", cidr)
		}
	}
	wide := attackTenant(t, "att8", "namespaces: [{name: a}], network: {flows: [{from: {namespace: a}, to: {cidr: 10.0.0.0/8}}]}")
	result, err := compile.Tenant(compile.Input{Tenant: wide, Class: class, Capabilities: compile.Capabilities{ClusterCIDRs: []string{"10.77.0.0/24"}}})
	if err != nil {
		return // refused: as good
	}
	for _, o := range result.Objects {
		if g, ok := o.(*v1alpha1.Guard); ok && len(g.Spec.EgressCIDRs) > 0 {
			t.Errorf("the tenant's own policies may open %v, and with it the pods in 10.77.0.0/24", g.Spec.EgressCIDRs)
		}
	}
}

// routeToNeighbour sends an HTTPRoute's traffic elsewhere. The kind is made for the occasion.
func routeToNeighbour(t *testing.T, c, asOperator client.Client) {
	crd := parse[apiextensionsv1.CustomResourceDefinition](t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: httproutes.gateway.networking.k8s.io, annotations: {api-approved.kubernetes.io: "https://github.com/kubernetes-sigs/gateway-api"}}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: HTTPRoute, plural: httproutes, singular: httproute, listKind: HTTPRouteList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`)
	mustCreate(t, c, crd)
	t.Cleanup(func() {
		_ = c.Delete(context.Background(), crd)
		eventually(t, gone(context.Background(), c, crd))
	})
	route := func(metadata, host, rule string) string {
		return fmt.Sprintf(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {%s}, spec: {hostnames: [%s], rules: [{%s}]}}`, metadata, host, rule)
	}
	short(t, func() error { // until the API server serves the kind and the guard refuses what it always did
		u := &unstructured.Unstructured{Object: *parse[map[string]any](t, route("namespace: att1-a, name: try", "globex.shop.example", ""))}
		if err := c.Create(t.Context(), u, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "watertight-routes") {
			return fmt.Errorf("got %w, want a refusal by watertight-routes", err)
		}
		return nil
	})
	for _, r := range []attack{
		{"a backend", "watertight-routes", route("", "att1.shop.example", `backendRefs: [{name: a, namespace: globex-backend, port: 80}]`)},
		{"a backend of another kind", "watertight-routes", route("", "att1.shop.example", `backendRefs: [{name: a.globex-backend.svc.cluster.local, group: networking.istio.io, kind: Hostname, port: 80}]`)},
		{"a mirror", "watertight-routes", route("", "att1.shop.example", `filters: [{type: RequestMirror, requestMirror: {backendRef: {name: a, namespace: globex-backend}}}]`)},
		{"a name in DNS", "watertight-routes", route("annotations: {external-dns.alpha.kubernetes.io/hostname: globex.shop.example}", "att1.shop.example", `backendRefs: [{name: a, port: 80}]`)},
	} {
		t.Run(r.name, func(t *testing.T) { r.try(t, c) })
	}
	// The kind is there now, so the operator tries its guard too, and must be able to.
	canary := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: compile.CanaryNamespace, Name: compile.QuotaName}}
	if err := asOperator.Delete(t.Context(), canary); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return c.Get(t.Context(), client.ObjectKeyFromObject(canary), canary) })
	mustCreate(t, c, attackTenant(t, "att8", "namespaces: [{name: a}]"))
	if got := settled(t, c, "att8"); got.Status != metav1.ConditionTrue {
		t.Errorf("the Gateway API stops every tenant: %s", got.Message)
	}
}
