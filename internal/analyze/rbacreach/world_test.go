package rbacreach

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// fields splits a list; core is the empty group.
func fields(list string) []string {
	out := strings.Fields(list)
	for i, f := range out {
		if f == "core" {
			out[i] = ""
		}
	}
	return out
}

// tokenSecret is a Secret that holds the token of an account.
func tokenSecret(namespace, name, account string) runtime.Object {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}}
	u.SetName(name)
	u.SetNamespace(namespace)
	u.SetAnnotations(map[string]string{"kubernetes.io/service-account.name": account})
	return u
}

// reachable lists where an identity gets by steps that count, as the world has them.
func reachable(s *snapshot.Snapshot, from analyze.Place) map[analyze.Place]bool {
	bindings, roles := allBindings(s)
	w := newWorld(s, bindings, roles)
	out := map[analyze.Place]bool{}
	id, ok := w.number[from]
	if !ok {
		return out
	}
	out[from] = true
	queue := []placeID{id}
	for k := 0; k < len(queue); k++ {
		for _, a := range w.out[queue[k]] {
			if p := w.places[a.to]; !a.weak && !out[p] {
				out[p] = true
				queue = append(queue, a.to)
			}
		}
	}
	return out
}

func cluster(objects ...runtime.Object) *snapshot.Snapshot { return load.Objects(objects...) }
