// Package guarantee holds the vocabulary of proof: the guarantees and their IDs,
// verdicts, evidence and findings. It decides nothing and uses the standard library only.
package guarantee

import (
	"cmp"
	"slices"
)

// ID names a guarantee ("NET-1"). IDs are never renumbered or used again.
type ID string

// Boundary is one of the planes along which tenants can touch.
type Boundary string

// The boundaries, in the order in which reports list them.
const (
	API      Boundary = "api"
	Network  Boundary = "network"
	Kernel   Boundary = "kernel"
	Device   Boundary = "device"
	Capacity Boundary = "capacity"
	Identity Boundary = "identity"
)

// Guarantee is one testable promise on a boundary.
type Guarantee struct {
	ID       ID
	Boundary Boundary
	// Sentence says what is promised, in one sentence without a final full stop.
	Sentence string
	// References are the sources of the promise: ATT&CK techniques, benchmark items,
	// KEPs, CVEs, kubectl-mtb checks.
	References []string
}

// Verdict is what is known of a guarantee.
type Verdict string

// The verdicts. NotPromised and NotAsked are not judgements: the first stands where the
// tenant's class does not make the promise, the second where a column was not asked for.
const (
	Holds       Verdict = "holds"
	Broken      Verdict = "broken"
	Unknown     Verdict = "unknown"
	NotPromised Verdict = "-"
	NotAsked    Verdict = "not asked"
)

// severity orders verdicts from the worst down; broken outweighs unknown outweighs holds.
func (v Verdict) severity() int {
	switch v {
	case Broken:
		return 3
	case Holds:
		return 1
	case NotPromised, NotAsked:
		return 0
	default:
		return 2 // Unknown, and whatever is not a verdict
	}
}

// Worst returns the worst of the verdicts: broken, unknown, holds, in that order.
// NotPromised and NotAsked count for nothing; without any judgement it is Unknown,
// because no evidence is not evidence.
func Worst(verdicts ...Verdict) Verdict {
	worst := NotAsked
	for _, v := range verdicts {
		if v.severity() > worst.severity() {
			worst = v
		}
	}
	switch worst {
	case Broken, Holds:
		return worst
	default: // nothing was judged, or by something that is no verdict
		return Unknown
	}
}

// Ref names an object of the cluster, or of a folder of manifests.
type Ref struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String prints "Kind namespace/name".
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Evidence is one fact a finding rests on.
type Evidence struct {
	// Object that the fact is about.
	Object Ref `json:"object"`
	// Field is the path of the field inside the object ("spec.ingress[0].from"), if one decides.
	Field string `json:"field,omitempty"`
	// Detail is the fact in words.
	Detail string `json:"detail"`
	// Source is the file and document the object was read from ("shop.yaml#3"), if any.
	Source string `json:"source,omitempty"`
}

// Finding is a verdict on one guarantee of one tenant, with its evidence.
type Finding struct {
	Guarantee ID `json:"guarantee"`
	// Tenant that the guarantee was given to.
	Tenant  string  `json:"tenant"`
	Verdict Verdict `json:"verdict"`
	// Reason is a stable CamelCase word for machines ("PeerlessIngress").
	Reason string `json:"reason"`
	// Message is one sentence for people: what, where, and how to mend it.
	Message  string     `json:"message"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Sort orders findings by tenant, guarantee and worst verdict, then by message, so that
// reports are the same on every run.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Tenant, b.Tenant),
			cmp.Compare(index(a.Guarantee), index(b.Guarantee)),
			cmp.Compare(b.Verdict.severity(), a.Verdict.severity()),
			cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.Message, b.Message),
		)
	})
}
