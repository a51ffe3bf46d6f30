package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/localcluster"
)

// upFlags are the flags of up.
type upFlags struct {
	name       string
	nodes      int
	shape      localcluster.NodeShape
	engine     string
	engineSrc  string
	kubeconfig string
	timeout    time.Duration
	foreground bool
}

const defaultClusterName = "dev"

// maxNodes is what one process simulates without falling behind.
const maxNodes = 1000

func newUpCommand(e *env) *cobra.Command {
	f := upFlags{}
	standard := localcluster.DefaultNodeShape()
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a local cluster: a real control plane with simulated nodes",
		Long: `Start a local cluster and wait until it is ready.

The control plane is real: etcd, kube-apiserver, kube-controller-manager and
kube-scheduler run as processes of yours on loopback ports. The nodes are simulated:
pods are scheduled and reported as running, but no container is started.

The first up builds the engines from the checkout, which takes minutes; later ones
take seconds. The cluster goes on in the background, and up adds its context to your
kubeconfig. An up of a cluster that runs attaches to it and changes nothing. What the
cluster stores survives down, a crash and a restart of the machine.`,
		Example: `  watertight up
  watertight up --name demo --nodes 5
  watertight up --foreground          # until Ctrl-C
  kubectl --context watertight-dev get nodes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), e) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", defaultClusterName, "name of the cluster; its kubeconfig context is watertight-NAME")
	flags.IntVar(&f.nodes, "nodes", 2, "number of simulated nodes")
	flags.StringVar(&f.shape.CPU, "node-cpu", standard.CPU, "CPUs of each simulated node")
	flags.StringVar(&f.shape.Memory, "node-memory", standard.Memory, "memory of each simulated node")
	flags.StringVar(&f.shape.EphemeralStorage, "node-storage", standard.EphemeralStorage, "ephemeral storage of each simulated node")
	flags.StringVar(&f.shape.Pods, "node-pods", standard.Pods, "pods that each simulated node takes")
	flags.StringVar(&f.engine, "engine", "", "prebuilt engines: a folder that holds kubernetes and kwok, or the path of kubernetes")
	flags.StringVar(&f.engineSrc, "engine-src", "", "checkout to build the engines from (default: $"+localcluster.SourceVariable+", or the one this folder is in)")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file that gets the context (default: as kubectl)")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long to wait for the cluster, once its engines are built")
	flags.BoolVar(&f.foreground, "foreground", false, "run the cluster until Ctrl-C instead of in the background")
	return cmd
}

// options checks the flags; an error is one of usage.
func (f *upFlags) options() (localcluster.Options, error) {
	opts := localcluster.Options{Name: f.name, Nodes: f.nodes, NodeShape: f.shape, Kubeconfig: f.kubeconfig}
	if err := localcluster.ValidateName(f.name); err != nil {
		return opts, fmt.Errorf("--name: %w", err)
	}
	if f.nodes < 0 || f.nodes > maxNodes {
		return opts, fmt.Errorf("--nodes: %d is not between 0 and %d", f.nodes, maxNodes)
	}
	if err := f.shape.Validate(); err != nil {
		return opts, err
	}
	if f.timeout <= 0 {
		return opts, fmt.Errorf("--timeout: %s is no time to wait", f.timeout)
	}
	return opts, nil
}

func (f *upFlags) run(ctx context.Context, e *env) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	if opts.StateDir, err = localcluster.StateDir(f.name); err != nil {
		return cannotTell(err)
	}
	if opts.Kubeconfig == "" {
		opts.Kubeconfig = localcluster.KubeconfigPath()
	}
	if opts.Kubeconfig, err = filepath.Abs(opts.Kubeconfig); err != nil {
		return cannotTell(err)
	}
	began := time.Now()
	if _, running, err := localcluster.ReadStatus(opts.StateDir); err == nil && running {
		opts.Engines = f.attaching(e, opts.StateDir)
	} else {
		build := localcluster.BuildOptions{Prebuilt: f.engine, Source: f.engineSrc, KWOK: f.nodes > 0, Progress: e.err}
		if opts.Engines, err = localcluster.Build(ctx, build); err != nil {
			return cannotTell(err)
		}
	}
	completeCluster(&opts)
	progress := newUpProgress(e.err)
	if f.foreground {
		return f.runHere(ctx, e, opts, progress, began)
	}
	return f.runDetached(ctx, e, opts, progress, began)
}

// attaching says what an up of a running cluster does not do. It returns the engines
// of that cluster.
func (f *upFlags) attaching(e *env, stateDir string) localcluster.Engines {
	fmt.Fprintf(e.err, "cluster %q is running: attaching to it\n", f.name)
	running, err := localcluster.ReadOptions(stateDir)
	if err == nil && (running.Nodes != f.nodes || running.NodeShape != f.shape) {
		fmt.Fprintf(e.err, "  note: it keeps its %d simulated nodes of %s CPUs and %s each; down and up again changes that\n",
			running.Nodes, running.NodeShape.CPU, running.NodeShape.Memory)
	}
	return running.Engines
}

func (f *upFlags) runDetached(ctx context.Context, e *env, opts localcluster.Options, progress *upProgress, began time.Time) error {
	self, err := os.Executable()
	if err != nil {
		return cannotTell(fmt.Errorf("find this program: %w", err))
	}
	wait, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("not ready within %s (--timeout)", f.timeout))
	defer cancel()
	err = localcluster.Up(wait, opts, []string{self, superviseCommand, "--state", opts.StateDir}, progress.show)
	progress.end()
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; what up had started was stopped, the data stays")
		}
		return cannotTell(fmt.Errorf("start cluster %q: %w", f.name, err))
	}
	printReady(e, opts, began)
	fmt.Fprintf(e.out, "  %-44s stop it (--delete: and remove its data)\n", "watertight down --name "+f.name)
	return nil
}

func (f *upFlags) runHere(ctx context.Context, e *env, opts localcluster.Options, progress *upProgress, began time.Time) error {
	ready := false
	err := localcluster.Run(ctx, opts, func(status localcluster.Status) {
		progress.show(status)
		if status.Phase == localcluster.Ready && !ready {
			ready = true
			progress.end()
			printReady(e, opts, began)
			fmt.Fprintln(e.out, "  Ctrl-C stops it; the data stays")
		}
	})
	progress.end()
	if err != nil {
		return cannotTell(fmt.Errorf("run cluster %q: %w", f.name, err))
	}
	fmt.Fprintf(e.err, "cluster %q is stopped\n", f.name)
	return nil
}

// printReady says what there is now and what to do with it.
func printReady(e *env, opts localcluster.Options, began time.Time) {
	kubectl, context := kubectlOf(opts.Engines), localcluster.ContextName(opts.Name)
	fmt.Fprintf(e.out, "cluster %q is ready (%.1fs). Its nodes are simulated: pods are scheduled and reported running, but no container is.\n", opts.Name, time.Since(began).Seconds())
	fmt.Fprintf(e.out, "  context %s in %s\n", context, opts.Kubeconfig)
	fmt.Fprintf(e.out, "  state and logs in %s\n", opts.StateDir)
	fmt.Fprintf(e.out, "Next:\n  %-44s look round\n", kubectl+" --context "+context+" get nodes")
}

// kubectlOf is how kubectl is called here: the engine holds one, too.
func kubectlOf(engines localcluster.Engines) string {
	if _, err := exec.LookPath("kubectl"); err != nil && engines.Kubernetes != "" {
		return engines.Kubernetes + " kubectl"
	}
	return "kubectl"
}

const superviseCommand = "supervise-local-cluster"

// newSuperviseCommand is what up starts in the background; it is not for people.
func newSuperviseCommand(*env) *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:    superviseCommand,
		Short:  "Run a local cluster (started by up)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cannotTell(localcluster.SuperviseInherited(cmd.Context(), state, completeCluster))
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "state folder of the cluster")
	return cmd
}
