package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"watertight.dev/watertight/test/bench/result"
)

// measured is how many objects came into place in what time, and in what processor time
// of the control plane and whoever applied them.
type measured struct {
	objects   int
	took, cpu time.Duration
}

func (m measured) perSecond() float64 { return float64(m.objects) / m.took.Seconds() }

// measureOnboarding runs the bare loop and the operator in turns, each on a fresh control
// plane and the order swapped every round, and looks at the operator at rest in the last.
func (b *bench) measureOnboarding(ctx context.Context) ([]result.Row, error) {
	var bare, operated []measured
	var rest atRest
	for round := range b.rounds {
		turns := []func() error{
			func() error {
				m, err := b.bareRound(ctx)
				bare = append(bare, m)
				return err
			},
			func() error {
				m, seen, err := b.operatorRound(ctx, round == b.rounds-1)
				operated = append(operated, m)
				rest = seen
				return err
			},
		}
		if round%2 == 1 {
			turns[0], turns[1] = turns[1], turns[0]
		}
		for _, turn := range turns {
			if err := turn(); err != nil {
				return nil, fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	return append(onboardingRows(bare, operated), rest.rows(b)...), nil
}

func (b *bench) bareRound(ctx context.Context) (m measured, err error) {
	p, err := b.startPlane(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	b.say("bare loop: applying what %d tenants are compiled into", b.tenants)
	if m, err = b.bareLoop(ctx, p); err == nil {
		b.say("bare loop: %d objects in %.1fs, %.0f/s", m.objects, m.took.Seconds(), m.perSecond())
	}
	return m, err
}

// operatorRound onboards the tenants with the operator; with rest, it also looks at the
// operator afterwards.
func (b *bench) operatorRound(ctx context.Context, rest bool) (m measured, seen atRest, err error) {
	p, err := b.startPlane(ctx)
	if err != nil {
		return m, seen, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	o, err := b.startOperator(ctx, p)
	if err != nil {
		return m, seen, err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	if m, seen, err = b.onboard(ctx, p, o); err != nil || !rest {
		return m, seen, err
	}
	if err := b.observe(ctx, p, o, &seen); err != nil {
		return m, seen, err
	}
	if err := o.stop(); err != nil {
		return m, seen, fmt.Errorf("stop operator: %w", err)
	}
	err = b.restart(ctx, p, &seen)
	return m, seen, err
}

// onboard creates the tenants and waits until the last is ready.
func (b *bench) onboard(ctx context.Context, p *plane, o *operator) (m measured, seen atRest, err error) {
	tenants, err := shops("t", b.tenants)
	if err != nil {
		return m, seen, err
	}
	objects, err := p.compiled(ctx, tenants)
	if err != nil {
		return m, seen, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d, err := p.watch(ctx)
	if err != nil {
		return m, seen, err
	}
	before, err := p.cpu(o.cmd.Process.Pid)
	if err != nil {
		return m, seen, err
	}
	seen.began = time.Now()
	b.say("operator: creating %d tenants", b.tenants)
	if err := b.createAll(ctx, p.admin, tenants); err != nil {
		return m, seen, err
	}
	if err := b.until(ctx, "every tenant is ready", 50*time.Millisecond, b.allReady(d, o)); err != nil {
		return m, seen, err
	}
	after, err := p.cpu(o.cmd.Process.Pid)
	m = measured{objects: count(objects), took: d.lastReady().Sub(seen.began), cpu: after - before}
	b.say("operator: %d objects in %.1fs, %.0f/s", m.objects, m.took.Seconds(), m.perSecond())
	seen.objects = m.objects
	return m, seen, errors.Join(err, seen.whenReady(ctx, p, o))
}

// allReady tells of the progress as it asks.
func (b *bench) allReady(d *board, o *operator) func() (bool, error) {
	told := time.Now()
	return func() (bool, error) {
		ready, _ := d.counts()
		if time.Since(told) > sayEvery {
			told = time.Now()
			b.say("operator: %d of %d tenants are ready", ready, b.tenants)
		}
		return ready == b.tenants, o.dead()
	}
}
