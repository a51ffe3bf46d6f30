package analyze

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// About is evidence about an object: a field of it (may be empty) and the fact. A pod
// that was made up from a workload's template is named as that workload, with the path
// of the template before the field.
func About(s *snapshot.Snapshot, object snapshot.Object, field, detail string) guarantee.Evidence {
	key := snapshot.KeyOf(object)
	if pod, ok := object.(*corev1.Pod); ok {
		if _, path, made := snapshot.Template(pod); made && field != "" {
			field = path + "." + field
		}
	}
	return guarantee.Evidence{Object: ref(key), Field: field, Detail: detail, Source: s.Source(key)}
}

// AboutKey is evidence about an object of which only the name is at hand.
func AboutKey(s *snapshot.Snapshot, key snapshot.ObjectKey, field, detail string) guarantee.Evidence {
	return guarantee.Evidence{Object: ref(key), Field: field, Detail: detail, Source: s.Source(key)}
}

// AboutNamespace is evidence about a namespace, which need not be in the snapshot.
func AboutNamespace(s *snapshot.Snapshot, name, detail string) guarantee.Evidence {
	return AboutKey(s, snapshot.ObjectKey{Kind: "Namespace", Name: name}, "", detail)
}

// AboutTenant is evidence about a Tenant.
func AboutTenant(s *snapshot.Snapshot, name, field, detail string) guarantee.Evidence {
	return AboutKey(s, snapshot.ObjectKey{Group: "watertight.dev", Kind: "Tenant", Name: name}, field, detail)
}

// ref gives the version in which the snapshot holds a kind.
func ref(key snapshot.ObjectKey) guarantee.Ref {
	version := "v1"
	if key.Group == "watertight.dev" {
		version = "v1alpha1"
	}
	if key.Group != "" {
		version = key.Group + "/" + version
	}
	return guarantee.Ref{APIVersion: version, Kind: key.Kind, Namespace: key.Namespace, Name: cmp.Or(key.Name, "?")}
}
