// Package diff says what changes for isolation between two pictures of a cluster:
// verdicts, findings, ways through the network, and the objects behind them. It judges
// nothing itself: it compares two reports of verify and two answers of netreach, and
// knows no client and no file.
package diff

import (
	"slices"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/verify"
)

// Format is the version of the JSON form. Fields may be added; none is renamed or removed
// without a new version.
const Format = "watertight.dev/diff/v1"

// Side is one of the two pictures.
type Side struct {
	// Snapshot is what was read.
	Snapshot *snapshot.Snapshot
	// Picture is what was judged: for manifests, together with what Watertight makes of
	// their Tenants.
	Picture *snapshot.Snapshot
	Report  verify.Report
}

// Outcome is what a difference comes to.
type Outcome string

// The outcomes, from the best down.
const (
	// Same: nothing changed for isolation.
	Same Outcome = "same"
	// NotWorse: something changed, and nothing got worse.
	NotWorse Outcome = "not worse"
	// CannotTell: more is unknown than before, or something could not be read.
	CannotTell Outcome = "cannot tell"
	// Worse: a guarantee got worse, one tenant reaches more of another, or a hole is wider.
	Worse Outcome = "worse"
)

// Difference is what changed from Before to After. Every list is in a stable order, the
// worst first.
type Difference struct {
	Format  string  `json:"format"`
	Before  string  `json:"before"`
	After   string  `json:"after"`
	Outcome Outcome `json:"outcome"`
	// Doubts say why it cannot be told, where that is so.
	Doubts []string `json:"doubts,omitempty"`
	// Added and Gone are Tenants that only one side has.
	Added    []string        `json:"added,omitempty"`
	Gone     []string        `json:"gone,omitempty"`
	Verdicts []VerdictChange `json:"verdicts,omitempty"`
	Findings []FindingChange `json:"findings,omitempty"`
	Reach    []ReachChange   `json:"reach,omitempty"`
	Objects  []ObjectChange  `json:"objects,omitempty"`
}

// Effect is what a change does to isolation.
type Effect string

// The effects, the worst first.
const (
	Worsens Effect = "worse"
	// Blurs: what was known is unknown now.
	Blurs   Effect = "unknown"
	Betters Effect = "better"
	Changes Effect = "changed"
)

// effects in the order of reports.
var effects = []Effect{Worsens, Blurs, Betters, Changes}

func (e Effect) rank() int { return slices.Index(effects, e) }

// VerdictChange is a row of a tenant's table that reads otherwise than before.
type VerdictChange struct {
	Tenant    string       `json:"tenant"`
	Guarantee guarantee.ID `json:"guarantee"`
	Promise   string       `json:"promise"`
	Effect    Effect       `json:"effect"`
	// Before and After are the verdicts of the row. They are the same where only a column
	// changed.
	Before  guarantee.Verdict `json:"before"`
	After   guarantee.Verdict `json:"after"`
	Columns []ColumnChange    `json:"columns,omitempty"`
}

// ColumnChange is a column of a row that reads otherwise than before.
type ColumnChange struct {
	Column string            `json:"column"`
	Before guarantee.Verdict `json:"before"`
	After  guarantee.Verdict `json:"after"`
}

// FindingChange is a finding, broken or unknown, that only one side has.
type FindingChange struct {
	// Appears is false where the finding is gone.
	Appears bool   `json:"appears"`
	Column  string `json:"column"`
	guarantee.Finding
}

// ObjectChange is an object that one side lacks, or that reads otherwise than before.
type ObjectChange struct {
	// Change is "added", "removed" or "changed".
	Change string        `json:"change"`
	Object guarantee.Ref `json:"object"`
	// Fields that differ, the first of them.
	Fields []string `json:"fields,omitempty"`
	Source string   `json:"source,omitempty"`
	// Cause marks what bears on the changes above: a finding that changed names it, it
	// stands in a namespace whose reach changed, or it is the Tenant that they are about.
	Cause bool `json:"cause,omitempty"`
}

// Compare says what changes from one side to the other.
func Compare(before, after Side) Difference {
	d := Difference{Format: Format, Before: before.Report.Source, After: after.Report.Source}
	c := comparison{before: before, after: after, out: &d}
	c.tenants()
	objects := c.objects()
	networks := [2]network{networkOf(before.Picture), networkOf(after.Picture)}
	d.Reach = reachChanges(networks, after.Report)
	c.doubts(objects, networks)
	d.Objects = c.causes(objects)
	d.Outcome = d.outcome()
	return d
}

// comparison is a difference in the making.
type comparison struct {
	before, after Side
	out           *Difference
}

func (d Difference) outcome() Outcome {
	worse := slices.ContainsFunc(d.Verdicts, func(v VerdictChange) bool { return v.Effect == Worsens }) ||
		slices.ContainsFunc(d.Findings, func(f FindingChange) bool { return f.Appears && f.Verdict == guarantee.Broken }) ||
		slices.ContainsFunc(d.Reach, ReachChange.Worsens)
	unclear := len(d.Doubts) > 0 ||
		slices.ContainsFunc(d.Verdicts, func(v VerdictChange) bool { return v.Effect == Blurs }) ||
		slices.ContainsFunc(d.Findings, func(f FindingChange) bool { return f.Appears && f.Verdict == guarantee.Unknown })
	changed := len(d.Added)+len(d.Gone)+len(d.Verdicts)+len(d.Findings)+len(d.Reach) > 0
	switch {
	case worse:
		return Worse
	case unclear:
		return CannotTell
	case changed:
		return NotWorse
	}
	return Same
}
