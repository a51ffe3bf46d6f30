package netreach

import (
	"maps"
	"slices"

	"watertight.dev/watertight/internal/guarantee"
)

// judgePairs holds all traffic between pods against the declarations: between tenants
// (NET-1), inside a tenant (NET-3), with namespaces of no tenant (NET-4).
func (j *judge) judgePairs() {
	j.reach.Pairs(func(src, dst *Class, open Ports) bool {
		switch {
		case src.Namespace == dst.Namespace || src.Tenant == "" && dst.Tenant == "":
		case src.Tenant == dst.Tenant:
			if bad := open.Minus(j.between(src.Tenant, src, dst)); !bad.Empty() {
				j.culprits.charge(offence{id: guarantee.NET3, tenant: dst.Tenant, dir: ingress, near: dst, far: src, ports: bad}, nil)
			}
		case src.Tenant == "":
			j.judgeStrangerIn(src, dst, open)
		case dst.Tenant == "":
			if bad := open.Minus(j.between(src.Tenant, src, dst)); !bad.Empty() {
				j.culprits.charge(offence{id: guarantee.NET4, tenant: src.Tenant, dir: egress, near: src, far: dst, ports: bad}, nil)
			}
		default:
			j.judgeTenants(src, dst, open)
		}
		return true
	})
}

// judgeTenants charges whichever side has not declared what is open between two tenants.
func (j *judge) judgeTenants(src, dst *Class, open Ports) {
	if bad := open.Minus(j.between(src.Tenant, src, dst)); !bad.Empty() {
		j.culprits.charge(offence{id: guarantee.NET1, tenant: src.Tenant, dir: egress, near: src, far: dst, ports: bad}, nil)
	}
	if bad := open.Minus(j.between(dst.Tenant, src, dst)); !bad.Empty() {
		j.culprits.charge(offence{id: guarantee.NET1, tenant: dst.Tenant, dir: ingress, near: dst, far: src, ports: bad}, nil)
	}
}

// judgeStrangerIn charges what a tenant admits from namespaces of no tenant. Where that
// is for want of a default deny, or by a rule that reopens it, NET-5 says so already.
func (j *judge) judgeStrangerIn(src, dst *Class, open Ports) {
	bad := open.Minus(j.between(dst.Tenant, src, dst))
	if bad.Empty() {
		return
	}
	j.culprits.charge(offence{id: guarantee.NET4, tenant: dst.Tenant, dir: ingress, near: dst, far: src, ports: bad}, j.saidByFloor)
}

// judgeOutside holds traffic with addresses outside the cluster against the
// declarations (NET-4).
func (j *judge) judgeOutside() {
	for _, c := range j.reach.Classes {
		d := j.declarations[c.Tenant]
		if d == nil {
			continue
		}
		for _, bad := range subtract(c.addressGrants(egress), d.outside(egress, c)) {
			j.culprits.charge(offence{id: guarantee.NET4, tenant: c.Tenant, dir: egress, near: c, addresses: bad.Addresses, ports: bad.Ports}, nil)
		}
		for _, bad := range subtract(c.addressGrants(ingress), d.outside(ingress, c)) {
			j.culprits.charge(offence{id: guarantee.NET4, tenant: c.Tenant, dir: ingress, near: c, addresses: bad.Addresses, ports: bad.Ports}, j.saidByFloor)
		}
	}
}

// judgeLatent looks for allows between namespaces whose other half is missing, so that
// nothing passes yet (NET-8). Rules that NET-5 names are left to it.
func (j *judge) judgeLatent() {
	for _, c := range j.reach.Classes {
		if j.declarations[c.Tenant] == nil {
			continue
		}
		for _, d := range []direction{ingress, egress} {
			j.latentOf(c, d)
		}
	}
}

func (j *judge) latentOf(c *Class, d direction) {
	for _, id := range slices.Sorted(maps.Keys(c.grants[d].with)) {
		other, ports := j.reach.Classes[id], c.grants[d].with[id]
		if other.Tenant == "" || other.Namespace == c.Namespace {
			continue
		}
		src, dst := other, c
		if d == egress {
			src, dst = c, other
		}
		declared := j.between(src.Tenant, src, dst).Intersect(j.between(dst.Tenant, src, dst))
		latent := ports.Minus(other.grants[1-d].ports(c)).Minus(declared)
		if !latent.Empty() {
			j.culprits.charge(offence{id: guarantee.NET8, tenant: c.Tenant, dir: d, near: c, far: other, ports: latent}, j.saidByFloor)
		}
	}
}

// between is what a tenant declares from src to dst.
func (j *judge) between(tenant string, src, dst *Class) Ports {
	return j.declarations[tenant].between(src, dst)
}

// saidByFloor reports whether NET-5 names a cause: a missing default deny, or a rule.
func (j *judge) saidByFloor(why cause) bool {
	return why.policy == nil || j.reopening[ruleKey{why.policy.object.Namespace, why.policy.object.Name, why.rule}]
}
