package verify

import "watertight.dev/watertight/internal/snapshot"

// Picture is the snapshot that Run judges: with AsIfApplied, manifests together with
// what compile makes of the Tenants among them.
func Picture(in Input) (*snapshot.Snapshot, error) {
	if !in.AsIfApplied {
		return in.Snapshot, nil
	}
	subjects, err := gather(in)
	if err != nil || !compiles(subjects) {
		return in.Snapshot, err
	}
	guards, err := installed(in.Snapshot, in.Capabilities)
	if err != nil {
		return nil, err
	}
	return in.Snapshot.With(applied(subjects, guards)...), nil
}
