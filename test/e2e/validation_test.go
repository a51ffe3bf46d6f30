package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

// TestValidation writes Tenants and TenantClasses that the API server itself must refuse,
// with a message that names the field and the fix.
func TestValidation(t *testing.T) {
	_, c := cluster(t)
	flow := func(f string) string {
		return `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: [{name: a}], network: {flows: [` + f + `]}}}`
	}
	named := func(name string) string {
		return `{kind: Tenant, metadata: {name: ` + name + `}, spec: {className: c, namespaces: [{name: a}]}}`
	}
	for _, r := range []struct{ name, manifest, want string }{
		{"a name in upper case", named("Acme"), "lowercase RFC 1123"},
		{"a name with a digit first", named(`"1acme"`), "starting with a letter"},
		{"a name that is too long", named(strings.Repeat("a", 31)), "metadata.name must be 1 to 30"},
		{"a name of 5,000 characters", named(strings.Repeat("a", 5000)), "must be no more than 253"},
		{"a reserved name", named("kube-evil"), "reserved prefix"},
		{"the operator's name", named("watertight"), "reserved prefix"},
		{"an unknown field", `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: [{name: a}], netwrok: {}}}`, `unknown field "spec.netwrok"`},
		{"no class", `{kind: Tenant, metadata: {name: val}, spec: {namespaces: [{name: a}]}}`, "spec.className"},
		{"no namespace", `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: []}}`, "spec.namespaces"},
		{"a namespace named twice", `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: [{name: a}, {name: a}]}}`, "Duplicate value"},
		{"a namespace that is no name", `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: [{name: A_b}]}}`, "spec.namespaces[0].name"},
		{"a budget that is no quantity", `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: [{name: a}], capacity: {pods: many}}}`, "spec.capacity.pods"},
		{"an owner that is everybody", `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: [{name: a}], owners: [{kind: Group, name: "system:authenticated"}]}}`, "must not start with system:"},
		{"a ServiceAccount without namespace", `{kind: Tenant, metadata: {name: val}, spec: {className: c, namespaces: [{name: a}], owners: [{kind: ServiceAccount, name: x}]}}`, "owners[].namespace is needed"},
		{"a flow between strangers", flow(`{from: {tenant: b}, to: {cidr: 203.0.113.0/24}}`), "must be a namespace of this tenant"},
		{"a flow to the ingress", flow(`{from: {namespace: a}, to: {ingress: true}}`), "to.ingress is not possible"},
		{"an end that is two things", flow(`{from: {namespace: a, cidr: 203.0.113.0/24}, to: {namespace: a}}`), "exactly one of"},
		{"an end that is nothing", flow(`{from: {namespace: a}, to: {}}`), "exactly one of"},
		{"a block that is none", flow(`{from: {namespace: a}, to: {cidr: 203.0.113.0}}`), "must be a CIDR such as"},
		{"an exception outside", flow(`{from: {namespace: a}, to: {cidr: 203.0.113.0/24, except: [192.0.2.0/24]}}`), "must be CIDRs inside"},
		{"port zero", flow(`{from: {namespace: a}, to: {namespace: a}, ports: [{port: 0}]}`), "ports[0].port"},
		{"a port too high", flow(`{from: {namespace: a}, to: {namespace: a}, ports: [{port: 65536}]}`), "ports[0].port"},
		{"a range backwards", flow(`{from: {namespace: a}, to: {namespace: a}, ports: [{port: 90, endPort: 80}]}`), "must not be below port"},
		{"a protocol that is none", flow(`{from: {namespace: a}, to: {namespace: a}, ports: [{port: 80, protocol: ICMP}]}`), "Unsupported value"},
		{"a version that is none", `{kind: Tenant, metadata: {name: val}, spec: {className: c, controlPlane: {version: latest}, namespaces: [{name: a}]}}`, "spec.controlPlane.version"},
		{"a sandbox that is none", `{kind: TenantClass, metadata: {name: val}, spec: {kernel: {sandbox: Docker}}}`, "Unsupported value"},
		{"a hostname that is none", `{kind: TenantClass, metadata: {name: val}, spec: {network: {hostnames: ["*"]}}}`, "spec.network.hostnames[0]"},
		{"an egress block that is none", `{kind: TenantClass, metadata: {name: val}, spec: {network: {egressCIDRs: ["everywhere"]}}}`, "must be CIDRs"},
		{"a registry with an upper case letter", `{kind: TenantClass, metadata: {name: val}, spec: {kernel: {registries: ["Ghcr.io/x"]}}}`, "spec.kernel.registries[0]"},
		{"a second Guard", `{kind: Guard, metadata: {name: mine, namespace: default}, spec: {tenant: x, ownerAccounts: [], runtimeClassName: "", nodeSelector: {}, tolerations: [], registries: [], priorityClasses: [], storageClasses: [], serviceTypes: [], hostnames: [], ingressClasses: [], egressCIDRs: []}}`, "must be watertight"},
	} {
		t.Run(r.name, func(t *testing.T) {
			u := &unstructured.Unstructured{Object: *parse[map[string]any](t, r.manifest)}
			u.SetAPIVersion(v1alpha1.GroupVersion.String())
			strict := client.WithFieldValidation(c, client.FieldValidation("Strict"))
			err := strict.Create(t.Context(), u, client.DryRunAll)
			if err == nil || !strings.Contains(err.Error(), r.want) {
				t.Errorf("got %v\nwant a refusal with %q", err, r.want)
			}
		})
	}
}

// TestNotAccepted writes Tenants that only the operator can judge: a condition tells what
// is wrong, and nothing is opened.
func TestNotAccepted(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	taken := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "na3-taken"}}
	if err := c.Create(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ name, spec, want string }{
		{"na1", `{className: nowhere, namespaces: [{name: a}]}`, `ClassNotFound spec.className: TenantClass "nowhere" does not exist`},
		{"na2", `{className: standard, namespaces: [{name: a}], capacity: {pods: "100k"}}`, `BudgetExceedsClass spec.capacity[pods]`},
		{"na3", `{className: standard, namespaces: [{name: taken}]}`, `NamespaceExists spec.namespaces[0].name: namespace "na3-taken" exists already`},
		{"na4", `{className: hardened, namespaces: [{name: a}]}`, `RuntimeAbsent spec.className`},
		{"na5", `{className: standard, namespaces: [{name: a}], network: {flows: [{from: {namespace: a}, to: {cidr: 169.254.0.0/16}}]}}`, `FlowInvalid spec.network.flows[0].to.cidr`},
	} {
		tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: r.name}, Spec: *parse[v1alpha1.TenantSpec](t, r.spec)}
		if err := c.Create(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
				return err
			}
			ready := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != metav1.ConditionFalse {
				return fmt.Errorf("%s: no Ready=False: %+v", r.name, tenant.Status.Conditions)
			}
			if got := ready.Reason + " " + ready.Message; !strings.HasPrefix(got, strings.Split(r.want, " ")[0]) || !strings.Contains(got, r.want[strings.Index(r.want, " ")+1:]) {
				return fmt.Errorf("%s: got %s", r.name, got)
			}
			return nil
		})
		if !tenant.Status.Sealed {
			t.Errorf("%s: not sealed", r.name)
		}
		var namespaces corev1.NamespaceList
		if err := c.List(t.Context(), &namespaces, client.MatchingLabels{v1alpha1.LabelTenant: r.name}); err != nil {
			t.Fatal(err)
		}
		if r.name != "na3" && len(namespaces.Items) > 0 {
			t.Errorf("%s: has namespaces", r.name)
		}
	}
}

// TestAdoption takes over a namespace that the spec says to adopt, unless it holds what
// no guard has judged.
func TestAdoption(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	for _, name := range []string{"ad-clean", "ad-used"} {
		if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	pod := parse[corev1.Pod](t, goodPod)
	pod.Namespace = "ad-used"
	eventually(t, func() error { return c.Create(t.Context(), pod) }) // its ServiceAccount comes with time
	tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "ad"}, Spec: *parse[v1alpha1.TenantSpec](t,
		`{className: standard, deletionPolicy: Delete, namespaces: [{name: clean, adopt: true}, {name: used, adopt: true}]}`)}
	if err := c.Create(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
			return err
		}
		if r := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionReady); r == nil || r.Reason != "AdoptionBlocked" || !strings.Contains(r.Message, "1 pods") {
			return fmt.Errorf("not blocked: %+v", tenant.Status.Conditions)
		}
		return nil
	})
	if err := c.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	touch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"try":"again"}}}`))
	if err := c.Patch(t.Context(), tenant, touch); err != nil {
		t.Fatal(err)
	}
	eventually(t, ready(c, t, "ad"))
}

// TestRetention deletes a tenant whose data is to stay: its namespace does too, sealed
// and without its owners, and a new tenant of that name must ask to adopt it.
func TestRetention(t *testing.T) {
	config, c := cluster(t)
	operator(t, config, nil)
	kept := shop(t, "kept")
	kept.Spec.DeletionPolicy = v1alpha1.DeletionRetain
	if err := c.Create(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	eventually(t, ready(c, t, "kept"))
	if err := c.Delete(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(kept), kept); client.IgnoreNotFound(err) == nil && err != nil {
			return nil
		}
		return fmt.Errorf("still there: %s", kept.Status.Message)
	})
	var ns corev1.Namespace
	if err := c.Get(t.Context(), client.ObjectKey{Name: "kept-database"}, &ns); err != nil {
		t.Fatal(err)
	}
	if _, ok := ns.Labels[v1alpha1.LabelUnsealed]; ok {
		t.Error("the retained namespace is not sealed")
	}
	pod := parse[corev1.Pod](t, goodPod)
	pod.Namespace = "kept-database"
	if err := owner(t, config, "kept").Create(t.Context(), pod); err == nil {
		t.Error("a former owner created a pod")
	}
	if err := c.Delete(t.Context(), &ns, client.DryRunAll); err != nil {
		t.Errorf("an administrator may delete what is retained: %v", err)
	}
	again := shop(t, "kept")
	if err := c.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(again), again); err != nil {
			return err
		}
		if r := meta.FindStatusCondition(again.Status.Conditions, v1alpha1.ConditionReady); r == nil || r.Reason != "NamespaceExists" {
			return fmt.Errorf("got %+v", r)
		}
		return nil
	})
}
