package devices

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/podescape/sandbox"
	"watertight.dev/watertight/internal/guarantee"
)

// shared judges GPU-1 for what one pod asks for.
func (j *judge) shared(p *corev1.Pod) {
	for _, a := range asks(p) {
		j.asked++
		if class := j.claims.classOf(a.resource); class != nil { // KEP-5004: a claim in the end
			j.form(p, a.field, "resource "+a.resource+" (DeviceClass "+class.name+")", class.kind)
			continue
		}
		j.resource(p, a)
	}
	j.claimed(p)
}

// resource judges a request for an extended resource on every node that can serve it.
func (j *judge) resource(p *corev1.Pod, a ask) {
	k := kindOf(a.resource)
	about := analyze.About(j.snapshot, p, a.field, "asks for "+a.resource)
	if k == unknown {
		j.ledger.Doubt(guarantee.GPU1, "DeviceNotKnown", fmt.Sprintf("%s asks for %s, of which is not known whether tenants share it: ask for a device that is known, or give each tenant its own nodes", name(p), a.resource), about)
		return
	}
	nodes, known := j.nodes.Of(p)
	if !known || len(nodes) == 0 {
		if k == whole && j.sandboxes.Of(p).Kind.VM() {
			return // a device in a virtual machine is nowhere else
		}
		j.ledger.Doubt(guarantee.GPU1, "NodeNotSeen", fmt.Sprintf("%s asks for %s, and no node that serves it is in the picture: whether the device is shared is unknown", name(p), a.resource), about)
		return
	}
	for _, n := range nodes {
		if !serves(n, a.resource) {
			continue
		}
		switch how := sharing(n, a.resource); {
		case how.field != "":
			j.sharedOn(p, a, n, how)
		case !how.told && (k == partition || !j.sandboxes.Of(p).Kind.VM()):
			j.ledger.Doubt(guarantee.GPU1, "NodeNotLabelled", fmt.Sprintf("%s asks for %s, and node %s does not say whether it shares its devices: run the feature discovery of the device's vendor", name(p), a.resource, n.Name),
				about, analyze.About(j.snapshot, n, "metadata.labels", "has no label of "+vendor(a.resource)))
		case k == whole && !how.partitioned:
			j.form(p, a.field, "resource "+a.resource, whole)
		}
	}
}

// form judges the form of a device that is not shared: a partition, or a whole one
// behind a virtual machine. Where the class proxies devices, gVisor's nvproxy lets the
// driver's calls through one by one (gvisor.dev/docs/user_guide/gpu).
func (j *judge) form(p *corev1.Pod, field, what string, k kind) {
	have := j.sandboxes.Of(p)
	about := analyze.About(j.snapshot, p, field, "asks for "+what)
	switch {
	case k == partition, have.Kind.VM() && k != unknown:
	case k == whole && have.Kind == sandbox.GVisor && j.class.Spec.Device.GPU == proxied:
	case k == unknown:
		j.ledger.Doubt(guarantee.GPU1, "DeviceClassNotKnown", fmt.Sprintf("%s asks for %s, of which is not known whether it is a whole device or a partition", name(p), what), about)
	default:
		j.ledger.Break(guarantee.GPU1, "WholeDeviceOutsideVM", fmt.Sprintf("%s gets a whole device by %s with %s: run it behind Kata, or ask for a partition (MIG, vGPU)", name(p), what, have.Detail), about)
	}
}

// how is what a node says of the way it shares a resource.
type how struct {
	// field and detail name the label that says that it does; empty: none does.
	field, detail string
	// partitioned marks a node on which a "GPU" is a partition already.
	partitioned bool
	// told is false where the node says nothing.
	told bool
}

// sharing reads the labels that NVIDIA's GPU feature discovery gives a node
// (github.com/NVIDIA/k8s-device-plugin: docs, "Labels").
func sharing(n *corev1.Node, name string) how {
	at := func(label string) string { return "metadata.labels[" + label + "]" }
	r := base(name)
	h := how{told: false}
	for _, prefix := range []string{r, "nvidia.com/gpu"} {
		if vendor(r) != "nvidia.com" || prefix != r && kindOf(r) == whole {
			continue
		}
		label := prefix + ".sharing-strategy"
		if s, ok := n.Labels[label]; ok && s != "none" && s != "" {
			return how{field: at(label), detail: "is " + s, told: true}
		}
		label = prefix + ".replicas"
		if count, err := strconv.Atoi(n.Labels[label]); err == nil && count > 1 {
			return how{field: at(label), detail: "is " + n.Labels[label], told: true}
		}
	}
	if strings.HasSuffix(name, ".shared") {
		return how{field: "status.allocatable", detail: "serves " + name, told: true}
	}
	product := n.Labels["nvidia.com/gpu.product"]
	if strings.HasSuffix(product, "-SHARED") {
		return how{field: at("nvidia.com/gpu.product"), detail: "is " + product, told: true}
	}
	for label := range n.Labels {
		h.told = h.told || strings.HasPrefix(label, vendor(r)+"/")
	}
	single := n.Labels["nvidia.com/mig.strategy"] == "single" && strings.Contains(product, "-MIG-")
	h.partitioned = r == "nvidia.com/gpu" && (single || n.Labels["nvidia.com/vgpu.present"] == "true")
	return h
}

func vendor(resource string) string {
	domain, _, _ := strings.Cut(resource, "/")
	return domain
}

// serves reports whether a node can serve a resource; one that does not say what it has
// (a manifest in a folder) may.
func serves(n *corev1.Node, name string) bool {
	if len(n.Status.Allocatable) == 0 && len(n.Status.Capacity) == 0 {
		return true
	}
	for _, list := range []corev1.ResourceList{n.Status.Allocatable, n.Status.Capacity} {
		if q, ok := list[corev1.ResourceName(name)]; ok && q.Cmp(resource.Quantity{}) > 0 {
			return true
		}
	}
	return false
}

// sharedOn judges a device that a node shares: with whom, and whether the class says so.
func (j *judge) sharedOn(p *corev1.Pod, a ask, n *corev1.Node, h how) {
	evidence := []guarantee.Evidence{
		analyze.About(j.snapshot, p, a.field, "asks for "+a.resource), analyze.About(j.snapshot, n, h.field, h.detail),
	}
	for _, other := range j.users[base(a.resource)] {
		if j.foreign(other) && j.nodes.May(other, n) {
			j.ledger.Break(guarantee.GPU1, "DeviceShared", fmt.Sprintf("%s shares the devices of node %s in time with %s: partition them (MIG, vGPU), or give each tenant its own nodes", name(p), n.Name, name(other)),
				append(evidence, analyze.About(j.snapshot, other, "spec", "asks for "+base(a.resource)+" too"))...)
			return
		}
	}
	if j.class.Spec.Device.GPU != proxied {
		j.ledger.Break(guarantee.GPU1, "NotPartitioned", fmt.Sprintf("%s gets a share in time of a device of node %s, and class %s says %s: turn sharing off there", name(p), n.Name, j.class.Name, j.class.Spec.Device.GPU), evidence...)
		return
	}
	j.ledger.Doubt(guarantee.GPU1, "MayBeShared", fmt.Sprintf("%s gets a share in time of a device of node %s: no other tenant's pod has one now, and nothing seen keeps it so; turn sharing off there", name(p), n.Name), evidence...)
}
