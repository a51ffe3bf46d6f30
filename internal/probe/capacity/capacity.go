// Package capacity probes the capacity boundary by dry-run: what goes over the budget
// (CAP-1), claims a foreign priority (CAP-3) or a foreign class (CAP-5) must be refused,
// and a container that names no limits must get some (CAP-2). It starts nothing, so it
// cannot see what running pods use.
package capacity

import (
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
)

const (
	podControl  = "creating a small pod that keeps the class's rules"
	noNamespace = "the tenant has no namespace yet, so there is nothing to try from"
)

// Probes lists the probes of the capacity boundary.
func Probes() []probe.Probe {
	return []probe.Probe{
		probe.Table{Description: probe.Description{
			ID: "capacity/over-budget", Guarantee: guarantee.CAP1, Technique: "ATT&CK T1496",
			SideEffects: probe.DryRun, Needs: "an unsealed namespace and a budget", Control: podControl,
		}, Tries: overBudget},
		probe.Table{Description: probe.Description{
			ID: "capacity/unbounded", Guarantee: guarantee.CAP2, Technique: "ATT&CK T1496",
			SideEffects: probe.DryRun, Needs: "an unsealed namespace", Control: podControl,
		}, Tries: unbounded},
		probe.Table{Description: probe.Description{
			ID: "capacity/preempt", Guarantee: guarantee.CAP3, Technique: "ATT&CK T1499",
			SideEffects: probe.DryRun, Needs: "an unsealed namespace", Control: podControl,
		}, Tries: preemptions},
		probe.Table{Description: probe.Description{
			ID: "capacity/foreign-class", Guarantee: guarantee.CAP5, Technique: "kubectl-mtb block_use_of_existing_pvs",
			SideEffects: probe.DryRun, Needs: "the owner's ServiceAccount",
			Control: "creating a claim of a StorageClass that the class allows, or a ConfigMap where it allows none",
		}, Tries: foreignClasses},
	}
}

// foreignClasses tries to claim storage that is not the tenant's to use.
func foreignClasses(t probe.Target) ([]probe.Try, string) {
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		control, class := probe.CreateConfigMap(ns), probe.Name
		if allowed := t.Class.Capacity.StorageClasses; len(allowed) > 0 {
			class = allowed[0]
			control = claim(ns, probe.Manifest{"storageClassName": class})
		}
		for _, try := range []probe.Try{
			{What: "claim storage of a class it may not use in " + ns, Attack: claim(ns, probe.Manifest{"storageClassName": probe.Name + "-foreign"})},
			{What: "claim storage of no class, and so any volume, in " + ns, Attack: claim(ns, probe.Manifest{"storageClassName": ""})},
			{What: "claim somebody's volume by its name in " + ns, Attack: claim(ns, probe.Manifest{"storageClassName": class, "volumeName": probe.Name})},
		} {
			try.Control = control
			try.By = []probe.Refusal{probe.Guard, probe.RBAC}
			try.Mend = "check that the guard policy on PersistentVolumeClaims is installed and in force (watertight install)"
			tries = append(tries, try)
		}
	}
	return tries, noNamespace
}

func claim(ns string, spec probe.Manifest) probe.Request {
	spec["accessModes"] = []any{"ReadWriteOnce"}
	spec["resources"] = probe.Manifest{"requests": probe.Manifest{"storage": "1Mi"}}
	return probe.Request{
		Verb: "create", Resource: "v1/persistentvolumeclaims", Namespace: ns,
		Body: probe.Object("v1", "PersistentVolumeClaim", probe.Manifest{"spec": spec}),
	}
}
