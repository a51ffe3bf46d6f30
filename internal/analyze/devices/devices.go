// Package devices asks whether accelerators keep tenants apart: whether a device is
// shared (GPU-1), taken past its allocation (GPU-2) or administered by a tenant (GPU-3),
// from pod specs, resource claims and what nodes say of themselves in labels. Whether a
// node really is partitioned (GPU-4) can only be observed.
package devices

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/nodesharing/placement"
	"watertight.dev/watertight/internal/analyze/podescape/sandbox"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{guarantee.GPU1, guarantee.GPU2, guarantee.GPU3}

// podKinds are the kinds without which the pods are not all known.
var podKinds = []string{
	"Tenant", "TenantClass", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job",
	"CronJob", "ReplicationController",
}

// Analyzer judges GPU-1, GPU-2 and GPU-3.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "devices", Guarantees: slices.Clone(answered), Run: Run}
}

// The ways a class lets accelerators be used; api/v1alpha1 names GPUNone only.
const (
	passthrough v1alpha1.GPU = "Passthrough"
	proxied     v1alpha1.GPU = "Proxied"
)

// world is what the judgements of all tenants share.
type world struct {
	snapshot  *snapshot.Snapshot
	nodes     *placement.Nodes
	sandboxes *sandbox.Sandboxes
	claims    *claims
	// users are the pods that ask for an extended resource, by its base name.
	users map[string][]*corev1.Pod
}

// judge is what the judgements of one tenant share.
type judge struct {
	*world
	tenant     *v1alpha1.Tenant
	class      *v1alpha1.TenantClass
	namespaces []string
	ledger     *analyze.Ledger
	pods       int
	asked      int
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	w := &world{snapshot: s, nodes: placement.In(s), sandboxes: sandbox.In(s), claims: claimsOf(s), users: map[string][]*corev1.Pod{}}
	for _, p := range s.Pods {
		for _, a := range asks(p) {
			w.users[base(a.resource)] = append(w.users[base(a.resource)], p)
		}
	}
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := &judge{world: w, tenant: t, class: s.ClassOf(t), namespaces: s.NamespacesOf(t.Name), ledger: analyze.NewLedger(s, t.Name)}
		switch {
		case j.class == nil:
			for _, id := range answered {
				j.ledger.Doubt(id, "ClassNotFound", fmt.Sprintf("TenantClass %s of tenant %s does not exist: create it or correct spec.className", t.Spec.ClassName, t.Name),
					analyze.AboutTenant(s, t.Name, "spec.className", t.Spec.ClassName))
			}
		case j.class.Spec.Device.GPU == "" || j.class.Spec.Device.GPU == v1alpha1.GPUNone:
			for _, id := range answered {
				j.ledger.NotPromised(id, "class "+j.class.Name+" offers no devices (device.gpu: None)")
			}
		default:
			j.judge()
		}
		findings = append(findings, j.ledger.Close(answered)...)
	}
	return findings
}

func (j *judge) judge() {
	for _, ns := range j.namespaces {
		j.adminNamespace(ns)
		for _, p := range j.snapshot.PodsIn(ns) {
			j.pods++
			if over(p) {
				continue
			}
			j.shared(p)
			j.bypass(p)
		}
	}
	j.adminClaims()
	j.sharedClaims()
	j.ledger.NeedsNamespaces(answered)
	draKinds := []string{"ResourceClaim", "ResourceClaimTemplate", "DeviceClass", "ResourceSlice"}
	j.ledger.Needs([]guarantee.ID{guarantee.GPU1}, slices.Concat(podKinds, draKinds, []string{"Node", "RuntimeClass", "Namespace"})...)
	j.ledger.Needs([]guarantee.ID{guarantee.GPU2}, slices.Concat(podKinds, []string{"RuntimeClass", "PersistentVolume", "PersistentVolumeClaim"})...)
	j.ledger.Needs([]guarantee.ID{guarantee.GPU3}, "Tenant", "TenantClass", "Namespace", "ResourceClaim", "ResourceClaimTemplate")
	about := func(detail string) guarantee.Evidence {
		return analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.namespaces", detail)
	}
	if j.asked == 0 {
		j.ledger.Hold(guarantee.GPU1, "NoDevice", fmt.Sprintf("none of its %d pods asks for a device", j.pods), about("no pod asks for a device"))
	} else {
		j.ledger.Hold(guarantee.GPU1, "DevicesOwned", fmt.Sprintf("each of the %d devices that its pods ask for is a hardware partition, or a whole one behind a sandbox", j.asked),
			about(fmt.Sprintf("%d requests for devices were judged", j.asked)))
	}
	j.ledger.Hold(guarantee.GPU2, "NoBypass", fmt.Sprintf("none of its %d pods names a device of the node, and no image can", j.pods), about("no pod names a device of the node"))
	j.ledger.Hold(guarantee.GPU3, "NoAdminAccess", "no claim of its namespaces asks for adminAccess, and no namespace is labelled to allow it", about("no claim asks for adminAccess"))
}

// foreign reports whether a pod is not the tenant's.
func (j *judge) foreign(p *corev1.Pod) bool { return j.snapshot.TenantOf(p.Namespace) != j.tenant.Name }

func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func name(p *corev1.Pod) string { return snapshot.KeyOf(p).String() }
