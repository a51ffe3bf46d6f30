package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/config"
	"watertight.dev/watertight/examples"
	"watertight.dev/watertight/internal/apply"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/verify"
)

// leaky builds, on a real API server, the picture that "verify -f examples/leaky" has of
// the folder: the mistakes of an unguarded cluster, what compile makes of its Tenants over
// them, and last the guards, which are not retroactive. Then it looks which mistakes
// verify finds.
func (d *Demo) leaky(ctx context.Context, cluster Cluster) error {
	c, err := connect(cluster.Config)
	if err != nil {
		return err
	}
	list, err := manifests(examples.Files, "leaky")
	if err != nil {
		return err
	}
	began := time.Now()
	compiled, err := prepare(ctx, c, list)
	if err != nil {
		return err
	}
	d.done(began, "CRDs, classes, the Tenants and their namespaces; no operator and no guard yet")
	refused := d.plant(ctx, c, list)
	began = time.Now()
	if err := write(ctx, c, compiled); err != nil {
		return err
	}
	d.done(began, "what Watertight makes of the Tenants applied over them: %d objects", len(compiled))
	began = time.Now()
	if err := d.Install(ctx, cluster.Config); err != nil {
		return err
	}
	d.done(began, "guards installed: they judge new requests only, so what was planted stays")
	return d.find(ctx, cluster, refused)
}

// prepare makes the cluster know classes and Tenants, and their namespaces. It returns
// what compile makes of the Tenants.
func prepare(ctx context.Context, c client.Client, list []manifest) ([]compile.Object, error) {
	crds, err := manifests(config.CRDs, "crd")
	if err != nil {
		return nil, err
	}
	classes, err := manifests(config.Classes, "classes")
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Concat(crds, classes, tenantsOf(list)) {
		if err := put(ctx, c, m); err != nil {
			return nil, err
		}
	}
	compiled, err := compileAll(ctx, c)
	if err != nil {
		return nil, err
	}
	namespaces := slices.DeleteFunc(slices.Clone(compiled), func(o compile.Object) bool {
		return o.GetObjectKind().GroupVersionKind().Kind != "Namespace"
	})
	return compiled, write(ctx, c, namespaces)
}

// compileAll compiles the cluster's Tenants, as its operator would.
func compileAll(ctx context.Context, c client.Client) ([]compile.Object, error) {
	var list v1alpha1.TenantList
	if err := c.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	var tenants []*v1alpha1.Tenant
	for i := range list.Items {
		tenants = append(tenants, &list.Items[i])
	}
	objects := compile.System(v1alpha1.OperatorUser)
	for i, t := range tenants {
		class := &v1alpha1.TenantClass{}
		if err := c.Get(ctx, client.ObjectKey{Name: t.Spec.ClassName}, class); err != nil {
			return nil, fmt.Errorf("get the class of tenant %s: %w", t.Name, err)
		}
		result, err := compile.Tenant(compile.Input{Tenant: t, Class: class, Peers: slices.Delete(slices.Clone(tenants), i, i+1)})
		if err != nil {
			return nil, fmt.Errorf("compile tenant %s: %w", t.Name, err)
		}
		objects = append(objects, result.Objects...)
	}
	return objects, nil
}

func write(ctx context.Context, c client.Client, objects []compile.Object) error {
	w := apply.Writer{Client: c}
	for _, o := range objects {
		if _, err := w.Apply(ctx, o, nil); err != nil {
			return err
		}
	}
	return nil
}

// plant applies the leaky manifests as the administrator who made the mistakes. It
// returns those that the API server does not take, which it prints.
func (d *Demo) plant(ctx context.Context, c client.Client, list []manifest) (refused []string) {
	began, planted := time.Now(), 0
	for _, m := range list {
		if m.isTenant() {
			continue
		}
		if err := put(ctx, c, m); err != nil {
			refused = append(refused, m.String())
			d.say("  - %s (%s) cannot be created on this server: %s", m, m.file, brief(err.Error(), 60))
			continue
		}
		planted++
	}
	d.done(began, "%d manifests of examples/leaky applied, as the administrators who made the mistakes", planted)
	return refused
}

// find verifies the cluster and the folder, and compares.
func (d *Demo) find(ctx context.Context, cluster Cluster, refused []string) error {
	folder, err := os.MkdirTemp("", "watertight-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
	if err := os.CopyFS(folder, examples.Files); err != nil {
		return err
	}
	planted, err := d.VerifyFolder(ctx, filepath.Join(folder, "leaky"))
	if err != nil {
		return err
	}
	began := time.Now()
	live, err := d.Verify(ctx, cluster.Kubeconfig, false)
	if err != nil {
		return err
	}
	d.done(began, "verified the live cluster")
	found := breaks(live)
	d.showBroken(live)
	d.compare(breaks(planted), found, refused)
	return nil
}

// showBroken prints every broken row with its culprits.
func (d *Demo) showBroken(report verify.Report) {
	for _, t := range report.Tenants {
		holds, broken, unknown := t.Counts()
		d.say("\n  tenant %s: %d hold, %s, %d unknown; the broken rows and their culprits:", t.Tenant, holds, d.bad(fmt.Sprintf("%d broken", broken)), unknown)
		for _, r := range t.Rows {
			culprits := culpritsOf(r)
			if len(culprits) == 0 {
				continue
			}
			d.say("  %-6s %s  %s", r.Guarantee, d.bad("broken"), brief(r.Promise, 17))
			for _, c := range culprits {
				d.say("      %s", brief(c.object+" "+strings.Join(c.fields, ", "), 6))
			}
		}
	}
}
