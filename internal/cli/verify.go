package cli

import (
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// newVerifyCommand makes "watertight verify".
func newVerifyCommand(e *env) *cobra.Command {
	s := subject{err: e.err}
	var tenants []string
	var output string
	c := &cobra.Command{
		Use:   "verify [-f DIR]",
		Short: "Print, per tenant and guarantee, what is compiled, predicted, observed and watched",
		Long: `Print one table per tenant: for each guarantee, whether the objects that enforce it
are there (compiled), whether the objects taken together keep it (predicted), what
happened when it was tried (observed, with --probe), and what was seen (watched).

A row's verdict is the worst of the columns asked for. "-" is not promised by the
tenant's class. What nobody can tell is unknown, never holds.

Exit code: 0 everything holds, 1 something is broken, 2 it cannot be told, 3 usage.`,
		Example: `  # the cluster of the current kubeconfig context
  watertight verify

  # ... and try it, as each tenant's owner (server-side dry-runs: nothing is stored)
  watertight verify --probe

  # manifests, before they are applied
  watertight verify -f examples/leaky

  # one tenant, for a CI system
  watertight verify --tenant acme -o junit > verify.xml

  # for code scanning, and as one page to send to somebody
  watertight verify -f manifests -o sarif > verify.sarif
  watertight verify -f manifests -o html > verify.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := writerFor(output, s.folders)
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return err
			}
			return s.report(cmd.Context(), tenants, func(r verify.Report) error { return write(r, e.out) })
		},
	}
	s.addFlags(c.Flags())
	c.Flags().StringArrayVar(&tenants, "tenant", nil, "tenant to report on; may be given several times (default: all)")
	c.Flags().StringVarP(&output, "output", "o", "table", strings.Join(reportFormats, ", "))
	return c
}

// report verifies, writes the report, and turns its verdict into the exit code.
func (s *subject) report(ctx context.Context, tenants []string, write func(verify.Report) error) error {
	report, err := s.verify(ctx, tenants)
	if err != nil {
		return err
	}
	if err := write(report); err != nil {
		return cannotTell(err)
	}
	return exitFor(report.Verdict)
}

// exitFor is the exit code of a verdict.
func exitFor(v guarantee.Verdict) error {
	switch v {
	case guarantee.Holds:
		return nil
	case guarantee.Broken:
		return &exitError{code: exitBroken}
	default:
		return &exitError{code: exitUnknown}
	}
}

// colourful tells whether the output is a terminal that wants colour (no-color.org).
func colourful(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
