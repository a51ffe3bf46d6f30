package verify

import (
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// index finds an object of a snapshot by its name.
type index map[snapshot.ObjectKey]snapshot.Object

func indexOf(s *snapshot.Snapshot) index {
	ix := index{}
	for _, k := range snapshot.Kinds() {
		for _, o := range k.Of(s) {
			ix[snapshot.ObjectKey{Group: k.Group, Kind: k.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}] = o
		}
	}
	for _, o := range s.Others {
		ix[snapshot.KeyOf(o)] = o
	}
	return ix
}

// refOf names a compiled object, whose TypeMeta is set.
func refOf(o compile.Object) (guarantee.Ref, snapshot.ObjectKey) {
	gvk := o.GetObjectKind().GroupVersionKind()
	return guarantee.Ref{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()},
		snapshot.ObjectKey{Group: gvk.Group, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}
