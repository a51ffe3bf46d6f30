package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/diff"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/verify"
)

// The places of the live cluster in a comparison.
const (
	liveBefore = "before"
	liveAfter  = "after"
)

// diffFlags are the flags of diff.
type diffFlags struct {
	connection
	tenancy      tenancy
	plugin       networkPlugin
	live, output string
}

// newDiffCommand makes "watertight diff".
func newDiffCommand(e *env) *cobra.Command {
	var flags diffFlags
	c := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Print what changes for isolation between two states",
		Long: `Print what changes for isolation between two states, each a folder or file of manifests,
or a bundle that "watertight snapshot" saved: verdicts, findings, ways through the network,
and the objects behind them. --live takes the live cluster for one of the two.

Manifests are judged together with what Watertight makes of their Tenants, as if both were
applied; a bundle and a cluster as they are. A finding is the same if it is about the same
tenant, guarantee, reason, objects and fields, however it is worded.

Exit code: 0 nothing got worse, 1 a verdict is worse, a finding is new or one tenant reaches
more of another, 2 it cannot be told (more is unknown, or something was not read), 3 usage.`,
		Example: `  # what a branch changes, as a comment on its pull request
  git worktree add ../main main
  watertight diff ../main/manifests manifests -o markdown > comment.md

  # what changed in the cluster since yesterday
  watertight diff yesterday.bundle --live

  # what applying these manifests would change
  watertight diff manifests --live=before`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return runDiff(cmd.Context(), e, flags, args) },
	}
	flags.addFlags(c.Flags())
	flags.tenancy.addFlag(c.Flags())
	flags.plugin.addFlag(c.Flags())
	c.Flags().StringVar(&flags.live, "live", "", "compare with the live cluster: it stands for AFTER, or with --live=before for BEFORE")
	c.Flags().Lookup("live").NoOptDefVal = liveAfter
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text, json or markdown")
	return c
}

// diffWriters print a difference in each output format.
var diffWriters = map[string]func(diff.Difference, io.Writer) error{
	"text":     diff.Difference.WriteText,
	"json":     diff.Difference.WriteJSON,
	"markdown": diff.Difference.WriteMarkdown,
}

func runDiff(ctx context.Context, e *env, flags diffFlags, args []string) error {
	write, ok := diffWriters[flags.output]
	if !ok {
		return fmt.Errorf("-o %s is unknown; it is one of text, json, markdown", flags.output)
	}
	subjects, err := flags.subjects(args)
	if err != nil {
		return err
	}
	var sides [2]diff.Side
	for i, s := range subjects {
		s.err = e.err
		if sides[i], err = sideOf(ctx, s); err != nil {
			return err
		}
	}
	d := diff.Compare(sides[0], sides[1])
	if err := write(d, e.out); err != nil {
		return cannotTell(err)
	}
	return exitForOutcome(d.Outcome)
}

func exitForOutcome(o diff.Outcome) error {
	switch o {
	case diff.Same, diff.NotWorse:
		return nil
	case diff.Worse:
		return &exitError{code: exitBroken}
	default:
		return &exitError{code: exitUnknown}
	}
}

// subjects are the two states that the command line names.
func (f *diffFlags) subjects(args []string) ([2]*subject, error) {
	var out [2]*subject
	switch {
	case f.live != "" && f.live != liveBefore && f.live != liveAfter:
		return out, fmt.Errorf("--live=%s is unknown; write --live (the cluster stands for AFTER) or --live=before", f.live)
	case f.live == "" && f.asked():
		return out, errors.New("--kubeconfig and --context name a cluster, and none is compared; add --live")
	case f.live == "" && len(args) != 2:
		return out, fmt.Errorf("two states are compared, and %d are named: write watertight diff BEFORE AFTER, or one of them and --live", len(args))
	case f.live != "" && len(args) != 1:
		return out, fmt.Errorf("--live stands for one of two states, so one other is needed, and %d are named", len(args))
	}
	if _, err := f.tenancy.mappings(); err != nil {
		return out, err
	}
	if err := f.plugin.check(); err != nil {
		return out, err
	}
	var states []*subject
	for _, arg := range args {
		s, err := subjectAt(arg)
		if err != nil {
			return out, cannotTell(err)
		}
		states = append(states, s)
	}
	cluster := &subject{connection: f.connection}
	switch f.live {
	case liveBefore:
		out = [2]*subject{cluster, states[0]}
	case liveAfter:
		out = [2]*subject{states[0], cluster}
	default:
		out = [2]*subject{states[0], states[1]}
	}
	for _, s := range out {
		s.tenancy, s.plugin = f.tenancy, f.plugin
	}
	return out, nil
}

// gzipMagic is how a bundle begins, and no manifest (RFC 1952, 2.3.1).
var gzipMagic = []byte{0x1f, 0x8b}

// subjectAt tells a bundle from a folder or a file of manifests.
func subjectAt(name string) (*subject, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: name a folder, a file of manifests or a bundle", name, errors.Unwrap(err))
	}
	if info.IsDir() {
		return &subject{folders: []string{name}}, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, errors.Unwrap(err))
	}
	defer file.Close() //nolint:errcheck // read only
	begin := make([]byte, len(gzipMagic))
	if n, _ := io.ReadFull(file, begin); n == len(gzipMagic) && bytes.Equal(begin, gzipMagic) {
		return &subject{bundle: name}, nil
	}
	return &subject{folders: []string{name}}, nil
}

// sideOf verifies a state, and keeps the picture that was judged.
func sideOf(ctx context.Context, s *subject) (diff.Side, error) {
	in, err := s.input(ctx)
	if err != nil {
		return diff.Side{}, err
	}
	side := diff.Side{Snapshot: in.Snapshot, Picture: in.Snapshot}
	in.Analyzers = append(in.Analyzers, analyze.Analyzer{Name: "picture", Run: func(p *snapshot.Snapshot) []guarantee.Finding {
		side.Picture = p
		return nil
	}})
	if side.Report, err = verify.Run(ctx, in); err != nil {
		return side, cannotTell(err)
	}
	side.Report.Source = strings.TrimPrefix(side.Report.Source, "manifests in ")
	return side, nil
}
