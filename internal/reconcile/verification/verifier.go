// Package verification verifies the whole cluster now and then on behalf of the operator
// and remembers the verdicts for the tenants' status. How to verify is given to it; it
// only decides when, so that a large cluster does not spend its time on verification.
package verification

import (
	"context"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"watertight.dev/watertight/api/v1alpha1"
)

// Verdict is what a verification said of one tenant.
type Verdict struct {
	v1alpha1.GuaranteeCount
	// Generation of the Tenant that was looked at.
	Generation int64
	// At is when a verification first said so.
	At time.Time
}

// Verifier verifies in the background: soon after it is asked to, where that takes long
// at most a tenth of the time, and every half hour in any case. It writes nothing to the cluster.
type Verifier struct {
	// Verify looks at the cluster; the verdicts' At is not set.
	Verify func(context.Context) (map[string]Verdict, error)
	// Changed is told the tenants whose verdict is another than before.
	Changed func(tenants []string)

	once     sync.Once
	ask      chan struct{}
	mu       sync.Mutex
	verdicts map[string]Verdict
}

const (
	gather   = 100 * time.Millisecond // requests this close together are one
	patience = 20 * time.Second       // how long a verification waits for requests to cease
	interval = 30 * time.Minute       // between verifications that nobody asked for
	brief    = 500 * time.Millisecond // a verification that may follow the last at once
	idle     = 9                      // times the length of a longer one before the next
)

func (v *Verifier) init() {
	v.once.Do(func() { v.ask, v.verdicts = make(chan struct{}, 1), map[string]Verdict{} })
}

// Ask asks for a verification; it returns at once.
func (v *Verifier) Ask() {
	v.init()
	select {
	case v.ask <- struct{}{}:
	default:
	}
}

// Of is the last verdict on a tenant in that generation.
func (v *Verifier) Of(tenant string, generation int64) (Verdict, bool) {
	v.init()
	v.mu.Lock()
	defer v.mu.Unlock()
	verdict, ok := v.verdicts[tenant]
	return verdict, ok && verdict.Generation == generation
}

// NeedLeaderElection keeps replicas that stand by from verifying.
func (v *Verifier) NeedLeaderElection() bool { return true }

// Start verifies until the context ends.
func (v *Verifier) Start(ctx context.Context) error {
	v.init()
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.ask:
		case <-timer.C:
		}
		v.await(ctx)
		began := time.Now()
		verdicts, err := v.Verify(ctx)
		if err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "verify the cluster")
		}
		if err == nil {
			v.keep(verdicts)
		}
		if took := time.Since(began); took > brief {
			pause(ctx, idle*took)
			debug.FreeOSMemory() // the picture of a large cluster is the most there ever is
		}
		timer.Reset(interval)
	}
}

// await waits until nobody asks any more, as long as its patience lasts: while many tenants
// are brought up, each would be verified for nothing.
func (v *Verifier) await(ctx context.Context) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	quiet := time.NewTimer(gather)
	defer quiet.Stop()
	for {
		select {
		case <-v.ask:
			quiet.Reset(gather)
			continue
		case <-quiet.C:
		case <-deadline.C:
		case <-ctx.Done():
		}
		return
	}
}

// keep remembers verdicts; one that says the same as before keeps its time.
func (v *Verifier) keep(fresh map[string]Verdict) {
	v.mu.Lock()
	var changed []string
	now := time.Now()
	for name, verdict := range fresh {
		old, ok := v.verdicts[name]
		if ok && old.GuaranteeCount == verdict.GuaranteeCount && old.Generation == verdict.Generation {
			continue
		}
		verdict.At = now
		v.verdicts[name] = verdict
		changed = append(changed, name)
	}
	for name := range v.verdicts {
		if _, ok := fresh[name]; !ok {
			delete(v.verdicts, name)
		}
	}
	v.mu.Unlock()
	if v.Changed != nil && len(changed) > 0 {
		v.Changed(changed)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// All is the last verdict on every tenant.
func (v *Verifier) All() map[string]Verdict {
	v.init()
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.verdicts)
}
