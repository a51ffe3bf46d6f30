package devices

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// claimed judges the form of the devices that a pod gets by resource claims: of those
// that are allocated, else of those that the claim or its template asks for.
func (j *judge) claimed(p *corev1.Pod) {
	for i, r := range p.Spec.ResourceClaims {
		field := fmt.Sprintf("spec.resourceClaims[%d]", i)
		c := j.claimOf(p, r)
		if c == nil {
			for _, id := range []guarantee.ID{guarantee.GPU1, guarantee.GPU3} {
				j.ledger.Doubt(id, "ClaimNotSeen", fmt.Sprintf("%s uses a resource claim (%s) that is not in the picture: what it gives is unknown", name(p), r.Name),
					analyze.About(j.snapshot, p, field, "names a claim or template that is not there"))
			}
			continue
		}
		for _, q := range c.requests {
			j.asked++
			if k := j.claims.kind(q.class); len(c.results) == 0 || k != unknown {
				j.form(p, field, "a claim of DeviceClass "+q.class, k)
			}
		}
		for _, got := range c.results {
			if d, ok := j.claims.devices[got.device]; ok && d.kind != unknown {
				j.form(p, field, "device "+got.device, d.kind)
			} else if !j.classesKnown(c) {
				j.form(p, field, "device "+got.device, unknown)
			}
		}
	}
}

func (j *judge) classesKnown(c *claim) bool {
	for _, q := range c.requests {
		if j.claims.kind(q.class) == unknown {
			return false
		}
	}
	return true
}

// claimOf finds the claim that a pod uses: by name, by what its status says was made of
// the template, else the template.
func (j *judge) claimOf(p *corev1.Pod, r corev1.PodResourceClaim) *claim {
	for _, made := range p.Status.ResourceClaimStatuses {
		if made.Name == r.Name && made.ResourceClaimName != nil {
			if c := j.claims.byKey["ResourceClaim "+p.Namespace+"/"+*made.ResourceClaimName]; c != nil {
				return c
			}
		}
	}
	switch {
	case r.ResourceClaimName != nil:
		return j.claims.byKey["ResourceClaim "+p.Namespace+"/"+*r.ResourceClaimName]
	case r.ResourceClaimTemplateName != nil:
		return j.claims.byKey["ResourceClaimTemplate "+p.Namespace+"/"+*r.ResourceClaimTemplateName]
	}
	return nil
}

// sharedClaims judges GPU-1 for allocated devices: one that claims of two tenants hold,
// or that the driver gives to several claims at a time.
func (j *judge) sharedClaims() {
	for _, c := range j.claims.ordered {
		if j.snapshot.TenantOf(c.namespace) != j.tenant.Name {
			continue
		}
		about := func(field, detail string) guarantee.Evidence {
			return analyze.About(j.snapshot, c.object, field, detail)
		}
		if c.fault != "" {
			for _, id := range []guarantee.ID{guarantee.GPU1, guarantee.GPU3} {
				j.ledger.Doubt(id, "ClaimNotRead", fmt.Sprintf("%s %s/%s %s", c.object.GetKind(), c.namespace, c.object.GetName(), c.fault), about("", c.fault))
			}
		}
		for _, got := range c.results {
			if other := j.otherHolder(got.device); other != nil {
				j.ledger.Break(guarantee.GPU1, "DeviceShared", fmt.Sprintf("ResourceClaim %s/%s and %s/%s hold the same device %s: give each tenant its own", c.namespace, c.object.GetName(), other.namespace, other.object.GetName(), got.device),
					about(got.field, "is "+got.device), analyze.About(j.snapshot, other.object, "status.allocation", "holds "+got.device+" too"))
			} else if j.claims.devices[got.device].multiple {
				j.ledger.Doubt(guarantee.GPU1, "MayBeShared", fmt.Sprintf("ResourceClaim %s/%s holds a share of device %s, which its driver gives to several claims: no other tenant has one now, and nothing seen keeps it so", c.namespace, c.object.GetName(), got.device),
					about(got.field, "is "+got.device+", which allows multiple allocations"))
			}
		}
	}
}

// otherHolder is a claim outside the tenant that holds the device.
func (j *judge) otherHolder(device string) *claim {
	for _, c := range j.claims.ordered {
		if j.snapshot.TenantOf(c.namespace) == j.tenant.Name {
			continue
		}
		for _, got := range c.results {
			if got.device == device {
				return c
			}
		}
	}
	return nil
}
