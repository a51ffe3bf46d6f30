package netreach

import (
	"testing"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/test/estate"
)

// TestOpenCluster judges a cluster in which half the tenants have no policy: each of those
// is told so, in a few findings.
func TestOpenCluster(t *testing.T) {
	const tenants = 400
	s := estate.New(estate.Options{Tenants: tenants, PodsPerNamespace: 2, Mistakes: 0.1, Open: 0.5, Seed: 1})
	broken := map[string]int{}
	for _, f := range Run(s) {
		if f.Guarantee == guarantee.NET1 && f.Verdict == guarantee.Broken {
			broken[f.Tenant]++
		}
	}
	if len(broken) < tenants/3 || len(broken) > 2*tenants/3 {
		t.Errorf("%d of %d tenants are open to each other, want about half", len(broken), tenants)
	}
	for tenant, n := range broken {
		if n > 30 {
			t.Errorf("tenant %s has %d findings about what is one mistake", tenant, n)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	for _, o := range []estate.Options{
		{Tenants: 1000, PodsPerNamespace: 3, Mistakes: 0.04}, {Tenants: 1000, PodsPerNamespace: 3, Mistakes: 0.04, Open: 0.5},
		{Tenants: 10000, PodsPerNamespace: 4, Mistakes: 0.04, Open: 0.5},
	} {
		s := estate.New(o)
		s.NamespaceNames()
		name := "closed"
		if o.Open > 0 {
			name = "open"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Run(s)
			}
		})
	}
}
