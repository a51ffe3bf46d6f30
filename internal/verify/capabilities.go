package verify

import (
	"slices"

	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/snapshot"
)

// CapabilitiesOf is what a snapshot shows of its cluster. A folder shows none, so it is
// taken to be meant for a cluster that has what its classes ask for.
func CapabilitiesOf(s *snapshot.Snapshot) compile.Capabilities {
	c := compile.Capabilities{MutatingAdmissionPolicy: len(s.Missing("MutatingAdmissionPolicy")) == 0}
	for _, r := range s.RuntimeClasses {
		c.RuntimeClasses = append(c.RuntimeClasses, r.Name)
	}
	if s.Origin == snapshot.OriginFolder {
		for _, class := range s.TenantClasses {
			if name := compile.RuntimeClassName(class.Spec.Kernel); name != "" {
				c.RuntimeClasses = append(c.RuntimeClasses, name)
			}
		}
	}
	slices.Sort(c.RuntimeClasses)
	c.RuntimeClasses = slices.Compact(c.RuntimeClasses)
	for _, p := range s.PriorityClasses {
		if p.GlobalDefault {
			c.DefaultPriorityClass = p.Name
		}
	}
	return c
}
