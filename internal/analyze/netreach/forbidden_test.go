package netreach

import (
	"context"
	"slices"
	"testing"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// TestForbiddenKinds: where a kind may not be listed (403), what it would say is not known:
// no guarantee that it bears on holds, for any tenant, though all that was read is sound.
func TestForbiddenKinds(t *testing.T) {
	sound, err := load.Folder(context.Background(), "testdata/base.yaml")
	if err != nil {
		t.Fatal(err)
	}
	closed := []guarantee.ID{guarantee.NET1, guarantee.NET3, guarantee.NET4, guarantee.NET5, guarantee.NET8}
	if holding := holds(Run(sound)); len(holding) != 2*len(closed) {
		t.Fatalf("the base is not sound: %v hold", holding)
	}
	for _, kind := range []string{
		"Tenant", "TenantClass", "Namespace", "Pod", "NetworkPolicy", "ClusterNetworkPolicy", "AdminNetworkPolicy",
		"BaselineAdminNetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy",
	} {
		t.Run(kind, func(t *testing.T) {
			s := sound.WithProblems(snapshot.Problem{Source: kind, Kind: kind, Message: "may not be listed (403)"})
			if holding := holds(Run(s)); len(holding) > 0 {
				t.Errorf("%v hold", holding)
			}
		})
	}
	s := sound.WithProblems(snapshot.Problem{Source: "configmaps", Kind: "ConfigMap", Message: "may not be listed (403)"})
	if holding := holds(Run(s)); len(holding) != 2*len(closed) {
		t.Errorf("want of a kind that says nothing about traffic leaves only %v", holding)
	}
}

// holds lists what holds, and for whom.
func holds(findings []guarantee.Finding) (out []string) {
	for _, f := range findings {
		if f.Verdict == guarantee.Holds {
			out = append(out, f.Tenant+" "+string(f.Guarantee))
		}
	}
	slices.Sort(out)
	return out
}
