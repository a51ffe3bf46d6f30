package netreach

import (
	"slices"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/guarantee"
)

// judgeFlows holds all traffic between pods against the declarations: between tenants
// (NET-1), inside a tenant (NET-3), with namespaces of no tenant (NET-4). Each end is
// judged by what its own tenant declares.
func (j *judge) judgeFlows() {
	j.engine.Flows(func(f engine.Flow) bool {
		to, from := j.crowd(f.To), j.crowd(f.From)
		except := map[*engine.Class]bool{}
		for _, g := range f.Except {
			for _, c := range g.Classes {
				except[c] = true
			}
		}
		for _, tenant := range from.tenants {
			for _, src := range from.classes[tenant] {
				j.judgeEnd(ends{rules.Egress, src, to, except, f.Reach})
			}
		}
		for _, tenant := range to.tenants {
			for _, dst := range to.classes[tenant] {
				if !except[dst] {
					j.judgeEnd(ends{rules.Ingress, dst, from, nil, f.Reach})
				}
			}
		}
		return true
	})
}

// ends are a tenant's class and a crowd that it has traffic with, seen from the class.
type ends struct {
	dir    rules.Direction
	near   *engine.Class
	far    *crowd
	except map[*engine.Class]bool
	reach  engine.Reach
}

// crowd is a crowd sorted by tenant.
type crowd struct {
	// tenants in order, without "".
	tenants []string
	// classes by tenant; strangers, those of no tenant, are under "".
	classes map[string][]*engine.Class
	spaces  map[string]int // namespaces by tenant
	total   int            // namespaces of tenants
}

func (j *judge) crowd(c *engine.Crowd) *crowd {
	if known, ok := j.crowds[c]; ok {
		return known
	}
	out := &crowd{classes: map[string][]*engine.Class{}, spaces: map[string]int{}}
	for _, g := range c.Groups {
		for _, class := range g.Classes {
			t := class.Tenant()
			if _, ok := out.classes[t]; !ok && t != "" {
				out.tenants = append(out.tenants, t)
			}
			out.classes[t] = append(out.classes[t], class)
		}
	}
	slices.Sort(out.tenants)
	for t, list := range out.classes {
		seen := map[string]bool{}
		for _, class := range list {
			seen[class.Namespace()] = true
		}
		if out.spaces[t] = len(seen); t != "" {
			out.total += len(seen)
		}
	}
	j.crowds[c] = out
	return out
}

// judgeEnd judges the traffic of a tenant's class with a crowd.
func (j *judge) judgeEnd(x ends) {
	tenant := x.near.Tenant()
	d := j.declarations[tenant]
	if d == nil {
		return
	}
	if x.dir == rules.Ingress { // inside a tenant both ends are its own: the receiving one is charged
		for _, far := range x.far.classes[tenant] {
			if far.Namespace() != x.near.Namespace() {
				j.judgeOne(x, far, guarantee.NET3)
			}
		}
	}
	declared := d.partners(x.dir)
	for partner := range declared.tenants {
		for _, far := range x.far.classes[partner] {
			if partner != tenant {
				j.judgeOne(x, far, guarantee.NET1)
			}
		}
	}
	for _, far := range x.far.classes[""] {
		if declared.namespaces[far.Namespace()] {
			j.judgeOne(x, far, guarantee.NET4)
		}
	}
	j.judgeUndeclared(x, declared)
}

// judgeOne judges a pair of classes that the declaration may have to do with.
func (j *judge) judgeOne(x ends, far *engine.Class, id guarantee.ID) {
	if x.except[far] {
		return
	}
	src, dst := x.near, far
	if x.dir == rules.Ingress {
		src, dst = far, x.near
	}
	declared := j.declarations[x.near.Tenant()].between(src, dst)
	j.charge(offence{id: id, dir: x.dir, near: x.near, far: far}, x.reach, declared)
}

// enough says after how many far ends in a row that told nothing new the others of a class
// are passed over: an open cluster has as many as it has pairs. A class that no policy
// isolates has but one cause for all of them; another may have as many as it has rules.
const (
	enough         = 8
	enoughIsolated = 32
)

// charged counts the far ends of a class that told nothing new.
type charged struct {
	near *engine.Class
	dir  rules.Direction
	id   guarantee.ID
}

// saturated reports whether a class has been charged enough.
func (j *judge) saturated(near *engine.Class, dir rules.Direction, id guarantee.ID) bool {
	n := j.charges[charged{near, dir, id}]
	return n >= enoughIsolated || n >= enough && !near.Isolated(dir)
}

// charge charges what is open and not declared: what surely is, and what perhaps is.
func (j *judge) charge(o offence, open engine.Reach, declared netset.Ports) {
	if j.saturated(o.near, o.dir, o.id) {
		return
	}
	if open.Sure.Equal(open.Possible) && open.Sure.Minus(declared).Empty() {
		return
	}
	known := len(j.culprits.list)
	defer func() {
		key := charged{o.near, o.dir, o.id}
		if j.charges[key]++; len(j.culprits.list) > known {
			j.charges[key] = 0
		}
	}()
	o.tenant = o.near.Tenant()
	var spare func(engine.Cause) bool
	if o.id == guarantee.NET4 && o.dir == rules.Ingress || o.id == guarantee.NET8 {
		spare = j.saidByFloor // what NET-5 names, as a missing default deny or a rule, is said
	}
	o.sure, o.ports = true, open.Sure.Minus(declared)
	if !o.ports.Empty() {
		j.culprits.charge(j.engine, o, spare)
	}
	o.sure, o.ports = false, open.Possible.Minus(open.Sure).Minus(declared)
	if !o.ports.Empty() {
		j.culprits.charge(j.engine, o, spare)
	}
}

// judgeUndeclared charges the rest of a crowd at once: those that the declaration has
// nothing to do with.
func (j *judge) judgeUndeclared(x ends, declared partners) {
	tenant := x.near.Tenant()
	if j.saturated(x.near, x.dir, guarantee.NET1) && (len(x.far.classes[""]) == 0 || j.saturated(x.near, x.dir, guarantee.NET4)) {
		return
	}
	foreign := j.some(x, func(yield func(*engine.Class) bool) {
		for _, t := range x.far.tenants {
			if t == tenant || declared.tenants[t] {
				continue
			}
			for _, far := range x.far.classes[t] {
				if !yield(far) {
					return
				}
			}
		}
	})
	if len(foreign) > 0 {
		count := x.far.total - x.far.spaces[tenant]
		for t := range declared.tenants {
			if t != tenant {
				count -= x.far.spaces[t]
			}
		}
		j.charge(offence{id: guarantee.NET1, dir: x.dir, near: x.near, far: foreign[0], more: foreign[1:], count: count}, x.reach, netset.Ports{})
	}
	strangers := j.some(x, func(yield func(*engine.Class) bool) {
		for _, far := range x.far.classes[""] {
			if !declared.namespaces[far.Namespace()] && !(far.HostNetwork && x.dir == rules.Ingress) && !yield(far) {
				return
			}
		}
	})
	if len(strangers) > 0 {
		j.charge(offence{id: guarantee.NET4, dir: x.dir, near: x.near, far: strangers[0], more: strangers[1:], count: x.far.spaces[""]}, x.reach, netset.Ports{})
	}
}

// mostNamed is how many far ends a finding names.
const mostNamed = 4

// some are the first few of the far classes, one of each namespace.
func (j *judge) some(x ends, far func(func(*engine.Class) bool)) []*engine.Class {
	var out []*engine.Class
	far(func(c *engine.Class) bool {
		if !x.except[c] && !slices.ContainsFunc(out, func(o *engine.Class) bool { return o.Namespace() == c.Namespace() }) {
			out = append(out, c)
		}
		return len(out) <= mostNamed
	})
	return out
}

// judgeOutside holds traffic with addresses outside the cluster against the
// declarations (NET-4).
func (j *judge) judgeOutside() {
	for _, c := range j.engine.Classes() {
		d := j.declarations[c.Tenant()]
		if d == nil {
			continue
		}
		for _, dir := range []rules.Direction{rules.Egress, rules.Ingress} {
			j.outside(c, dir, d)
		}
	}
}

func (j *judge) outside(c *engine.Class, dir rules.Direction, d *declaration) {
	var sure, perhaps []netset.AddressPorts
	for _, a := range j.engine.Outside(dir, c) {
		sure = append(sure, netset.AddressPorts{Addresses: a.Addresses, Ports: a.Sure})
		if rest := a.Possible.Minus(a.Sure); !rest.Empty() {
			perhaps = append(perhaps, netset.AddressPorts{Addresses: a.Addresses, Ports: rest})
		}
	}
	var spare func(engine.Cause) bool
	if dir == rules.Ingress {
		spare = j.saidByFloor
	}
	for i, list := range [][]netset.AddressPorts{sure, perhaps} {
		if len(list) == 0 {
			continue
		}
		for _, bad := range netset.Subtract(list, d.outside(dir, c)) {
			o := offence{id: guarantee.NET4, tenant: c.Tenant(), dir: dir, near: c, addresses: bad.Addresses, ports: bad.Ports, sure: i == 0}
			j.culprits.charge(j.engine, o, spare)
		}
	}
}

// judgeLatent looks for allows between namespaces whose other half is missing, so that
// nothing passes yet (NET-8). Rules that NET-5 names are left to it.
func (j *judge) judgeLatent() {
	skip := func(p *rules.Policy, r *rules.Rule) bool { return p.Tier != rules.TierNamespace || j.reopening[r] }
	for _, c := range j.engine.Classes() {
		if j.declarations[c.Tenant()] == nil {
			continue
		}
		for _, dir := range []rules.Direction{rules.Ingress, rules.Egress} {
			j.engine.Named(dir, c, skip, func(far *engine.Class) bool {
				j.latent(c, far, dir)
				return true
			})
		}
	}
}

func (j *judge) latent(c, other *engine.Class, dir rules.Direction) {
	if other.Tenant() == "" || other.Namespace() == c.Namespace() {
		return
	}
	src, dst := other, c
	if dir == rules.Egress {
		src, dst = c, other
	}
	declared := j.between(src.Tenant(), src, dst).Intersect(j.between(dst.Tenant(), src, dst))
	mine, theirs := j.engine.Side(dir, c, other), j.engine.Side(1-dir, other, c)
	half := engine.Reach{Sure: mine.Sure.Minus(theirs.Possible), Possible: mine.Possible.Minus(theirs.Possible)}
	j.charge(offence{id: guarantee.NET8, dir: dir, near: c, far: other}, half, declared)
}

// between is what a tenant declares from src to dst.
func (j *judge) between(tenant string, src, dst *engine.Class) netset.Ports {
	return j.declarations[tenant].between(src, dst)
}

// saidByFloor reports whether NET-5 names a cause: a missing default deny, or a rule.
func (j *judge) saidByFloor(why engine.Cause) bool {
	return why.Policy == nil || j.reopening[why.Rule]
}
