package meshidentity

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/meshidentity/istio"
	"watertight.dev/watertight/internal/guarantee"
)

// strict judges IDN-1: every pod is in the mesh, and takes mutual TLS only.
func (j *judge) strict(pods []*corev1.Pod) {
	for _, g := range grouped(pods, func(p *corev1.Pod) string {
		tls := j.mesh.TLS(p)
		return fmt.Sprint(p.Namespace, j.mesh.Of(p), tls.Modes, tls.From, tls.Faults)
	}) {
		if j.outside(guarantee.IDN1, g, "it proves to nobody who it is") {
			continue
		}
		tls := j.mesh.TLS(g.first)
		for _, fault := range tls.Faults {
			j.ledger.Doubt(guarantee.IDN1, "PolicyNotUnderstood", fmt.Sprintf("the mutual TLS mode of %s is unknown: %s", g, fault), j.deciding(g.first, tls))
		}
		for _, port := range slices.Sorted(maps.Keys(tls.Modes)) {
			mode := tls.Modes[port]
			if mode == istio.Strict || len(tls.Faults) > 0 {
				continue
			}
			what := fmt.Sprintf("port %d", port)
			if port == istio.AnyPort {
				what = "every port that has no mode of its own"
			}
			if mode == istio.Uncaptured {
				j.ledger.Break(guarantee.IDN1, "PortNotCaptured", fmt.Sprintf("%s takes connections past its proxy on %s: remove the traffic.sidecar.istio.io annotations", g, what),
					analyze.About(j.snapshot, g.first, "metadata.annotations", "leave "+what+" to no proxy"))
				continue
			}
			j.ledger.Break(guarantee.IDN1, "NotStrict", fmt.Sprintf("%s takes plain text on %s (mode %s): set mtls.mode to STRICT for namespace %s and remove exceptions", g, what, mode, g.first.Namespace), j.deciding(g.first, tls))
		}
	}
}

// deciding is evidence about the narrowest policy that a mode comes from.
func (j *judge) deciding(p *corev1.Pod, tls istio.TLS) guarantee.Evidence {
	if len(tls.From) == 0 {
		return analyze.About(j.snapshot, p, "metadata.labels", "no PeerAuthentication is for it: the mesh's default is PERMISSIVE")
	}
	last := tls.From[len(tls.From)-1]
	return analyze.About(j.snapshot, last, "spec", "is the narrowest PeerAuthentication that counts")
}
