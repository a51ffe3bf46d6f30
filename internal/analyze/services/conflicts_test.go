package services

import (
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// TestWinnerIsNamed: the message says who has a name, and only as much as is known: the
// Gateway API lets the older route win, of Ingresses that depends on the controller, and
// manifests have no age.
func TestWinnerIsNamed(t *testing.T) {
	at := func(o snapshot.Object, month time.Month) runtime.Object {
		o.SetCreationTimestamp(metav1.Date(2026, month, 1, 0, 0, 0, 0, time.UTC))
		return o
	}
	route := func(ns string) snapshot.Object {
		return gatewayAPI("HTTPRoute", ns, "x", map[string]any{
			"hostnames": []any{"same.example"}, "parentRefs": []any{map[string]any{"name": "edge", "namespace": "infra"}},
		})
	}
	ingress := func(ns string) snapshot.Object {
		g := &networkingv1.Ingress{ObjectMeta: named(ns, "x")}
		g.Spec.Rules = []networkingv1.IngressRule{{Host: "same.example"}}
		return g
	}
	class := &v1alpha1.TenantClass{ObjectMeta: named("", "c")}
	class.Spec.Network.Hostnames = []string{"*.example"}
	class.Spec.Network.ServiceTypes = shops(0).TenantClasses[0].Spec.Network.ServiceTypes
	for name, c := range map[string]struct {
		objects []runtime.Object
		tenants string
		says    string
	}{
		"routes":           {[]runtime.Object{at(route("t0-n0"), 2), at(route("t1-n0"), 1)}, "t0", "HTTPRoute t1-n0/x of tenant t1, created 2026-01-01T00:00:00Z, was first and wins;"},
		"Ingresses":        {[]runtime.Object{at(ingress("t0-n0"), 1), at(ingress("t1-n0"), 2)}, "t1", "Ingress t0-n0/x of tenant t0, created 2026-01-01T00:00:00Z, was first (ingress-nginx keeps the older; others may not);"},
		"of unknown age":   {[]runtime.Object{ingress("t0-n0"), at(ingress("t1-n0"), 2)}, "t0 t1", "cannot be told"},
		"of the platform":  {[]runtime.Object{at(ingress("infra"), 2), at(ingress("t1-n0"), 1)}, "t1", "Ingress infra/x of the platform has"},
		"one tenant's own": {[]runtime.Object{ingress("t0-n0"), ingress("t0-n1"), route("t0-n2")}, "", ""},
	} {
		var tenants []string
		for _, f := range Run(shops(2).With(append(c.objects, class)...)) {
			if f.Verdict != guarantee.Broken {
				continue
			}
			tenants = append(tenants, f.Tenant)
			if f.Reason != "HostnameConflict" || !strings.Contains(f.Message, c.says) || len(f.Evidence) != 2 {
				t.Errorf("%s: %s %s %+v", name, f.Reason, f.Message, f.Evidence)
			}
		}
		if got := strings.Join(tenants, " "); got != c.tenants {
			t.Errorf("%s: %q are charged", name, got)
		}
	}
}
