package verify_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/localcluster"
	"watertight.dev/watertight/internal/localcluster/localtest"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

// TestOnARealAPIServer applies what compile makes of two tenants, without the operator,
// and lets the probes loose: everything they try is refused beside a control that
// succeeds; while the namespaces are sealed the pod probes cannot tell; and when guards
// are taken away, the probes see it.
func TestOnARealAPIServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	c := newCluster(t)
	tenants := []*v1alpha1.Tenant{c.tenant("acme"), c.tenant("globex")}
	for i, tenant := range tenants {
		result, err := compile.Tenant(compile.Input{Tenant: tenant, Class: c.class(), Peers: []*v1alpha1.Tenant{tenants[1-i]}, Capabilities: c.capabilities()})
		if err != nil {
			t.Fatal(err)
		}
		c.apply(result.Objects...)
	}
	var floor verify.Cell
	defer func() {
		if t.Failed() {
			t.Log(messages(floor))
		}
	}()
	c.eventually("the guards are in force", func() bool {
		floor = c.observed("acme", guarantee.NET5)
		return floor.Verdict == guarantee.Holds
	})

	t.Run("sealed", func(t *testing.T) {
		if got := c.observed("acme", guarantee.KRN1); got.Verdict != guarantee.Unknown || got.Findings[0].Reason != "ControlFailed" {
			t.Errorf("a sealed tenant's pods: %+v", got)
		}
	})

	for _, ns := range []string{"acme-frontend", "acme-backend", "globex-frontend", "globex-backend"} {
		c.label(ns, v1alpha1.LabelUnsealed, "true")
	}
	t.Run("unsealed", func(t *testing.T) {
		probed := []guarantee.ID{
			guarantee.API1, guarantee.API2, guarantee.API3, guarantee.API4, guarantee.NET2, guarantee.NET5,
			guarantee.KRN1, guarantee.KRN4, guarantee.CAP1, guarantee.CAP2, guarantee.CAP3, guarantee.CAP5,
		}
		report := c.verify("acme")
		for _, id := range probed {
			row, _ := report.Row(id)
			if row.Observed.Verdict != guarantee.Holds {
				t.Errorf("%s observed %s: %s", id, row.Observed.Verdict, messages(row.Observed))
			}
			if row.Compiled.Verdict != guarantee.Holds {
				t.Errorf("%s compiled %s: %s", id, row.Compiled.Verdict, messages(row.Compiled))
			}
		}
	})

	t.Run("weakened", func(t *testing.T) {
		c.delete("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", "watertight-networkpolicy")
		c.label("acme-backend", "pod-security.kubernetes.io/enforce", "privileged")
		c.eventually("the probe sees that the floor can be reopened", func() bool {
			return c.observed("acme", guarantee.NET5).Verdict == guarantee.Broken
		})
		report := c.verify("acme")
		for _, id := range []guarantee.ID{guarantee.NET5, guarantee.KRN1} {
			row, _ := report.Row(id)
			if row.Compiled.Verdict != guarantee.Broken || row.Verdict != guarantee.Broken {
				t.Errorf("%s: compiled %s, row %s; want both broken", id, row.Compiled.Verdict, row.Verdict)
			}
		}
		if row, _ := report.Row(guarantee.KRN1); row.Observed.Verdict != guarantee.Broken {
			t.Errorf("KRN-1 observed %s: %s", row.Observed.Verdict, messages(row.Observed))
		}
	})
}

// liveCluster is a real control plane with the guards and two tenants on it.
type liveCluster struct {
	*testing.T
	cluster *localtest.Cluster
	dynamic dynamic.Interface
}

func newCluster(t *testing.T) *liveCluster {
	t.Helper()
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	cluster := localtest.Start(t, func(o *localcluster.Options) {
		o.Engines.Kubernetes = os.Getenv("WATERTIGHT_ENGINE") // a prebuilt one, if named
	})
	c := &liveCluster{T: t, cluster: cluster, dynamic: dynamic.NewForConfigOrDie(cluster.Config())}
	crds, err := filepath.Glob("../../config/crd/*.yaml")
	if err != nil || len(crds) == 0 {
		t.Fatalf("no CRDs: %v", err)
	}
	for _, file := range crds {
		c.applyFile(file)
	}
	c.eventually("the CRDs are served", func() bool {
		_, err := c.dynamic.Resource(schema.GroupVersionResource{Group: "watertight.dev", Version: "v1alpha1", Resource: "guards"}).List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	guards, err := compile.Guards(c.capabilities(), v1alpha1.OperatorUser)
	if err != nil {
		t.Fatal(err)
	}
	c.apply(compile.System(v1alpha1.OperatorUser)...)
	c.apply(guards...)
	c.apply(c.class())
	return c
}

func (c *liveCluster) capabilities() compile.Capabilities {
	return compile.Capabilities{MutatingAdmissionPolicy: true}
}

func (c *liveCluster) class() *v1alpha1.TenantClass {
	class := &v1alpha1.TenantClass{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TenantClass"}}
	class.Name = "standard"
	class.Spec.Kernel.PodSecurity = v1alpha1.PodSecurityRestricted
	class.Spec.Network.Hostnames = []string{"{tenant}.shop.example"}
	class.Spec.Network.IngressClasses = []string{"nginx"}
	class.Spec.Capacity.StorageClasses = []string{"standard"}
	return class
}

// tenant creates a Tenant and returns it.
func (c *liveCluster) tenant(name string) *v1alpha1.Tenant {
	tenant := &v1alpha1.Tenant{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Tenant"}}
	tenant.Name = name
	tenant.Spec.ClassName = "standard"
	tenant.Spec.Namespaces = []v1alpha1.TenantNamespace{{Name: "frontend"}, {Name: "backend"}}
	c.apply(tenant)
	snapshot, err := load.Live(c.Context(), c.cluster.Config())
	if err != nil {
		c.Fatal(err)
	}
	return snapshot.Tenant(name) // with its UID
}

// apply applies objects as the operator would, by an administrator that the guards
// exempt: system:masters is not, so the operator is impersonated.
func (c *liveCluster) apply(objects ...compile.Object) {
	c.Helper()
	for _, o := range objects {
		raw, err := json.Marshal(o)
		if err != nil {
			c.Fatal(err)
		}
		c.applyRaw(raw)
	}
}

func (c *liveCluster) applyFile(file string) {
	c.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		c.Fatal(err)
	}
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		c.Fatal(err)
	}
	c.applyRaw(raw)
}

func (c *liveCluster) applyRaw(raw []byte) {
	c.Helper()
	var u unstructured.Unstructured
	if err := json.Unmarshal(raw, &u.Object); err != nil {
		c.Fatal(err)
	}
	unstructured.RemoveNestedField(u.Object, "status")
	gvr, _ := meta.UnsafeGuessKindToResource(u.GroupVersionKind())
	raw, err := json.Marshal(u.Object)
	if err != nil {
		c.Fatal(err)
	}
	_, err = c.as().Resource(gvr).Namespace(u.GetNamespace()).Patch(c.Context(), u.GetName(), types.ApplyPatchType, raw,
		metav1.PatchOptions{FieldManager: v1alpha1.ManagedBy, Force: ptr(true)})
	if err != nil {
		c.Fatalf("apply %s %s/%s: %v", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
}

// as is the operator, with an administrator's rights.
func (c *liveCluster) as() dynamic.Interface {
	cfg := c.cluster.Config()
	cfg.Impersonate.UserName = v1alpha1.OperatorUser
	cfg.Impersonate.Groups = []string{"system:masters", "system:authenticated"}
	return dynamic.NewForConfigOrDie(cfg)
}

func (c *liveCluster) label(namespace, key, value string) {
	c.Helper()
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{key: value}}})
	_, err := c.as().Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Patch(c.Context(), namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		c.Fatal(err)
	}
}

func (c *liveCluster) delete(groupVersion, resource, name string) {
	c.Helper()
	gv, _ := schema.ParseGroupVersion(groupVersion)
	if err := c.as().Resource(gv.WithResource(resource)).Delete(c.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		c.Fatal(err)
	}
}

// verify probes one tenant.
func (c *liveCluster) verify(tenant string) verify.TenantReport {
	c.Helper()
	snapshot, err := load.Live(c.Context(), c.cluster.Config())
	if err != nil {
		c.Fatal(err)
	}
	report, err := verify.Run(c.Context(), verify.Input{
		Snapshot: snapshot, Capabilities: c.capabilities(), Tenants: []string{tenant},
		Observe: verify.Probing(c.cluster.Config(), snapshot),
	})
	if err != nil {
		c.Fatal(err)
	}
	return report.Tenants[0]
}

func (c *liveCluster) observed(tenant string, id guarantee.ID) verify.Cell {
	row, _ := c.verify(tenant).Row(id)
	return row.Observed
}

func (c *liveCluster) eventually(what string, ok func() bool) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			c.Fatalf("waited in vain until %s", what)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func messages(cell verify.Cell) string {
	lines := []string{cell.Reason}
	for _, f := range cell.Findings {
		if f.Verdict == cell.Verdict {
			lines = append(lines, f.Message)
			for i, e := range f.Evidence {
				if i < 3 {
					lines = append(lines, "  "+e.Detail)
				}
			}
		}
	}
	return strings.Join(lines, "\n")
}

func ptr[T any](v T) *T { return &v }
