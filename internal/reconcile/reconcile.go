// Package reconcile runs the operator: one manager, its cache, and the list of
// controllers. What a controller does is in the package of its name.
package reconcile

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/apply"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/reconcile/capability"
	"watertight.dev/watertight/internal/reconcile/guard"
	"watertight.dev/watertight/internal/reconcile/tenant"
	"watertight.dev/watertight/internal/reconcile/verification"
)

// Options are the operator's settings.
type Options struct {
	// Operator is the username the operator has; the guards exempt it.
	Operator string
	// Workers is how many tenants are reconciled at once.
	Workers int
	// LeaderElection lets several replicas stand by.
	LeaderElection bool
	// MetricsAddress and HealthAddress are where /metrics, and /healthz and /readyz, are
	// served; "0" serves nothing.
	MetricsAddress, HealthAddress string
	// Analyzers predict what the tenants' status tells of guarantees; without any, it tells
	// nothing of them.
	Analyzers []analyze.Analyzer
	// Uncontested lets one process run several operators one after another (tests do):
	// metrics of the same controller name are then shared.
	Uncontested bool
}

// Scheme knows every kind the operator deals with.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(v1alpha1.AddToScheme(s))
	utilruntime.Must(policyv1alpha2.Install(s))
	return s
}

// New builds the operator. Start it with manager.Start.
func New(config *rest.Config, o Options) (manager.Manager, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the server's priority and fairness is the limit
	config.WarningHandler = rest.NoWarnings{}
	m, err := ctrl.NewManager(config, manager.Options{
		Scheme:                        Scheme(),
		Cache:                         cacheOptions(),
		Client:                        client.Options{Cache: &client.CacheOptions{Unstructured: false}},
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.HealthAddress,
		LeaderElection:                o.LeaderElection,
		LeaderElectionID:              "watertight-operator",
		LeaderElectionNamespace:       v1alpha1.SystemNamespace,
		LeaderElectionReleaseOnCancel: true,
		Controller:                    ctrlconfig.Controller{SkipNameValidation: &o.Uncontested},
	})
	if err != nil {
		return nil, fmt.Errorf("build manager: %w", err)
	}
	if err := index(m); err != nil {
		return nil, err
	}
	writer := apply.Writer{Client: m.GetClient(), Ledger: apply.NewLedger()}
	capabilities := func(ctx context.Context) (compile.Capabilities, error) { return capability.Read(ctx, m.GetClient()) }
	everyTenant := make(chan event.GenericEvent, 1)
	keeper := &guard.Keeper{
		Writer: writer, Config: config, Operator: o.Operator, Capabilities: capabilities,
		Changed: func() { announce(everyTenant) },
	}
	verified := make(chan event.GenericEvent, 64)
	verifier := newVerifier(o, config, verified)
	meters := newInstruments(keeper, verifier)
	if !o.Uncontested {
		metrics.Registry.MustRegister(meters)
	}
	reconciler := &tenant.Reconciler{
		Writer: writer, Live: m.GetAPIReader(), Capabilities: capabilities, GuardsTried: keeper.Tried, GuardsInForce: keeper.InForce,
		Verdict: verifier.Of, Verify: verifier.Ask,
		Repaired: func(kind string) { meters.repaired.WithLabelValues(kind).Inc() },
		Recorder: m.GetEventRecorder("watertight"),
	}
	controllers := []func() error{
		func() error { return setupGuard(m, keeper) },
		func() error { return setupTenant(m, reconciler, o.Workers, everyTenant, verified) },
		func() error { return m.Add(verifier) },
		func() error { return m.AddHealthzCheck("ping", healthz.Ping) },
		func() error { return m.AddReadyzCheck("guards", guardsReady(keeper)) },
	}
	for _, setup := range controllers {
		if err := setup(); err != nil {
			return nil, fmt.Errorf("set up controllers: %w", err)
		}
	}
	return m, nil
}

// newVerifier leads changed verdicts to their tenants.
func newVerifier(o Options, config *rest.Config, out chan<- event.GenericEvent) *verification.Verifier {
	v := &verification.Verifier{
		Verify: func(context.Context) (map[string]verification.Verdict, error) { return nil, nil },
		Changed: func(names []string) {
			for _, name := range names {
				out <- event.GenericEvent{Object: &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}}}
			}
		},
	}
	if len(o.Analyzers) > 0 {
		v.Verify = verification.Cluster(config, o.Analyzers)
	}
	return v
}

// announce leaves word that every tenant is to be looked at; one word is enough.
func announce(c chan<- event.GenericEvent) {
	select {
	case c <- event.GenericEvent{Object: &v1alpha1.Tenant{}}:
	default:
	}
}

// cacheOptions keeps in memory what is compared: the operator's own objects. Of others'
// it keeps only refusals for want of quota and what capabilities depend on.
func cacheOptions() cache.Options {
	ofTenants := cache.ByObject{Label: exists(v1alpha1.LabelTenant)}
	managed := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})}
	by := map[client.Object]cache.ByObject{
		&corev1.Namespace{}: ofTenants,
		&corev1.Node{}:      {Transform: onlyCIDRs},
		&corev1.Event{}:     refusals(),
	}
	for _, list := range tenant.Managed() {
		by[itemOf(list)] = ofTenants
	}
	for _, list := range guard.Managed() {
		by[itemOf(list)] = managed
	}
	return cache.Options{DefaultTransform: trim, ByObject: by}
}

func exists(key string) labels.Selector {
	r, err := labels.NewRequirement(key, selection.Exists, nil)
	utilruntime.Must(err)
	return labels.NewSelector().Add(*r)
}

// itemOf is an empty object of the kind that a list holds.
func itemOf(list client.ObjectList) client.Object {
	gvks, _, err := Scheme().ObjectKinds(list)
	utilruntime.Must(err)
	gvk := gvks[0]
	gvk.Kind = gvk.Kind[:len(gvk.Kind)-len("List")]
	o, err := Scheme().New(gvk)
	utilruntime.Must(err)
	object, _ := o.(client.Object)
	return object
}

// index lets the objects of one tenant be found without reading everybody's.
func index(m manager.Manager) error {
	byTenant := func(o client.Object) []string { return []string{o.GetLabels()[v1alpha1.LabelTenant]} }
	objects := []client.Object{&corev1.Namespace{}}
	for _, list := range tenant.Managed() {
		objects = append(objects, itemOf(list))
	}
	for _, o := range objects {
		if err := m.GetFieldIndexer().IndexField(context.Background(), o, tenant.IndexTenant, byTenant); err != nil {
			return fmt.Errorf("index %T: %w", o, err)
		}
	}
	return nil
}
