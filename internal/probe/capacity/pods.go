package capacity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"watertight.dev/watertight/internal/probe"
)

// bounded are the resources that a container must have a limit of.
var bounded = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}

// overBudget asks each namespace for a pod that is larger than the whole tenant may be.
func overBudget(t probe.Target) ([]probe.Try, string) {
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		for _, name := range bounded {
			budget, ok := budgetOf(t, name)
			if !ok {
				continue
			}
			over := budget.DeepCopy()
			over.Add(resource.MustParse("1"))
			tries = append(tries, probe.Try{
				What:    fmt.Sprintf("have more %s than its budget of %s in %s", name, budget.String(), ns),
				Attack:  probe.CreatePod(ns, probe.Pod(t, asking(name, over.String()))),
				Control: probe.CreatePod(ns, probe.Pod(t)),
				By:      []probe.Refusal{probe.Quota},
				Mend:    "check the ResourceQuota of the namespace (spec.hard) against the Tenant's spec.capacity",
			})
		}
	}
	if len(t.Namespaces) > 0 {
		return tries, "the tenant's budget bounds neither cpu nor memory nor ephemeral-storage; set them in spec.capacity"
	}
	return tries, noNamespace
}

// budgetOf is the larger of the tenant's budgets for requests and limits of a resource.
func budgetOf(t probe.Target, name corev1.ResourceName) (resource.Quantity, bool) {
	var budget resource.Quantity
	found := false
	for _, prefix := range []string{"", "requests.", "limits."} {
		if q, ok := t.Budget[corev1.ResourceName(prefix)+name]; ok {
			found = true
			if q.Cmp(budget) > 0 {
				budget = q
			}
		}
	}
	return budget, found
}

func asking(name corev1.ResourceName, quantity string) func(spec, container probe.Manifest) {
	return func(_, c probe.Manifest) {
		for _, part := range []string{"requests", "limits"} {
			c["resources"].(probe.Manifest)[part].(probe.Manifest)[string(name)] = quantity
		}
	}
}

// unbounded asks for a pod that names no limits: it must be refused or get some.
func unbounded(t probe.Target) ([]probe.Try, string) {
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		tries = append(tries, probe.Try{
			What:     "run a container without limits in " + ns,
			Attack:   probe.CreatePod(ns, probe.Pod(t, func(_, c probe.Manifest) { delete(c, "resources") })),
			Control:  probe.CreatePod(ns, probe.Pod(t)),
			By:       []probe.Refusal{probe.Quota, probe.Limits, probe.Guard},
			Harmless: hasLimits,
			Mend:     "check that the namespace has a LimitRange with defaults for cpu, memory and ephemeral-storage",
		})
	}
	return tries, noNamespace
}

// hasLimits tells whether admission gave every container its limits.
func hasLimits(object []byte) (bool, string) {
	var pod corev1.Pod
	if err := json.Unmarshal(object, &pod); err != nil {
		return false, fmt.Sprintf("accepted, and the answer could not be read: %v", err)
	}
	var missing []string
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, name := range bounded {
			if _, ok := c.Resources.Limits[name]; !ok {
				missing = append(missing, string(name))
			}
		}
	}
	if len(missing) > 0 {
		return false, "accepted without a limit of " + strings.Join(missing, ", ")
	}
	return true, "accepted with default limits"
}

// preemptions asks for a priority that evicts other tenants' pods.
func preemptions(t probe.Target) ([]probe.Try, string) {
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		for _, class := range []string{"system-cluster-critical", "system-node-critical"} {
			tries = append(tries, probe.Try{
				What:    "run a pod with priority class " + class + " in " + ns,
				Attack:  probe.CreatePod(ns, probe.Pod(t, func(s, _ probe.Manifest) { s["priorityClassName"] = class })),
				Control: probe.CreatePod(ns, probe.Pod(t)),
				By:      []probe.Refusal{probe.Guard, probe.Quota},
				Mend:    "check that the guard policy on priority classes is installed and in force (watertight install)",
			})
		}
	}
	return tries, noNamespace
}
