package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/demo"
	"watertight.dev/watertight/internal/install"
	"watertight.dev/watertight/internal/localcluster"
	"watertight.dev/watertight/internal/verify"
)

// demoFlags are the flags of demo.
type demoFlags struct {
	name, engine string
	clean        bool
}

func newDemoCommand(e *env) *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job from end to end on a local cluster",
		Long: `Show the main job from end to end, on real API servers of this machine:

  1. start a local cluster, or attach to it (its nodes are simulated)
  2. isolate two tenants, and deploy the same shop into both
  3. act as one tenant's owner: deploy, and be refused what would break the isolation
  4. print what is proved, row by row
  5. start a second control plane that was not guarded, plant the mistakes of
     examples/leaky in it, and find each of them

The cluster of 1 stays up so that you can look round; the second is removed.

Exit code: 0 everything went as it should, 1 something did not, 2 it cannot be told.`,
		Example: `  watertight demo
  watertight demo --clean
  watertight down --name demo --delete`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), e) },
	}
	cmd.Flags().StringVar(&f.name, "name", "demo", "name of the cluster that the demo starts or attaches to; the second is called NAME-leaky")
	cmd.Flags().StringVar(&f.engine, "engine", "", "prebuilt engines: a folder that holds kubernetes and kwok, or the path of kubernetes")
	cmd.Flags().BoolVar(&f.clean, "clean", false, "remove the cluster at the end instead of leaving it up")
	return cmd
}

func (f *demoFlags) run(ctx context.Context, e *env) error {
	if err := localcluster.ValidateName(f.leakyName()); err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	ctrl.SetLogger(logr.Discard()) // what clients log is none of the story
	d := demo.Demo{
		Out: e.out, Colour: colourful(e.out),
		Up: func(ctx context.Context) (demo.Cluster, error) { return f.up(ctx, e) },
		Bare: func(ctx context.Context, use func(context.Context, demo.Cluster) error) error {
			return f.bare(ctx, e, use)
		},
		Install: installQuietly,
		Owner:   ownerConfig,
		Verify: func(ctx context.Context, kubeconfig string, probe bool) (verify.Report, error) {
			s := subject{connection: connection{kubeconfig: kubeconfig}, probe: probe}
			return s.verify(ctx, nil)
		},
		VerifyFolder: func(ctx context.Context, dir string) (verify.Report, error) {
			s := subject{folders: []string{dir}}
			return s.verify(ctx, nil)
		},
	}
	err := d.Run(ctx)
	if f.clean {
		err = errors.Join(err, runDown(context.WithoutCancel(ctx), e, f.name, true))
	} else if err == nil || errors.Is(err, demo.ErrSurprised) {
		f.next(e)
	}
	switch {
	case errors.Is(err, demo.ErrSurprised):
		return &exitError{code: exitBroken}
	case ctx.Err() != nil:
		return cannotTell(errors.New("interrupted; the next watertight demo starts over"))
	}
	return cannotTell(err)
}

func installQuietly(ctx context.Context, config *rest.Config) error {
	return install.Install(ctx, installOptions(config, v1alpha1.OperatorUser, func(string) {}))
}

// ownerConfig loads the kubeconfig that "watertight kubeconfig" prints.
func ownerConfig(ctx context.Context, admin *rest.Config, tenant string) (*rest.Config, error) {
	text, err := ownerKubeconfig(ctx, admin, tenant, "", time.Hour)
	if err != nil {
		return nil, err
	}
	return clientcmd.RESTConfigFromKubeConfig(text)
}

// next says what to try in the cluster that stays.
func (f *demoFlags) next(e *env) {
	program := "watertight"
	if _, err := exec.LookPath(program); err != nil {
		program = os.Args[0]
	}
	var engines localcluster.Engines
	if state, err := localcluster.StateDir(f.name); err == nil {
		if opts, err := localcluster.ReadOptions(state); err == nil {
			engines = opts.Engines
		}
	}
	context := " --context " + localcluster.ContextName(f.name)
	kubectl := kubectlOf(engines)
	fmt.Fprintf(e.out, "\nThe cluster stays up. Next:\n")
	for _, l := range [][2]string{
		{"what there is", kubectl + context + " get tenants"},
		{"why a verdict is what it is", program + " explain verdict acme NET-1" + context},
		{"be acme's owner", program + " kubeconfig acme" + context + " > acme.kubeconfig"},
		{"", kubectl + " --kubeconfig acme.kubeconfig get pods"},
		{"remove it", program + " down --name " + f.name + " --delete"},
	} {
		fmt.Fprintf(e.out, "  %-28s %s\n", l[0], l[1])
	}
}
