package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

// times are when a tenant was first seen to be something.
type times struct{ ready, verified time.Time }

// board watches all tenants.
type board struct {
	mu   sync.Mutex
	seen map[string]times
}

// watch watches the tenants until ctx ends. There may be none yet.
func (p *plane) watch(ctx context.Context) (*board, error) {
	d := &board{seen: map[string]times{}}
	w, err := p.admin.Watch(ctx, &v1alpha1.TenantList{})
	if err != nil {
		return nil, fmt.Errorf("watch tenants: %w", err)
	}
	go func() {
		for {
			for e := range w.ResultChan() {
				if t, ok := e.Object.(*v1alpha1.Tenant); ok {
					d.note(t, time.Now())
				}
			}
			if ctx.Err() != nil {
				return
			}
			// The server ends a watch now and then; a new one begins with what there is.
			if again, err := p.admin.Watch(ctx, &v1alpha1.TenantList{}); err == nil {
				w = again
			}
		}
	}()
	return d, nil
}

func (d *board) note(t *v1alpha1.Tenant, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seen[t.Name]
	ready := meta.IsStatusConditionTrue(t.Status.Conditions, v1alpha1.ConditionReady)
	if s.ready.IsZero() && ready && !t.Status.Sealed {
		s.ready = now
	}
	if s.verified.IsZero() && ready && t.Status.Guarantees != nil {
		s.verified = now
	}
	d.seen[t.Name] = s
}

func (d *board) of(name string) times {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[name]
}

// counts says how many tenants are ready and verified.
func (d *board) counts() (ready, verified int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.seen {
		if !s.ready.IsZero() {
			ready++
		}
		if !s.verified.IsZero() {
			verified++
		}
	}
	return ready, verified
}

// lastReady is when the last tenant was ready.
func (d *board) lastReady() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	var last time.Time
	for _, s := range d.seen {
		if s.ready.After(last) {
			last = s.ready
		}
	}
	return last
}

// until asks every so often whether something is so.
func (b *bench) until(ctx context.Context, what string, every time.Duration, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.patience, fmt.Errorf("not after %s (-patience)", b.patience))
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if ok, err := so(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// createAll creates tenants, several at once.
func (b *bench) createAll(ctx context.Context, c client.Client, tenants []*v1alpha1.Tenant) error {
	return b.each(ctx, "creating", len(tenants), func(ctx context.Context, i int) error {
		if err := c.Create(ctx, tenants[i]); err != nil {
			return fmt.Errorf("create tenant %s: %w", tenants[i].Name, err)
		}
		return nil
	})
}

// each calls do with 0 … n-1, by as many workers as the operator has; the first error
// ends it. It tells of the progress.
func (b *bench) each(ctx context.Context, what string, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	go func() {
		for tick := time.Tick(sayEvery); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				b.say("%s: %d of %d tenants", what, done.Load(), n)
			}
		}
	}()
	workqueue.ParallelizeUntil(ctx, b.workers, n, func(i int) {
		if err := do(ctx, i); err != nil {
			cancel(err)
		}
		done.Add(1)
	})
	return context.Cause(ctx)
}
