// Package load fills snapshots: from a live API server, from a folder of manifests, from
// a saved bundle or from objects at hand. What it cannot read becomes a Problem of the
// snapshot, and the rest is still loaded; only a source that yields nothing at all is an
// error. It writes nothing but bundles, and judges nothing.
package load

import (
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/snapshot"
)

// scheme knows the built-in kinds and ours.
var scheme = newScheme()

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientscheme.AddToScheme(s))
	utilruntime.Must(v1alpha1.AddToScheme(s))
	return s
}

// Objects makes a snapshot of objects at hand.
func Objects(objects ...runtime.Object) *snapshot.Snapshot {
	return new(snapshot.Snapshot).With(objects...)
}
