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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/reconcile/capability"
)

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
	// A patch, since the node controller writes to the Node as well.
	addresses := `{"status":{"addresses":[{"type":"InternalIP","address":"172.31.9.9"}]}}`
	if err := c.Status().Patch(t.Context(), node, mergePatch(addresses)); err != nil {
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
