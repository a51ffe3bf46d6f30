package cilium

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	scenes = flag.Int("scenes", 300, "how many random clusters to ask about")
	seed   = flag.Uint64("seed", 1, "where the random clusters begin")
)

// mostUnknown is how many percent of the cells we may leave open: the random policies
// ask for far more of what nobody can tell (clusters' names, labels that are no part of
// identities, requests) than policies do. More would be silence instead of agreement.
const mostUnknown = 30

// enough differences are shown.
const enough = 5

// TestSecondOpinion asks Cilium and Watertight about random clusters. What is left out:
//
//   - named ports of SCTP: the look-up of Cilium's tests knows those of TCP and UDP only;
//   - a pod and itself, and pods on one node with one on that node's network: Cilium
//     decides that elsewhere;
//   - toServices of Services that exist: the agent resolves them before the policy engine
//     sees them, and we call them unknown;
//   - policies for nodes: nothing is asked about pods on the host's network but what the
//     other end says.
func TestSecondOpinion(t *testing.T) {
	var total tally
	wrong := 0
	for i := range uint64(*scenes) {
		s := dice{rand.New(rand.NewPCG(*seed, i))}.scene()
		got, differences, err := judge(s)
		if err != nil {
			t.Fatalf("scene %d: %v\n%s", i, err, s)
		}
		total.add(got)
		if len(differences) > 0 {
			t.Logf("scene %d: %s; making it smaller", i, differences[0])
			small := shrink(s, wrongAs(differences[0]))
			_, differences, _ = judge(small)
			t.Errorf("scene %d: %s\n\n%s", i, strings.Join(differences[:min(3, len(differences))], "\n"), small)
			if wrong++; wrong == enough {
				t.FailNow()
			}
		}
	}
	t.Logf("%d clusters, %d cells, Cilium allows %d%%, unknown to us %.1f%%, %d policies refused by both",
		*scenes, total.cells, 100*total.allowed/total.cells, 100*float64(total.unknown)/float64(total.cells), total.refused)
	if 100*total.unknown > mostUnknown*total.cells {
		t.Errorf("more than %d%% of the cells are unknown to us", mostUnknown)
	}
	if total.refused == 0 || total.allowed == 0 || total.allowed == total.cells {
		t.Error("the clusters are too much alike to prove anything")
	}
}

// wrongAs tells scenes that are judged wrong in the same way.
func wrongAs(difference string) func(scene) bool {
	kind := func(s string) string {
		for _, k := range []string{"Cilium denies what we allow", "Cilium allows what we deny", "Cilium refuses what we take", "we refuse what Cilium takes"} {
			if strings.Contains(s, k) {
				return k
			}
		}
		return s
	}
	return func(s scene) bool {
		_, differences, err := judge(s)
		return err == nil && len(differences) > 0 && kind(differences[0]) == kind(difference)
	}
}
