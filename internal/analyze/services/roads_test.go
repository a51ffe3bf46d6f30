package services

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot/load"
)

// TestRoads lists the steps of a small cluster: acme points endpoints at globex's pod and
// at a node, uses globex's grant, and shows its own pods to the outside.
func TestRoads(t *testing.T) {
	const file = "testdata/roads.yaml"
	s, err := load.Folder(t.Context(), file)
	if err != nil || len(s.Problems) > 0 {
		t.Fatal(err, s.Problems)
	}
	var got []string
	Roads(s, func(e analyze.Edge) bool {
		if !e.Weak || e.Guarantee != answered[0] || e.Reference == "" || e.Fix == "" || e.Effect != "sends packets to "+e.To.String() || e.Evidence.Object.Name == "" {
			t.Errorf("%+v", e)
		}
		got = append(got, e.From.String()+" -"+e.ID+"-> "+e.To.String())
		return true
	})
	want := strings.Split(strings.TrimSpace(`
Namespace acme-app -ForeignEndpoint-> Workload globex-app/web
Namespace acme-app -NodeEndpoint-> Node n1
Namespace acme-app -NodeEndpoint-> any Node
Network outside the cluster -ExposedOutside-> Network acme-app/Service web
Network acme-app/Service web -ExposedOutside-> Workload acme-app/shop
Namespace acme-app -ExternalName-> Network globex-app/Service db
Network globex-app/Service db -ExposedOutside-> Workload globex-app/db
Namespace acme-app -ForeignBackend-> Network globex-app/Service db
Network outside the cluster -HostPort-> Workload acme-app/shop
`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var some int
	Roads(s, func(analyze.Edge) bool { some++; return some < 2 })
	if some != 2 {
		t.Errorf("asked for 2 steps, got %d", some)
	}
}
