package compile

import (
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Shares is the part of a budget that each namespace has, by its name inside the tenant.
type Shares map[string]corev1.ResourceList

// Usage is what a namespace's ResourceQuota says now.
type Usage struct {
	// Exists is false while the namespace has no quota yet; it then has nothing.
	Exists bool
	// Spec is what the quota asks for, Hard what admission enforces (status.hard), Used
	// what is counted against it (status.used).
	Spec, Hard, Used corev1.ResourceList
	// Demand is what was asked for in vain, on top of Used.
	Demand corev1.ResourceList
}

// Move is the next step towards a fair split of a budget.
type Move struct {
	// Shares are what the quotas are to say next.
	Shares Shares
	// Settled is true when this is the fair split and admission enforces it everywhere.
	Settled bool
	// Over are the resources of which more is used than the budget has; they cannot
	// shrink until something is deleted.
	Over []corev1.ResourceName
}

// Split divides a budget evenly; the first namespace gets the remainders.
func Split(budget corev1.ResourceList, namespaces []string) Shares {
	usage := map[string]Usage{}
	for _, n := range namespaces {
		usage[n] = Usage{}
	}
	shares, _ := fair(budget, namespaces, usage)
	return shares
}

// Rebalance plans one step of moving a budget between namespaces. At every moment, also
// between the writes of one step and whatever stops them half-way, the sum of what
// admission may enforce stays within the budget: quotas that shrink are written first;
// only when status.hard shows every quota as it was written do the others grow. What is
// used by then is part of the plan, which is made anew on every step. A split that covers everybody's need is left alone, so that nothing moves
// without a reason.
func Rebalance(budget corev1.ResourceList, namespaces []string, usage map[string]Usage) Move {
	target, over := fair(budget, namespaces, usage)
	move := Move{Shares: Shares{}, Over: over}
	shrinking, pending := false, false
	for _, n := range namespaces {
		u := usage[n]
		next := lowered(u, target[n])
		move.Shares[n] = next
		if !u.Exists {
			continue
		}
		shrinking = shrinking || !sameList(next, u.Spec)
		pending = pending || !sameList(u.Hard, u.Spec)
	}
	if anyExists(usage, namespaces) && (shrinking || pending) {
		return move
	}
	move.Settled = true
	for _, n := range namespaces {
		move.Settled = move.Settled && usage[n].Exists && sameList(usage[n].Spec, target[n])
	}
	move.Shares = target
	return move
}

// lowered is the quota before anything may grow: the smaller of now and then for each
// resource of the target. A quota that does not exist yet has nothing.
func lowered(u Usage, target corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{}
	for name, q := range target {
		now, bounded := u.Spec[name]
		switch {
		case !u.Exists:
			q = *resource.NewQuantity(0, q.Format)
		case bounded && now.Cmp(q) < 0:
			q = now
		}
		out[name] = q
	}
	return out
}

// fair is the split that covers what each namespace uses and wants, and divides the rest
// evenly. Per resource, it keeps the present split if that adds up and covers the need.
func fair(budget corev1.ResourceList, namespaces []string, usage map[string]Usage) (Shares, []corev1.ResourceName) {
	shares := Shares{}
	for _, n := range namespaces {
		shares[n] = corev1.ResourceList{}
	}
	var over []corev1.ResourceName
	for _, name := range slices.Sorted(maps.Keys(budget)) {
		total := budget[name]
		values, fitsBudget := divide(name, total, namespaces, usage)
		if !fitsBudget {
			over = append(over, name)
		}
		for i, n := range namespaces {
			shares[n][name] = quantity(name, values[i], total.Format)
		}
	}
	return shares, over
}

// divide splits one resource, in its unit; false when more is used than there is.
func divide(name corev1.ResourceName, total resource.Quantity, namespaces []string, usage map[string]Usage) ([]int64, bool) {
	used, need, now := make([]int64, len(namespaces)), make([]int64, len(namespaces)), make([]int64, len(namespaces))
	var sumUsed, sumNeed, sumNow int64
	covered := true
	for i, n := range namespaces {
		u := usage[n]
		used[i] = value(name, u.Used[name])
		need[i] = used[i] + min(max(0, value(name, u.Demand[name])), value(name, total))
		now[i] = value(name, u.Spec[name])
		covered = covered && u.Exists && now[i] >= need[i]
		sumUsed, sumNeed, sumNow = sumUsed+used[i], sumNeed+need[i], sumNow+now[i]
	}
	all := value(name, total)
	switch {
	case covered && sumNow == all:
		return now, true
	case sumUsed > all:
		return used, false
	case sumNeed > all: // not everybody can have what they want
		return spread(used, all-sumUsed, unit(name, all-sumUsed, len(used))), true
	default:
		return spread(need, all-sumNeed, unit(name, all-sumNeed, len(need))), true
	}
}

// spread adds rest evenly to base, in steps of unit; the first gets what is left over.
func spread(base []int64, rest, unit int64) []int64 {
	out := slices.Clone(base)
	each := rest / int64(len(out)) / unit * unit
	for i := range out {
		out[i] += each
	}
	out[0] += rest - each*int64(len(out))
	return out
}

// unit is the step in which a resource is divided: mebibytes where there are enough of
// them, so that quotas stay readable.
func unit(name corev1.ResourceName, rest int64, namespaces int) int64 {
	bytes := strings.Contains(string(name), "memory") || strings.Contains(string(name), "storage")
	if bytes && rest >= int64(namespaces)<<20 {
		return 1 << 20
	}
	return 1
}

// value is a quantity in the unit in which a resource is divided: thousandths for cpu,
// whole bytes or objects for the rest.
func value(name corev1.ResourceName, q resource.Quantity) int64 {
	if isCPU(name) {
		return min(q.MilliValue(), mostValue)
	}
	return min(q.Value(), mostValue)
}

// mostValue is more than anybody has, and so little that the sums over a tenant's 32
// namespaces do not wrap round.
const mostValue = math.MaxInt64 / 128

func quantity(name corev1.ResourceName, v int64, format resource.Format) resource.Quantity {
	if isCPU(name) {
		return *resource.NewMilliQuantity(v, resource.DecimalSI)
	}
	return *resource.NewQuantity(v, format)
}

func isCPU(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceRequestsCPU || name == corev1.ResourceLimitsCPU
}

func sameList(a, b corev1.ResourceList) bool {
	return maps.EqualFunc(a, b, func(x, y resource.Quantity) bool { return x.Cmp(y) == 0 })
}

func anyExists(usage map[string]Usage, namespaces []string) bool {
	return slices.ContainsFunc(namespaces, func(n string) bool { return usage[n].Exists })
}
