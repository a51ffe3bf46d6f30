package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/localcluster"
)

func newDownCommand(e *env) *cobra.Command {
	var name string
	var remove bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop a local cluster, and remove it with --delete",
		Long: `Stop a local cluster. What it stores stays, and the next up has it again.

With --delete its state folder and its kubeconfig context are removed, too; there is
no way back.`,
		Example: `  watertight down
  watertight down --name demo --delete`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDown(cmd.Context(), e, name, remove) },
	}
	cmd.Flags().StringVar(&name, "name", defaultClusterName, "name of the cluster")
	cmd.Flags().BoolVar(&remove, "delete", false, "remove its data and its kubeconfig context, too")
	return cmd
}

func runDown(ctx context.Context, e *env, name string, remove bool) error {
	if err := localcluster.ValidateName(name); err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	state, err := localcluster.StateDir(name)
	if err != nil {
		return cannotTell(err)
	}
	wasRunning, err := localcluster.Down(ctx, localcluster.DownOptions{StateDir: state, Delete: remove})
	switch {
	case errors.Is(err, localcluster.ErrNotFound):
		fmt.Fprintf(e.out, "there is no cluster %q\n", name)
		return nil
	case err != nil:
		return cannotTell(fmt.Errorf("stop cluster %q: %w", name, err))
	case remove:
		fmt.Fprintf(e.out, "cluster %q is removed, with its data and its kubeconfig context\n", name)
	case wasRunning:
		fmt.Fprintf(e.out, "cluster %q is stopped; its data stays in %s\n", name, state)
	default:
		fmt.Fprintf(e.out, "cluster %q was not running; its data stays in %s\n", name, state)
	}
	return nil
}
