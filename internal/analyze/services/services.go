// Package services looks for ways round the network policies: Services that reach past
// the cluster's edge or take others' addresses, endpoints at foreign pods, host names
// that belong to others. It does not follow a packet through a load balancer.
package services

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

var answered = []guarantee.ID{guarantee.NET2}

// Analyzer judges NET-2.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "services", Guarantees: slices.Clone(answered), Run: Run}
}

// judge is what the judgements of one tenant share.
type judge struct {
	snapshot   *snapshot.Snapshot
	tenant     string
	class      *v1alpha1.TenantClass
	namespaces []string
	ledger     *analyze.Ledger
	// places maps the addresses of pods to their namespaces.
	places map[string][]string
	seen   int
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	places := podPlaces(s)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := &judge{
			snapshot: s, tenant: t.Name, class: s.ClassOf(t), namespaces: s.NamespacesOf(t.Name),
			ledger: analyze.NewLedger(s, t.Name), places: places,
		}
		if j.class == nil {
			j.ledger.Doubt(guarantee.NET2, "ClassNotFound", fmt.Sprintf("TenantClass %s of tenant %s does not exist: which Service types and host names it may use is unknown; create it or correct spec.className", t.Spec.ClassName, t.Name),
				analyze.AboutTenant(s, t.Name, "spec.className", t.Spec.ClassName))
		}
		j.services()
		j.endpoints()
		j.slices()
		j.ingresses()
		j.routes()
		j.ledger.NeedsNamespaces(answered)
		j.ledger.Needs(answered, "Tenant", "TenantClass", "Service", "Pod", "Endpoints", "EndpointSlice", "Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute")
		j.ledger.Hold(guarantee.NET2, "NoWayRound", fmt.Sprintf("none of its %d Services, endpoints, Ingresses and routes reaches past the cluster's edge, takes a foreign address or claims a foreign host name", j.seen),
			analyze.AboutTenant(s, t.Name, "spec.namespaces", fmt.Sprintf("%d objects were judged in %s", j.seen, strings.Join(j.namespaces, ", "))))
		findings = append(findings, j.ledger.Close(answered)...)
	}
	return findings
}

func podPlaces(s *snapshot.Snapshot) map[string][]string {
	places := map[string][]string{}
	for _, p := range s.Pods {
		for _, ip := range append([]corev1.PodIP{{IP: p.Status.PodIP}}, p.Status.PodIPs...) {
			if ip.IP != "" && !slices.Contains(places[ip.IP], p.Namespace) {
				places[ip.IP] = append(places[ip.IP], p.Namespace)
			}
		}
	}
	return places
}

// mine reports whether an object is the tenant's, and counts it.
func (j *judge) mine(o snapshot.Object) bool {
	if !slices.Contains(j.namespaces, o.GetNamespace()) {
		return false
	}
	j.seen++
	return true
}

func (j *judge) broken(o snapshot.Object, reason, field, detail, remedy string) {
	j.ledger.Break(guarantee.NET2, reason, fmt.Sprintf("%s, %s, %s: %s", snapshot.KeyOf(o), field, detail, remedy),
		analyze.About(j.snapshot, o, field, detail))
}

// services judges types, external addresses and external names.
func (j *judge) services() {
	for _, s := range j.snapshot.Services {
		if !j.mine(s) {
			continue
		}
		if len(s.Spec.ExternalIPs) > 0 {
			j.broken(s, "ExternalIPs", "spec.externalIPs[0]", "takes traffic for address "+s.Spec.ExternalIPs[0]+" from the whole cluster", "remove spec.externalIPs")
		}
		switch s.Spec.Type {
		case corev1.ServiceTypeExternalName:
			j.broken(s, "ExternalName", "spec.externalName", "sends clients on to "+s.Spec.ExternalName, "name that host where it is used")
		case corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
			if j.class != nil && !slices.Contains(j.class.Spec.Network.ServiceTypes, s.Spec.Type) {
				j.broken(s, "ServiceTypeForbidden", "spec.type", fmt.Sprintf("is %s, which class %s does not allow", s.Spec.Type, j.class.Name), "make it ClusterIP")
			}
		}
	}
}
