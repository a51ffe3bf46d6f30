package reconcile

import (
	"github.com/prometheus/client_golang/prometheus"

	"watertight.dev/watertight/internal/reconcile/guard"
	"watertight.dev/watertight/internal/reconcile/verification"
)

// instruments are the operator's own metrics, beside controller-runtime's.
type instruments struct {
	keeper   *guard.Keeper
	verifier *verification.Verifier
	repaired *prometheus.CounterVec

	inForce    *prometheus.Desc
	guarantees *prometheus.Desc
}

func newInstruments(k *guard.Keeper, v *verification.Verifier) *instruments {
	return &instruments{
		keeper: k, verifier: v,
		repaired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "watertight_drift_repaired_total",
			Help: "Managed objects that somebody else had changed or removed and that were restored, by kind.",
		}, []string{"kind"}),
		inForce: prometheus.NewDesc("watertight_guards_in_force",
			"1 if every guard was seen to refuse since it was last written, 0 otherwise.", nil, nil),
		guarantees: prometheus.NewDesc("watertight_guarantees",
			"Guarantees of a tenant by the verdict of the last verification.", []string{"tenant", "verdict"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (i *instruments) Describe(out chan<- *prometheus.Desc) {
	out <- i.inForce
	out <- i.guarantees
	i.repaired.Describe(out)
}

// Collect implements prometheus.Collector.
func (i *instruments) Collect(out chan<- prometheus.Metric) {
	inForce := 0.0
	if ok, _ := i.keeper.InForce(); ok {
		inForce = 1
	}
	out <- prometheus.MustNewConstMetric(i.inForce, prometheus.GaugeValue, inForce)
	for name, v := range i.verifier.All() {
		for verdict, n := range map[string]int32{"holds": v.Holds, "broken": v.Broken, "unknown": v.Unknown} {
			out <- prometheus.MustNewConstMetric(i.guarantees, prometheus.GaugeValue, float64(n), name, verdict)
		}
	}
	i.repaired.Collect(out)
}
