package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

// atRest is what an operator was seen to need: until the tenants were ready, in the
// steady state and for a restart.
type atRest struct {
	began        time.Time
	objects      int
	atReady      process
	figuresReady figures
	writesReady  map[string]int

	verified     time.Duration
	steady       process
	steadyWrites map[string]int
	steadyOther  float64
	minutes      float64

	restarted     process
	restartReady  time.Duration
	restartLooked time.Duration
	restartWrites map[string]int
}

// quietFor is how long an operator that was started again has nothing to do before it
// counts as having looked at everything.
const quietFor = 5 * time.Second

// whenReady looks at the operator at the moment the last tenant is ready.
func (s *atRest) whenReady(ctx context.Context, p *plane, o *operator) (err error) {
	if s.atReady, err = o.process(); err != nil {
		return err
	}
	if s.figuresReady, err = o.figures(ctx); err != nil {
		return err
	}
	s.writesReady, err = p.writes(s.began)
	return err
}

// observe waits until every tenant is verified and the operator idle, and watches it for
// a while.
func (b *bench) observe(ctx context.Context, p *plane, o *operator, seen *atRest) error {
	if err := b.allVerified(ctx, p, o); err != nil {
		return err
	}
	seen.verified = time.Since(seen.began)
	b.say("operator: every tenant is verified after %.1fs; waiting until it is idle for %s", seen.verified.Seconds(), b.steady)
	if _, err := b.idle(ctx, o, 0, b.steady); err != nil {
		return err
	}
	b.say("operator: idle; watching it for %s", b.steady)
	began := time.Now()
	before, err := o.figures(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(b.steady):
	}
	after, err := o.figures(ctx)
	if err != nil {
		return err
	}
	seen.minutes = time.Since(began).Minutes()
	seen.steadyOther = after.changing - before.changing
	if seen.steadyWrites, err = p.writes(began); err != nil {
		return err
	}
	seen.steady, err = o.process()
	return err
}

func (b *bench) allVerified(ctx context.Context, p *plane, o *operator) error {
	told := time.Now()
	return b.until(ctx, "every tenant is verified", time.Second, func() (bool, error) {
		verified, err := p.verified(ctx)
		if time.Since(told) > sayEvery {
			told = time.Now()
			b.say("operator: %d of %d tenants are verified", verified, b.tenants)
		}
		return verified == b.tenants, errors.Join(err, o.dead())
	})
}

// verified counts the tenants whose status tells of their guarantees.
func (p *plane) verified(ctx context.Context) (int, error) {
	var all v1alpha1.TenantList
	if err := p.admin.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list tenants: %w", err)
	}
	n := 0
	for i := range all.Items {
		if all.Items[i].Status.Guarantees != nil {
			n++
		}
	}
	return n, nil
}

// idle waits until the operator has reconciled at least so many tenants and then nothing
// for so long; it says since when it has had nothing to do.
func (b *bench) idle(ctx context.Context, o *operator, atLeast float64, quiet time.Duration) (time.Time, error) {
	var last figures
	since := time.Now()
	err := b.until(ctx, "the operator is idle", 200*time.Millisecond, func() (bool, error) {
		now, err := o.figures(ctx)
		if err != nil {
			return false, err
		}
		if now.reconciles != last.reconciles || now.waiting+now.active > 0 || now.reconciles < atLeast {
			since = time.Now()
		}
		last = now
		return time.Since(since) > quiet, nil
	})
	return since, err
}

// restart starts the operator anew among all the tenants and waits until it has looked at
// every one.
func (b *bench) restart(ctx context.Context, p *plane, seen *atRest) (err error) {
	b.say("operator: starting it again among %d tenants", b.tenants)
	o, err := b.startOperator(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	seen.restartReady = o.ready
	since, err := b.idle(ctx, o, float64(b.tenants), quietFor)
	if err != nil {
		return err
	}
	seen.restartLooked = since.Sub(o.began)
	if seen.restartWrites, err = p.writes(o.began); err != nil {
		return err
	}
	b.say("operator: ready after %.1fs, has looked at every tenant after %.1fs", o.ready.Seconds(), seen.restartLooked.Seconds())
	seen.restarted, err = o.process()
	return err
}
