package services

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot/load"
)

// TestShopsHold proves that the benchmark's clusters are what they should be.
func TestShopsHold(t *testing.T) {
	for _, f := range Run(shops(20)) {
		if f.Verdict != guarantee.Holds {
			t.Errorf("%s: %s", f.Tenant, f.Message)
		}
	}
}

// TestGiantList: ten thousand wrong host names of one object are one mistake, and how
// many they are is said.
func TestGiantList(t *testing.T) {
	g := &networkingv1.Ingress{ObjectMeta: named("t0-n0", "giant")}
	for i := range 10000 {
		g.Spec.Rules = append(g.Spec.Rules, networkingv1.IngressRule{Host: fmt.Sprintf("h%d.%s", i, strings.Repeat("x", 1000))})
	}
	var broken int
	var said string
	for _, f := range Run(shops(1).With(g)) {
		if f.Verdict == guarantee.Broken {
			broken++
			said += f.Message + "\n"
		}
	}
	if broken != mostNotes+1 || !strings.Contains(said, "9992 more places") || len(said) > 10000 {
		t.Errorf("%d findings of %d characters: %.300s", broken, len(said), said)
	}
}

// TestManyClaims: as many tenants as one likes may claim one host; each is charged once.
func TestManyClaims(t *testing.T) {
	const tenants = 300
	s := shops(tenants)
	class := &v1alpha1.TenantClass{ObjectMeta: named("", "c")}
	class.Spec.Network.Hostnames = []string{"*.example"}
	class.Spec.Network.ServiceTypes = []corev1.ServiceType{corev1.ServiceTypeNodePort}
	s = s.With(class)
	for i := range tenants {
		g := &networkingv1.Ingress{ObjectMeta: named(fmt.Sprintf("t%d-n0", i), "same")}
		g.Spec.Rules = []networkingv1.IngressRule{{Host: "same.example"}}
		s.Ingresses = append(s.Ingresses, g)
	}
	s = s.With()
	broken := 0
	for _, f := range Run(s) {
		if f.Verdict == guarantee.Broken && f.Reason == hostnameConflict.ID {
			broken++
		}
	}
	if broken != tenants {
		t.Errorf("%d tenants are charged", broken)
	}
}

// FuzzGateway: whatever an object of the Gateway API holds, it is judged or doubted.
func FuzzGateway(f *testing.F) {
	f.Add("Gateway", `{"listeners":[{"hostname":7,"allowedRoutes":{"namespaces":{"from":"Selector","selector":{"matchLabels":[]}}}}]}`)
	f.Add("HTTPRoute", `{"parentRefs":[{}],"hostnames":[""],"rules":[{"matches":[{"path":{"value":"///"}}],"filters":[{"requestMirror":[]}]}]}`)
	f.Add("ReferenceGrant", `{"from":[{"namespace":""}],"to":[null]}`)
	f.Add("ListenerSet", `{"parentRef":{"name":"edge","namespace":"infra"},"listeners":{}}`)
	base := shops(2)
	f.Fuzz(func(t *testing.T, kind, spec string) {
		var read any
		if json.Unmarshal([]byte(spec), &read) != nil {
			return
		}
		o := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": map[string]any{"namespace": "t0-n0", "name": "x"}, "spec": read,
		}}
		s := base.With(o)
		if len(Run(s)) < 2 {
			t.Error("a tenant without a finding")
		}
		Roads(s, func(analyze.Edge) bool { return true })
	})
}

func BenchmarkRun(b *testing.B) {
	for _, tenants := range []int{250, 1000, 4000} {
		s := shops(tenants)
		s.NamespaceNames()
		b.Run(fmt.Sprint(tenants), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := len(Run(s)); got != tenants {
					b.Fatalf("%d findings", got)
				}
			}
		})
	}
}

func BenchmarkRoads(b *testing.B) {
	for _, tenants := range []int{1000, 4000} {
		s := shops(tenants)
		s.NamespaceNames()
		b.Run(fmt.Sprint(tenants), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				Roads(s, func(analyze.Edge) bool { n++; return true })
				if n != tenants*3*(1+3) {
					b.Fatalf("%d steps", n)
				}
			}
		})
	}
}

// TestRoadsOfNothing: an empty picture has no steps and no findings.
func TestRoadsOfNothing(t *testing.T) {
	Roads(load.Objects(), func(e analyze.Edge) bool { t.Errorf("%+v", e); return true })
	if got := Run(load.Objects()); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
