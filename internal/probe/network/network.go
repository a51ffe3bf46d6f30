// Package network probes what of the network boundary can be asked of the API server by
// dry-run: the ways round the policy (NET-2) and the ways to reopen the floor (NET-5)
// must be refused. It sends no packet.
package network

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
)

const noNamespace = "the tenant has no namespace yet, so there is nothing to try from"

// Probes lists the probes of the network boundary.
func Probes() []probe.Probe {
	return []probe.Probe{
		probe.Table{Description: probe.Description{
			ID: "network/way-round", Guarantee: guarantee.NET2, Technique: "CVE-2020-8554",
			SideEffects: probe.DryRun, Needs: "the owner's ServiceAccount",
			Control: "creating a ClusterIP Service, and an Ingress with the tenant's own hostname where the class allows one",
		}, Tries: waysRound},
		probe.Table{Description: probe.Description{
			ID: "network/reopen", Guarantee: guarantee.NET5, Technique: "ATT&CK T1562.007",
			SideEffects: probe.DryRun, Needs: "the owner's ServiceAccount",
			Control: "creating a NetworkPolicy between the pods of its own namespace",
		}, Tries: reopenings},
	}
}

const policies = "networking.k8s.io/v1/networkpolicies"

func createPolicy(ns string, spec probe.Manifest) probe.Request {
	spec["podSelector"] = probe.Manifest{}
	return probe.Request{
		Verb: "create", Resource: policies, Namespace: ns,
		Body: probe.Object("networking.k8s.io/v1", "NetworkPolicy", probe.Manifest{"spec": spec}),
	}
}

// with makes the spec of a policy with one rule of one peer, in the direction "ingress"
// or "egress". No peer stands for everybody.
func with(direction string, peer probe.Manifest) probe.Manifest {
	end := map[string]string{"ingress": "from", "egress": "to"}[direction]
	rule := probe.Manifest{}
	if peer != nil {
		rule[end] = []any{peer}
	}
	return probe.Manifest{direction: []any{rule}, "policyTypes": []any{strings.ToUpper(direction[:1]) + direction[1:]}}
}

// openers are the peers that would reopen the floor.
func openers(t probe.Target) map[string]probe.Manifest {
	namespaces := func(labels probe.Manifest) probe.Manifest {
		return probe.Manifest{"namespaceSelector": labels}
	}
	block := func(cidr string) probe.Manifest {
		return probe.Manifest{"ipBlock": probe.Manifest{"cidr": cidr}}
	}
	foreign := t.Foreign[0]
	return map[string]probe.Manifest{
		"everybody (no peer)":                  nil,
		"every namespace (empty selector)":     namespaces(probe.Manifest{}),
		"the namespace " + foreign:             namespaces(probe.Manifest{"matchLabels": probe.Manifest{corev1.LabelMetadataName: foreign}}),
		"namespaces by a label anyone can set": namespaces(probe.Manifest{"matchLabels": probe.Manifest{"team": "probe"}}),
		"namespaces that are not named so":     namespaces(probe.Manifest{"matchExpressions": []any{probe.Manifest{"key": corev1.LabelMetadataName, "operator": "NotIn", "values": []any{probe.Name}}}}),
		"every address":                        block("0.0.0.0/0"),
		"half of all addresses":                block("0.0.0.0/1"),
		"every IPv6 address":                   block("::/0"),
		"the metadata address":                 block("169.254.169.254/32"),
	}
}

// reopenings tries each opener in both directions in each namespace.
func reopenings(t probe.Target) ([]probe.Try, string) {
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		control := createPolicy(ns, with("ingress", probe.Manifest{"podSelector": probe.Manifest{}}))
		for what, peer := range openers(t) {
			for _, direction := range []string{"ingress", "egress"} {
				tries = append(tries, probe.Try{
					What:    "open " + direction + " of " + ns + " to " + what,
					Attack:  createPolicy(ns, with(direction, peer)),
					Control: control,
					By:      []probe.Refusal{probe.Guard},
					Mend:    "check that the guard policy on NetworkPolicies is installed and in force (watertight install)",
				})
			}
		}
	}
	slices.SortFunc(tries, func(a, b probe.Try) int { return strings.Compare(a.What, b.What) })
	return tries, noNamespace
}
