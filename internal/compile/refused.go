package compile

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Refused reads from the message of a refusal how much more a namespace asked for than
// its quota has: requested + used - limited, per resource. The message is the quota
// admission plugin's: "exceeded quota: watertight-budget, requested: pods=1, used:
// pods=20, limited: pods=20". Tenants can write such messages; all that gains them is a
// different split of their own budget. Other messages ask for nothing.
func Refused(message string) corev1.ResourceList {
	_, rest, ok := strings.Cut(message, "exceeded quota: "+QuotaName+", requested: ")
	if !ok || len(rest) > 4096 {
		return nil
	}
	requested, rest, ok1 := strings.Cut(rest, ", used: ")
	used, limited, ok2 := strings.Cut(rest, ", limited: ")
	if !ok1 || !ok2 {
		return nil
	}
	have, limit := quantities(used), quantities(limited)
	out := corev1.ResourceList{}
	for name, q := range quantities(requested) {
		q.Add(have[name])
		q.Sub(limit[name])
		if _, bounded := limit[name]; bounded && q.Sign() > 0 {
			// Room that is still free counts as demand too: the whole request must fit.
			free := limit[name].DeepCopy()
			free.Sub(have[name])
			if free.Sign() > 0 {
				q.Add(free)
			}
			out[name] = q
		}
	}
	return out
}

// quantities reads "pods=1,requests.cpu=500m"; what does not parse is left out.
func quantities(s string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, part := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			continue
		}
		if q, err := resource.ParseQuantity(value); err == nil {
			out[corev1.ResourceName(name)] = q
		}
	}
	return out
}
