package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/localcluster"
)

// newEngineCommand makes "watertight engine".
func newEngineCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "engine",
		Short: "Build the programs that local clusters run",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say what to do: watertight engine build")
		},
	}
	c.AddCommand(newEngineBuildCommand(e))
	return c
}

func newEngineBuildCommand(e *env) *cobra.Command {
	var source string
	c := &cobra.Command{
		Use:   "build",
		Short: "Build the engines ahead of the first up, and print their paths",
		Long: `Build the engines: the real Kubernetes control plane, and KWOK, which simulates nodes.
Engines that are built already, from the same sources by the same Go, are not built again.`,
		Example: "  watertight engine build",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			engines, err := localcluster.Build(cmd.Context(), localcluster.BuildOptions{Source: source, KWOK: true, Progress: e.err})
			if err != nil {
				return cannotTell(err)
			}
			fmt.Fprintf(e.out, "kubernetes: %s\nkwok: %s\n", engines.Kubernetes, engines.KWOK)
			return nil
		},
	}
	c.Flags().StringVar(&source, "engine-src", "", "checkout to build from (default: $"+localcluster.SourceVariable+", or the one this folder is in)")
	return c
}
