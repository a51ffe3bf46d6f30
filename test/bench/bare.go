package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/internal/compile"
)

// bareManager is the bare loop's field manager.
const bareManager = "bench-bare-loop"

// bareLoop applies the objects of the tenants and does nothing else: what any program
// must do at the least. Each worker takes a tenant at a time. Quotas come last, as early
// ones would slow the loop down: each NetworkPolicy after one costs an update of it.
func (b *bench) bareLoop(ctx context.Context, p *plane) (measured, error) {
	tenants, err := shops("b", b.tenants)
	if err != nil {
		return measured{}, err
	}
	objects, err := p.compiled(ctx, tenants)
	if err != nil {
		return measured{}, err
	}
	for _, list := range objects {
		slices.SortStableFunc(list, func(a, b compile.Object) int { return isQuota(a) - isQuota(b) })
	}
	c, err := client.New(p.operator, client.Options{Scheme: p.admin.Scheme(), Mapper: p.admin.RESTMapper()})
	if err != nil {
		return measured{}, fmt.Errorf("connect bare loop: %w", err)
	}
	before, err := p.cpu(os.Getpid())
	if err != nil {
		return measured{}, err
	}
	began := time.Now()
	err = b.each(ctx, "bare loop", len(objects), func(ctx context.Context, i int) error { return applyAll(ctx, c, objects[i]) })
	if err != nil {
		return measured{}, err
	}
	took := time.Since(began)
	after, err := p.cpu(os.Getpid())
	return measured{objects: count(objects), took: took, cpu: after - before}, err
}

func isQuota(o compile.Object) int {
	if _, ok := o.(*corev1.ResourceQuota); ok {
		return 1
	}
	return 0
}

func applyAll(ctx context.Context, c client.Client, objects []compile.Object) error {
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return fmt.Errorf("convert %T: %w", o, err)
		}
		u := &unstructured.Unstructured{Object: content}
		unstructured.RemoveNestedField(content, "status")
		unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
		err = c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(bareManager), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", u.GetKind(), u.GetName(), err)
		}
	}
	return nil
}
