package devices

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
)

// ask is a request of a container for an extended resource.
type ask struct {
	resource string
	field    string
}

// asks lists the extended resources that a pod's containers ask for. One that is over
// asks for nothing any more.
func asks(p *corev1.Pod) []ask {
	if over(p) {
		return nil
	}
	var out []ask
	for _, c := range analyze.Containers(p) {
		for _, list := range []struct {
			name  string
			names corev1.ResourceList
		}{{"limits", c.Resources.Limits}, {"requests", c.Resources.Requests}} {
			for _, r := range slices.Sorted(maps.Keys(list.names)) {
				quantity := list.names[r]
				if !extended(string(r)) || quantity.IsZero() || slices.ContainsFunc(out, func(a ask) bool { return a.resource == string(r) }) {
					continue
				}
				out = append(out, ask{string(r), fmt.Sprintf("%s.resources.%s[%s]", c.Field, list.name, r)})
			}
		}
	}
	return out
}

// extended reports whether a resource is a device plugin's: it has a domain that is not
// Kubernetes' own (kubernetes.io: extended resources).
func extended(resource string) bool {
	domain, _, ok := strings.Cut(resource, "/")
	return ok && domain != "kubernetes.io" && !strings.HasSuffix(domain, ".kubernetes.io") && !strings.HasPrefix(resource, "requests.")
}

// base is a resource's name without the suffix of its shared replicas.
func base(resource string) string { return strings.TrimSuffix(resource, ".shared") }

// kind is what a request stands for.
type kind int

const (
	unknown   kind = iota
	whole          // a whole device
	partition      // a partition in hardware: MIG or vGPU
	handed         // a whole device for the VFIO driver: only a virtual machine can use it
)

// vGPU is the name of a virtual GPU's type, as the sandbox device plugin advertises it
// ("GRID_T4-2Q", "NVIDIA_A10-4C").
var vGPU = regexp.MustCompile(`^nvidia\.com/[A-Za-z0-9_]+-[0-9]+[ABCQ]$`)

// wholeDevices are resources that stand for whole devices.
var wholeDevices = []string{
	"nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi", "google.com/tpu", "aws.amazon.com/neuron", "aws.amazon.com/neurondevice",
}

func kindOf(resource string) kind {
	switch r := base(resource); {
	case slices.Contains(wholeDevices, r):
		return whole
	case strings.HasPrefix(r, "nvidia.com/mig-"), vGPU.MatchString(r):
		return partition
	}
	return unknown
}
