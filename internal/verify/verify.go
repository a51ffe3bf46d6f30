// Package verify lines up what is compiled, predicted, observed and watched: one row per
// guarantee of each tenant, with a verdict and its evidence. It judges nothing itself
// beyond comparing the compiled objects with those of the snapshot, and opens no
// connection but for the probes it is asked to run; what it prints, it prints safely.
package verify

import (
	"context"
	"fmt"
	"strings"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// Input is what a verification looks at.
type Input struct {
	// Source names the picture for people ("folder examples/shop").
	Source   string
	Snapshot *snapshot.Snapshot
	// AsIfApplied judges the snapshot's objects together with what compile makes of
	// its Tenants. It is for folders; a live cluster is judged as it is.
	AsIfApplied  bool
	Capabilities compile.Capabilities
	Analyzers    []analyze.Analyzer
	// Observe probes one tenant; nil when nobody asked for it.
	Observe func(ctx context.Context, tenant string) ([]guarantee.Finding, error)
	// Tenants restricts the report; empty: all of them.
	Tenants []string
	// Each is given every tenant's report as soon as it is made, instead of keeping them
	// all in the Report: what a large cluster's operator needs of them is little.
	Each func(TenantReport)
	// Notes go into the report, before its own.
	Notes []string
}

// Report is the outcome of a verification.
type Report struct {
	// Format is the version of this structure in JSON.
	Format  string            `json:"format"`
	Source  string            `json:"source"`
	Verdict guarantee.Verdict `json:"verdict"`
	// Notes say what a reader of the verdicts should know besides.
	Notes   []string       `json:"notes,omitempty"`
	Tenants []TenantReport `json:"tenants"`
}

// Format is the version of the JSON report. Fields may be added; none is renamed or
// removed without a new version.
const Format = "watertight.dev/verify/v1"

// TenantReport is one tenant's table.
type TenantReport struct {
	Tenant  string            `json:"tenant"`
	Class   string            `json:"class"`
	Verdict guarantee.Verdict `json:"verdict"`
	// Rejected says why the Tenant could not be compiled, if it could not.
	Rejected string `json:"rejected,omitempty"`
	Rows     []Row  `json:"rows"`
}

// Row is what is known of one guarantee.
type Row struct {
	Guarantee guarantee.ID       `json:"guarantee"`
	Boundary  guarantee.Boundary `json:"boundary"`
	Promise   string             `json:"promise"`
	Verdict   guarantee.Verdict  `json:"verdict"`
	Compiled  Cell               `json:"compiled"`
	Predicted Cell               `json:"predicted"`
	Observed  Cell               `json:"observed"`
	Watched   Cell               `json:"watched"`
	// Difference is set where the prediction and the observation contradict each other.
	Difference *guarantee.Finding `json:"difference,omitempty"`
}

// Cell is one column of a row.
type Cell struct {
	Verdict guarantee.Verdict `json:"verdict"`
	// Reason says in a few words why, where the findings do not.
	Reason   string              `json:"reason,omitempty"`
	Findings []guarantee.Finding `json:"findings,omitempty"`
}

// Column is a cell with its name.
type Column struct {
	Name string
	Cell
}

// Columns are the row's cells in their order.
func (r Row) Columns() []Column {
	return []Column{
		{"compiled", r.Compiled}, {"predicted", r.Predicted}, {"observed", r.Observed}, {"watched", r.Watched},
	}
}

// Row returns the tenant's row of a guarantee.
func (t TenantReport) Row(id guarantee.ID) (Row, bool) {
	for _, r := range t.Rows {
		if r.Guarantee == id {
			return r, true
		}
	}
	return Row{}, false
}

// Counts are the rows of each verdict.
func (t TenantReport) Counts() (holds, broken, unknown int) {
	for _, r := range t.Rows {
		switch r.Verdict {
		case guarantee.Holds:
			holds++
		case guarantee.Broken:
			broken++
		case guarantee.Unknown:
			unknown++
		}
	}
	return holds, broken, unknown
}

// UnknownTenant is a tenant that was asked for and is not there.
type UnknownTenant struct {
	Name  string
	Known []string
}

// Error lists the tenants there are.
func (u *UnknownTenant) Error() string {
	if len(u.Known) == 0 {
		return fmt.Sprintf("there is no Tenant %q, nor any other", u.Name)
	}
	return fmt.Sprintf("there is no Tenant %q; there are: %s", u.Name, strings.Join(u.Known, ", "))
}

// not is a cell without a judgement.
func not(v guarantee.Verdict) Cell { return Cell{Verdict: v} }

// unknown is a cell that no evidence fills.
func unknown(format string, args ...any) Cell {
	return Cell{Verdict: guarantee.Unknown, Reason: fmt.Sprintf(format, args...)}
}
