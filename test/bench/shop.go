package main

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/examples"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/reconcile/capability"
)

// shop is the example's three-tier tenant under another name.
func shop(name string) (*v1alpha1.Tenant, error) {
	text, err := examples.Files.ReadFile("shop/acme/tenant.yaml")
	if err != nil {
		return nil, fmt.Errorf("read example: %w", err)
	}
	t := &v1alpha1.Tenant{}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(text), "acme", name)), t); err != nil {
		return nil, fmt.Errorf("parse example: %w", err)
	}
	return t, nil
}

// shops are n tenants whose names begin with prefix.
func shops(prefix string, n int) ([]*v1alpha1.Tenant, error) {
	out := make([]*v1alpha1.Tenant, n)
	for i := range out {
		t, err := shop(fmt.Sprintf("%s%04d", prefix, i))
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

// compiled is what isolates each of the tenants on this control plane.
func (p *plane) compiled(ctx context.Context, tenants []*v1alpha1.Tenant) ([][]compile.Object, error) {
	capabilities, err := capability.Read(ctx, p.admin)
	if err != nil {
		return nil, err
	}
	out := make([][]compile.Object, len(tenants))
	for i, t := range tenants {
		class := &v1alpha1.TenantClass{}
		if err := p.admin.Get(ctx, client.ObjectKey{Name: t.Spec.ClassName}, class); err != nil {
			return nil, fmt.Errorf("get class: %w", err)
		}
		result, err := compile.Tenant(compile.Input{Tenant: t, Class: class, Capabilities: capabilities})
		if err != nil {
			return nil, fmt.Errorf("compile tenant %s: %w", t.Name, err)
		}
		out[i] = result.Objects
	}
	return out, nil
}

func count(objects [][]compile.Object) int {
	n := 0
	for _, list := range objects {
		n += len(list)
	}
	return n
}
