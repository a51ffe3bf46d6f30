package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/guarantee"
)

// newExplainCommand makes "watertight explain".
func newExplainCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "explain",
		Short: "Say why a verdict, or the answer about a connection, is what it is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("say what to explain: watertight explain verdict TENANT GUARANTEE, or watertight explain flow FROM TO")
		},
	}
	c.AddCommand(interruptible(newExplainVerdictCommand(e)), interruptible(newExplainFlowCommand(e)))
	return c
}

func newExplainVerdictCommand(e *env) *cobra.Command {
	s := subject{err: e.err}
	c := &cobra.Command{
		Use:   "verdict TENANT GUARANTEE",
		Short: "Name the promise, its references, and the objects that make its verdict what it is",
		Long: `Name the promise and its references, the verdict of each column, and the objects and
fields that make the verdict what it is, with the fix.

The exit code is that of the verdict: 0 holds (or is not promised), 1 broken, 2 unknown.`,
		Example: `  watertight explain verdict acme NET-1
  watertight explain verdict initech API-3 -f examples/leaky
  watertight explain verdict acme KRN-1 --probe`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := guaranteeOf(args[1])
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return err
			}
			report, err := s.verify(cmd.Context(), args[:1])
			if err != nil {
				return err
			}
			for _, t := range report.Tenants {
				if err := t.WriteExplanation(e.out, id, colourful(e.out)); err != nil {
					return cannotTell(err)
				}
				if row, ok := t.Row(id); ok && row.Verdict != guarantee.NotPromised {
					return exitFor(row.Verdict)
				}
			}
			return nil
		},
	}
	s.addFlags(c.Flags())
	return c
}

// guaranteeOf reads a guarantee's ID and suggests the nearest where there is none.
func guaranteeOf(text string) (guarantee.ID, error) {
	id := guarantee.ID(strings.ToUpper(strings.TrimSpace(text)))
	if _, ok := guarantee.Get(id); ok {
		return id, nil
	}
	var near guarantee.ID
	best := len(id) + 1
	for _, g := range guarantee.All() {
		if d := distance(string(id), string(g.ID)); d < best {
			best, near = d, g.ID
		}
	}
	if best > 3 {
		return "", fmt.Errorf("there is no guarantee %q; they are called API-1, NET-1, KRN-1, GPU-1, CAP-1, IDN-1 and so on (watertight verify lists them)", text)
	}
	return "", fmt.Errorf("there is no guarantee %q; did you mean %s?", text, near)
}

// distance is the number of single-character edits between two strings (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(diagonal+cost, row[j]+1, row[j+1]+1)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
