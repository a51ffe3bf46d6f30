// Package result is how the benchmarks tell their results: rows of what was measured
// beside what it aims at, and the facts of the machine that they depend on. It measures
// nothing.
package result

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Row is one figure beside what it aims at.
type Row struct {
	What, Aim, Got string
	// Met is "yes", "no" or, where there is no aim, "".
	Met string
}

// Report is the result of a run.
type Report struct {
	Facts []Row
	Rows  []Row
}

// Print writes the report as a table, or as Markdown.
func (r Report) Print(w io.Writer, markdown bool) {
	if markdown {
		fmt.Fprintln(w, "| figure | measured | aim | met |\n|---|---|---|---|")
		for _, x := range r.Rows {
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", x.What, x.Got, x.Aim, x.Met)
		}
		fmt.Fprintln(w, "\n| machine | |\n|---|---|")
		for _, x := range r.Facts {
			fmt.Fprintf(w, "| %s | %s |\n", x.What, x.Got)
		}
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tMEASURED\tAIM\tMET")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.What, x.Got, x.Aim, x.Met)
	}
	for _, x := range r.Facts {
		fmt.Fprintf(t, "%s\t%s\t\t\n", x.What, x.Got)
	}
	t.Flush()
}

// Yes says whether an aim is met.
func Yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

// Megabytes prints a number of bytes.
func Megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
