package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
)

// The limits of GitHub code scanning, which refuses larger files or cuts them itself
// (docs.github.com, "SARIF support for code scanning").
const (
	mostSARIFResults   = 25_000
	mostSARIFLocations = 100
	mostSARIFText      = 32 << 10 // a message must stay under 64 KiB
)

// SARIFFiles say how a SARIF report names files, for viewers that open them. The zero
// value names them as the evidence does.
type SARIFFiles struct {
	// Path is the path of a file that evidence names ("shop.yaml"), as seen from where
	// the reader starts; nil leaves it.
	Path func(file string) string
	// Root stands in for results that no file shows; empty for a live cluster.
	Root string
}

// WriteSARIF prints the report as SARIF 2.1.0: a rule per guarantee, and a result per
// finding that is broken (an error) or unknown (a warning). What is unknown for want of
// any evidence is no result but a notification, as are the report's notes.
func (r Report) WriteSARIF(out io.Writer, files SARIFFiles) error {
	results, left := sarifResults(r, files)
	notes := sarifNotes(r)
	if left > 0 {
		notes = append(notes, sarifNotification{Level: "warning", Message: sarifText{fmt.Sprintf(
			"%d results were left out: code scanning takes %d; report fewer tenants at a time (--tenant), or use -o json", left, mostSARIFResults)}})
	}
	log := sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "watertight", InformationURI: "https://watertight.dev/watertight", Rules: sarifRules(),
		}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: true, Notifications: notes}},
		ColumnKind:  "unicodeCodePoints",
		Properties:  sarifRunProperties{Source: Clean(r.Source), Verdict: r.Verdict},
		Results:     results,
	}}}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	if err := e.Encode(log); err != nil {
		return fmt.Errorf("write SARIF: %w", err)
	}
	return nil
}

// sarifResults are the broken findings, then the unknown ones, and how many there was no
// room for.
func sarifResults(r Report, files SARIFFiles) (results []sarifResult, left int) {
	results = []sarifResult{}
	for _, v := range []guarantee.Verdict{guarantee.Broken, guarantee.Unknown} {
		for _, t := range r.Tenants {
			for _, row := range t.Rows {
				for _, c := range row.Columns() {
					for _, f := range c.Findings {
						switch {
						case f.Verdict != v || row.Verdict == guarantee.NotPromised:
						case len(results) == mostSARIFResults:
							left++
						default:
							results = append(results, sarifResultOf(row, c.Name, f, files))
						}
					}
				}
			}
		}
	}
	return results, left
}

var sarifLevels = map[guarantee.Verdict]string{guarantee.Broken: "error", guarantee.Unknown: "warning"}

func sarifResultOf(row Row, column string, f guarantee.Finding, files SARIFFiles) sarifResult {
	return sarifResult{
		RuleID:    string(f.Guarantee),
		RuleIndex: slices.IndexFunc(guarantee.All(), func(g guarantee.Guarantee) bool { return g.ID == f.Guarantee }),
		Level:     sarifLevels[f.Verdict],
		Message:   sarifMessage(fmt.Sprintf("tenant %s: %s", f.Tenant, f.Message)),
		Locations: sarifLocations(f, files),
		// The column is part of it: the same can be predicted and observed.
		PartialFingerprints: map[string]string{"watertight/v1": fingerprint(f) + "/" + column},
		Properties: sarifResultProperties{
			Tenant: Clean(f.Tenant), Boundary: row.Boundary, Column: column, Verdict: f.Verdict, Reason: Clean(f.Reason),
		},
	}
}

// sarifNotes are the notes of the report, and once per cause, what is unknown for want
// of any evidence.
func sarifNotes(r Report) []sarifNotification {
	notes := []sarifNotification{}
	for _, n := range r.Notes {
		notes = append(notes, sarifNotification{Level: "note", Message: sarifMessage(n)})
	}
	type cause struct {
		id             guarantee.ID
		column, reason string
	}
	var causes []cause
	tenants := map[cause][]string{}
	for _, t := range r.Tenants {
		for _, row := range t.Rows {
			for _, c := range row.Columns() {
				if c.Verdict != guarantee.Unknown || c.Reason == "" {
					continue
				}
				k := cause{row.Guarantee, c.Name, c.Reason}
				if tenants[k] == nil {
					causes = append(causes, k)
				}
				tenants[k] = append(tenants[k], t.Tenant)
			}
		}
	}
	for _, k := range causes {
		notes = append(notes, sarifNotification{
			Level:          "warning",
			Message:        sarifMessage(fmt.Sprintf("%s is unknown (%s: %s) for %s", k.id, k.column, k.reason, someOf(tenants[k]))),
			AssociatedRule: &sarifRuleRef{ID: string(k.id)},
		})
	}
	return notes
}

// someOf names the first of many.
func someOf(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// sarifMessage is text as SARIF wants it: braces are doubled, or they would be
// placeholders (SARIF 2.1.0, 3.11.5), and no tenant's text becomes a link (3.11.6).
func sarifMessage(s string) sarifText {
	s = strings.ReplaceAll(Clean(s), "](", "] (")
	return sarifText{strings.NewReplacer("{", "{{", "}", "}}").Replace(cutBytes(s, mostSARIFText))}
}

// cutBytes shortens text to a number of bytes, between two characters.
func cutBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len("…")], "") + "…"
}
