// Package probe tries, for real, what a tenant must not be able to do, with the
// tenant owner's own credential, and reports what it observed. It predicts nothing and
// judges no snapshot. Every write it sends is a server-side dry-run, so a probe leaves
// nothing behind; a refusal counts only beside a permitted request that was accepted.
package probe

import (
	"context"
	"sync"

	"watertight.dev/watertight/internal/guarantee"
)

// SideEffect says what a probe does to the cluster it runs against.
type SideEffect string

// The side effects. Neither stores anything; both show in the audit log.
const (
	ReadsOnly SideEffect = "reads only"
	DryRun    SideEffect = "server-side dry-run, nothing is stored"
)

// Description is what a person should know of a probe before running it.
type Description struct {
	// ID is stable ("api/read-foreign").
	ID        string
	Guarantee guarantee.ID
	// Technique is what an attacker would call it (ATT&CK).
	Technique   string
	SideEffects SideEffect
	// Needs is what must be there for the probe to tell anything.
	Needs string
	// Control is the permitted request that must succeed beside the refused ones.
	Control string
}

// Probe observes one guarantee of one tenant.
type Probe interface {
	Describe() Description
	// Run returns at least one finding: silence is not evidence.
	Run(ctx context.Context, s *Session) []guarantee.Finding
}

// Cleaner is a Probe that leaves something to remove. The runner calls Clean on every
// exit, with a context that a cancelled run does not cancel.
type Cleaner interface {
	Clean(ctx context.Context, s *Session) error
}

// API answers requests in the name of the tenant's owner.
type API interface {
	Do(ctx context.Context, r Request) Answer
}

// Session is one run against one tenant. It bounds the requests in flight and
// remembers the controls, so that each is asked once.
type Session struct {
	Target Target

	api      API
	slots    chan struct{}
	mu       sync.Mutex
	controls map[string]func() Answer
}

// NewSession starts a session of at most parallel requests at a time.
func NewSession(t Target, api API, parallel int) *Session {
	return &Session{
		Target:   t,
		api:      api,
		slots:    make(chan struct{}, max(parallel, 1)),
		controls: map[string]func() Answer{},
	}
}

// do sends a request as soon as a slot is free.
func (s *Session) do(ctx context.Context, r Request) Answer {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return Answer{Err: ctx.Err()}
	}
	defer func() { <-s.slots }()
	return s.api.Do(ctx, r)
}

// control sends a permitted request, once per session.
func (s *Session) control(ctx context.Context, r Request) Answer {
	s.mu.Lock()
	ask, ok := s.controls[r.key()]
	if !ok {
		ask = sync.OnceValue(func() Answer { return s.do(ctx, r) })
		s.controls[r.key()] = ask
	}
	s.mu.Unlock()
	return ask()
}
