package verify

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/snapshot"
)

// CapabilitiesOf is what the operator would read of the cluster, as far as it shows in
// its snapshot. A folder shows none, so it is taken to be meant for a cluster that has
// what its classes ask for.
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
	for _, n := range s.Nodes {
		c.ClusterCIDRs = append(c.ClusterCIDRs, compile.NodeCIDRs(n)...)
	}
	for _, r := range s.ServiceCIDRs {
		c.ClusterCIDRs = append(c.ClusterCIDRs, r.Spec.CIDRs...)
	}
	for _, class := range s.TenantClasses {
		c.PlatformNamespaces = append(c.PlatformNamespaces, compile.PlatformNamespaces(class)...)
	}
	for _, list := range []*[]string{&c.ClusterCIDRs, &c.PlatformNamespaces} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return c
}

// operatorOf is the username that the guards exempt: that of the binding that install
// makes, and by default the operator's ServiceAccount.
func operatorOf(s *snapshot.Snapshot) string {
	for _, b := range s.ClusterRoleBindings {
		if b.Name == compile.OperatorName && len(b.Subjects) == 1 && b.Subjects[0].Kind == rbacv1.UserKind {
			return b.Subjects[0].Name
		}
	}
	return v1alpha1.OperatorUser
}

// installed are the objects that all tenants share: the guards and what install makes.
func installed(s *snapshot.Snapshot, c compile.Capabilities) ([]compile.Object, error) {
	operator := operatorOf(s)
	guards, err := compile.Guards(c, operator)
	if err != nil {
		return nil, fmt.Errorf("build the guard policies: %w", err)
	}
	return append(compile.System(operator), guards...), nil
}
