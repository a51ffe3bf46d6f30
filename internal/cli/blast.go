package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/analyze/all"
	"watertight.dev/watertight/internal/analyze/blast"
	"watertight.dev/watertight/internal/verify"
)

// blastFormat names the structure of blast's JSON.
const blastFormat = "watertight.dev/blast/v1"

// blastDocument is what blast prints as JSON: one report, or a summary of each tenant.
type blastDocument struct {
	Format    string         `json:"format"`
	Source    string         `json:"source"`
	Notes     []string       `json:"notes,omitempty"`
	Report    *blast.Report  `json:"report,omitempty"`
	Summaries []blastSummary `json:"summaries,omitempty"`
}

// blastSummary is a report without its chains.
type blastSummary struct {
	Tenant   string       `json:"tenant"`
	Radius   blast.Radius `json:"radius"`
	Score    int          `json:"score"`
	AtLeast  bool         `json:"atLeast"`
	IfUnseen blast.Radius `json:"ifUnseen"`
	// Reached counts other tenants' workloads that packets come to.
	Reached int        `json:"reached"`
	Fix     *blast.Fix `json:"fix,omitempty"`
}

// newBlastCommand makes "watertight blast".
func newBlastCommand(e *env) *cobra.Command {
	s := subject{err: e.err}
	var output string
	c := &cobra.Command{
		Use:   "blast [TENANT] [-f DIR]",
		Short: "Say what falls with a tenant: other tenants, nodes, Secrets, the control plane",
		Long: `Say what an attacker takes who runs code in a pod of the tenant, or holds one of its
credentials: which other tenants, nodes, Secrets and whether the control plane fall, each
by the shortest chain of steps, and the one change after which the least falls. Without a
tenant, print the numbers of all.

The radius is the number of other tenants that fall; the control plane counts as all of
them. A step that needs something unseen to fail, such as a flaw in the kernel, never
counts: what falls by such steps is a list of its own. To send packets to a workload is
not to run code in it: the tenants that are reached are listed apart, too.

Exit code: 0 nothing falls and everything was read, 1 something falls, 2 nothing is seen
to fall but not everything was read (the numbers then say "at least"), 3 usage.`,
		Example: `  # the cluster of the current kubeconfig context, all tenants, the worst first
  watertight blast

  # one tenant, with chains and the fix
  watertight blast initech -f examples/leaky

  # a saved snapshot, for a program
  watertight blast acme --bundle before.tar.gz -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s is unknown; it is one of text, json", output)
			}
			if err := s.check(); err != nil {
				return err
			}
			return runBlast(cmd.Context(), e.out, &s, args, output)
		},
	}
	f := c.Flags()
	s.addPictureFlags(f)
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

func runBlast(ctx context.Context, out io.Writer, s *subject, tenants []string, output string) error {
	in, err := s.input(ctx)
	if err != nil {
		return err
	}
	picture, err := verify.Picture(in)
	if err != nil {
		return cannotTell(err)
	}
	if len(picture.Tenants) == 0 {
		return cannotTell(errors.New("there is no Tenant: say who is a tenant with --tenancy, or add the Tenants"))
	}
	g := blast.New(picture, all.Edges(picture))
	doc := blastDocument{Format: blastFormat, Source: in.Source, Notes: append(in.Notes, picture.TenancyNotes()...)}
	write := doc.table
	if len(tenants) > 0 {
		report, err := g.Of(tenants[0])
		if err != nil {
			return err
		}
		doc.Report, write = &report, doc.text
	} else if doc.Summaries, err = summarize(g); err != nil {
		return cannotTell(err)
	}
	if output == "json" {
		write = doc.json
	}
	if err := write(out, len(g.Tenants())-1); err != nil {
		return cannotTell(fmt.Errorf("write the blast radius: %w", err))
	}
	return doc.exit()
}

// summarize reports on all tenants, the widest radius first.
func summarize(g *blast.Graph) ([]blastSummary, error) {
	var out []blastSummary
	for _, t := range g.Tenants() {
		r, err := g.Of(t)
		if err != nil {
			return nil, err
		}
		out = append(out, summaryOf(r))
	}
	slices.SortStableFunc(out, func(a, b blastSummary) int { return b.Radius.Compare(a.Radius) })
	return out, nil
}

func summaryOf(r blast.Report) blastSummary {
	s := blastSummary{Tenant: r.Tenant, Radius: r.Radius, Score: r.Score, AtLeast: r.AtLeast, IfUnseen: r.IfUnseen.Radius, Fix: r.Fix}
	for _, x := range r.Reached {
		s.Reached += x.Workloads
	}
	return s
}

// exit is the exit code of the widest radius.
func (d *blastDocument) exit() error {
	list := d.Summaries
	if d.Report != nil {
		list = []blastSummary{summaryOf(*d.Report)}
	}
	code := exitHolds
	for _, s := range list {
		switch {
		case !s.Radius.Zero():
			return &exitError{code: exitBroken}
		case s.AtLeast:
			code = exitUnknown
		}
	}
	if code == exitHolds {
		return nil
	}
	return &exitError{code: code}
}

func (d *blastDocument) json(out io.Writer, _ int) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(d)
}
