// Package tenant reconciles a Tenant: it compiles it and brings the cluster to the
// result, step by step, so that after every single write the tenant is no more open than
// before or than asked. It writes managed objects through apply only.
package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"watertight.dev/watertight/internal/apply"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/reconcile/verification"
)

// Reconciler reconciles Tenants.
type Reconciler struct {
	// Writer writes and reads through the cache.
	Writer apply.Writer
	// Live reads past the cache, where a stale answer would do harm.
	Live client.Reader
	// Capabilities says what the cluster offers now.
	Capabilities func(context.Context) (compile.Capabilities, error)
	// GuardsTried says whether it is known yet if they are in force.
	GuardsTried func() bool
	// GuardsInForce says whether the guards were seen to refuse, and if not, why.
	GuardsInForce func() (bool, string)
	// Verdict is the last verification of a tenant in a generation, if there was one.
	Verdict func(tenant string, generation int64) (verification.Verdict, bool)
	// Verify asks for a verification, soon.
	Verify func()
	// Repaired is told the kind of an object that somebody else had changed.
	Repaired func(kind string)
	// Recorder records events.
	Recorder events.EventRecorder
}

// step does one part of a reconcile. It ends the reconcile early with a *stop or any
// other error; what it learned is in the state.
type step struct {
	name string
	run  func(*Reconciler, context.Context, *state) error
}

// steps in their order: guards before namespaces, what restricts before what grants, the
// seal lifted last.
var steps = []step{
	{"finalizer", (*Reconciler).ensureFinalizer},
	{"class", (*Reconciler).readClass},
	{"compile", (*Reconciler).compile},
	{"guards", (*Reconciler).awaitGuards},
	{"namespaces", (*Reconciler).ensureNamespaces},
	{"guarding", (*Reconciler).releaseGuards},
	{"restrict", (*Reconciler).applyRestrictions},
	{"budget", (*Reconciler).moveBudget},
	{"grant", (*Reconciler).applyGrants},
	{"prune", (*Reconciler).prune},
	{"retire", (*Reconciler).retireNamespaces},
	{"unseal", (*Reconciler).unseal},
}

// teardown is the reverse, for a Tenant that is being deleted.
var teardown = []step{
	{"confirm", (*Reconciler).confirmDeletion},
	{"seal", (*Reconciler).sealAll},
	{"revoke", (*Reconciler).revokeAccess},
	{"stop", (*Reconciler).stopWorkloads},
	{"guarding", (*Reconciler).releaseGuards},
	{"namespaces", (*Reconciler).deleteNamespaces},
	{"cluster objects", (*Reconciler).deleteClusterObjects},
	{"finalizer", (*Reconciler).removeFinalizer},
}

// stop ends a reconcile early for a reason that the status tells; it is no failure.
type stop struct {
	reason, message string
	// again is when to look once more without an event; zero is never.
	again time.Duration
}

func (s *stop) Error() string { return s.reason + ": " + s.message }

// Reconcile brings one tenant a step closer to what its spec says.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	st, err := r.gather(ctx, req.Name)
	if err != nil || st == nil {
		return reconcile.Result{}, err
	}
	list := steps
	if !st.tenant.DeletionTimestamp.IsZero() {
		list = teardown
	} else if !r.GuardsTried() {
		return reconcile.Result{}, nil // every tenant is looked at once they were
	}
	for _, s := range list {
		if err = s.run(r, ctx, st); err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
			break
		}
	}
	if statusErr := r.writeStatus(ctx, st, err); statusErr != nil {
		return reconcile.Result{}, errors.Join(err, statusErr)
	}
	if s := (*stop)(nil); errors.As(err, &s) {
		return reconcile.Result{RequeueAfter: s.again}, nil
	}
	if st.stale && err == nil {
		return reconcile.Result{RequeueAfter: staleDelay}, nil
	}
	return ctrl.Result{}, err
}

// staleDelay is when to look again at objects whose last write the cache has not shown.
const staleDelay = time.Second
