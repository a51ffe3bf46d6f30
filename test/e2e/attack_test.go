package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
