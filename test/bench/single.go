package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"watertight.dev/watertight/test/bench/result"
)

// breath is between two single tenants, so that each finds an idle cluster.
const breath = 2 * time.Second

// measureSingle creates one tenant after another on an idle cluster and times each.
func (b *bench) measureSingle(ctx context.Context) (rows []result.Row, err error) {
	p, err := b.startPlane(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	o, err := b.startOperator(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d, err := p.watch(ctx)
	if err != nil {
		return nil, err
	}
	b.say("single: %d tenants, one after another", b.samples)
	var ready, verified []time.Duration
	for i := range b.samples {
		r, v, err := b.single(ctx, p, d, fmt.Sprintf("s%04d", i))
		if err != nil {
			return nil, err
		}
		ready, verified = append(ready, r), append(verified, v)
	}
	b.say("single: ready in %.2fs, verified in %.2fs (medians)", quantile(ready, 0.5).Seconds(), quantile(verified, 0.5).Seconds())
	return singleRows(ready, verified), nil
}

// single times one tenant from its creation.
func (b *bench) single(ctx context.Context, p *plane, d *board, name string) (ready, verified time.Duration, err error) {
	t, err := shop(name)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := p.admin.Create(ctx, t); err != nil {
		return 0, 0, fmt.Errorf("create tenant %s: %w", name, err)
	}
	var seen times
	err = b.until(ctx, "tenant "+name+" is verified", 5*time.Millisecond, func() (bool, error) {
		seen = d.of(name)
		return !seen.verified.IsZero(), nil
	})
	if err != nil {
		return 0, 0, err
	}
	select {
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-time.After(breath):
	}
	return seen.ready.Sub(began), seen.verified.Sub(began), nil
}
