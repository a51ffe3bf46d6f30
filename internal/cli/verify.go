package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/analyze/all"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

// subject is what a command looks at: a live cluster, folders or a bundle.
type subject struct {
	connection
	folders []string
	bundle  string
	probe   bool
}

func (s *subject) addFlags(f *pflag.FlagSet) {
	s.connection.addFlags(f)
	f.StringArrayVarP(&s.folders, "filename", "f", nil, "folder (or file) of manifests to judge instead of a live cluster; may be given several times")
	f.StringVar(&s.bundle, "bundle", "", "saved snapshot to judge instead of a live cluster")
	f.BoolVar(&s.probe, "probe", false, "also try, as each tenant's owner and by server-side dry-run, what must be refused (fills OBSERVED)")
}

// check refuses flags that contradict each other.
func (s *subject) check() error {
	offline := len(s.folders) > 0 || s.bundle != ""
	switch {
	case len(s.folders) > 0 && s.bundle != "":
		return errors.New("-f and --bundle exclude each other; give one of them")
	case offline && s.asked():
		return errors.New("-f and --bundle look at files, --kubeconfig and --context at a cluster; give one of them")
	case offline && s.probe:
		return errors.New("--probe tries things on a live cluster; leave out -f and --bundle")
	}
	return nil
}

// input loads the picture and gathers what verify needs beside it.
func (s *subject) input(ctx context.Context) (verify.Input, error) {
	in := verify.Input{Analyzers: all.All()}
	var err error
	switch {
	case len(s.folders) > 0:
		in.Source, in.AsIfApplied = fmt.Sprintf("manifests in %s", strings.Join(s.folders, ", ")), true
		in.Snapshot, err = loadFolders(ctx, s.folders)
	case s.bundle != "":
		in.Source = "bundle " + s.bundle
		in.Snapshot, err = load.Bundle(ctx, s.bundle)
	default:
		err = s.live(ctx, &in)
	}
	if err != nil {
		return in, cannotTell(err)
	}
	in.Capabilities = verify.CapabilitiesOf(in.Snapshot)
	return in, nil
}

// live looks at the cluster of the kubeconfig.
func (s *subject) live(ctx context.Context, in *verify.Input) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	in.Source = "cluster " + cfg.Host
	if in.Snapshot, err = load.Live(ctx, cfg); err != nil {
		return err
	}
	if s.probe {
		in.Observe = verify.Probing(cfg, in.Snapshot)
	}
	return nil
}

// loadFolders reads several folders into one picture; later ones win.
func loadFolders(ctx context.Context, folders []string) (*snapshot.Snapshot, error) {
	var picture *snapshot.Snapshot
	for _, dir := range folders {
		s, err := load.Folder(ctx, dir)
		if err != nil {
			return nil, err
		}
		if picture == nil {
			picture = s
			continue
		}
		picture = picture.With(objectsOf(s)...).WithProblems(s.Problems...).WithSources(s.Sources)
	}
	return picture, nil
}

// objectsOf lists what a snapshot was made of: pods that a workload would create are
// made again from the workload.
func objectsOf(s *snapshot.Snapshot) []runtime.Object {
	var out []runtime.Object
	for _, k := range snapshot.Kinds() {
		for _, o := range k.Of(s) {
			if pod, ok := o.(*corev1.Pod); ok {
				if _, _, made := snapshot.Template(pod); made {
					continue
				}
			}
			out = append(out, o)
		}
	}
	for _, w := range s.Workloads {
		out = append(out, w.Object)
	}
	for _, o := range s.Others {
		out = append(out, o)
	}
	return out
}

// newVerifyCommand makes "watertight verify".
func newVerifyCommand(e *env) *cobra.Command {
	var s subject
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
  watertight verify --tenant acme -o junit > verify.xml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := writerFor(output)
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return err
			}
			report, err := s.verify(cmd.Context(), tenants)
			if err != nil {
				return err
			}
			if err := write(report, e.out); err != nil {
				return cannotTell(err)
			}
			return exitFor(report.Verdict)
		},
	}
	s.addFlags(c.Flags())
	c.Flags().StringArrayVar(&tenants, "tenant", nil, "tenant to report on; may be given several times (default: all)")
	c.Flags().StringVarP(&output, "output", "o", "table", "table, json or junit")
	return c
}

// verify runs the verification; an unknown tenant is a mistake of the command line.
func (s *subject) verify(ctx context.Context, tenants []string) (verify.Report, error) {
	in, err := s.input(ctx)
	if err != nil {
		return verify.Report{}, err
	}
	in.Tenants = tenants
	report, err := verify.Run(ctx, in)
	var unknown *verify.UnknownTenant
	if errors.As(err, &unknown) {
		return report, err
	}
	return report, cannotTell(err)
}

// writerFor chooses the output format.
func writerFor(output string) (func(verify.Report, io.Writer) error, error) {
	switch output {
	case "table":
		return func(r verify.Report, out io.Writer) error { return r.WriteTable(out, colourful(out)) }, nil
	case "json":
		return verify.Report.WriteJSON, nil
	case "junit":
		return verify.Report.WriteJUnit, nil
	default:
		return nil, fmt.Errorf("-o %s is unknown; it is one of table, json, junit", output)
	}
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
