// Package api probes the api boundary: with the tenant owner's credential it tries to
// read and write what is not the tenant's (API-1, API-2), to gain rights (API-3) and to
// weaken the tenant's guards (API-4). It does not evaluate RBAC; the API server does.
package api

import (
	"fmt"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
)

const control = "creating a ConfigMap in the tenant's own namespace"

// Probes lists the probes of the api boundary.
func Probes() []probe.Probe {
	return []probe.Probe{
		probe.Table{Description: probe.Description{
			ID: "api/read-foreign", Guarantee: guarantee.API1, Technique: "ATT&CK T1552.007",
			SideEffects: probe.ReadsOnly, Needs: "the owner's ServiceAccount",
			Control: "listing ConfigMaps in the tenant's own namespace",
		}, Tries: reads},
		probe.Table{Description: probe.Description{
			ID: "api/write-foreign", Guarantee: guarantee.API2, Technique: "ATT&CK T1098.006",
			SideEffects: probe.DryRun, Needs: "the owner's ServiceAccount", Control: control,
		}, Tries: writes},
		probe.Table{Description: probe.Description{
			ID: "api/escalate", Guarantee: guarantee.API3, Technique: "ATT&CK T1078.004",
			SideEffects: probe.DryRun, Needs: "the owner's ServiceAccount", Control: control,
		}, Tries: escalations},
		probe.Table{Description: probe.Description{
			ID: "api/weaken-guards", Guarantee: guarantee.API4, Technique: "ATT&CK T1562",
			SideEffects: probe.DryRun, Needs: "the owner's ServiceAccount and the operator's guard objects", Control: control,
		}, Tries: weakenings},
	}
}

// mend says how to find what granted a right, and what to do about it.
func mend(t probe.Target, id guarantee.ID) string {
	return fmt.Sprintf("find the binding that grants it (watertight explain verdict %s %s) and remove it", t.Tenant, id)
}

// own is the first of the tenant's namespaces, where the controls are sent.
func own(t probe.Target) (string, bool) {
	if len(t.Namespaces) == 0 {
		return "", false
	}
	return t.Namespaces[0], true
}

const noNamespace = "the tenant has no namespace yet, so there is nothing to try from"
