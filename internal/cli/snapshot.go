package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/snapshot/load"
)

func newSnapshotCommand(e *env) *cobra.Command {
	var c connection
	var file string
	cmd := &cobra.Command{
		Use:   "snapshot -o FILE",
		Short: "Save what verdicts rest on, so that it can be judged elsewhere or later",
		Long: `Read from a cluster what verdicts rest on (no Secrets, no ConfigMaps) and save it to one file, which
"watertight verify --bundle FILE" judges without the cluster. What could not be read is noted in it.`,
		Example: "  watertight snapshot -o before.tar.gz\n  watertight verify --bundle before.tar.gz",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return errors.New("-o is needed: name the file to save to")
			}
			config, err := c.config()
			if err != nil {
				return err
			}
			s, err := load.Live(cmd.Context(), config)
			if err != nil {
				return cannotTell(err)
			}
			if err := load.Save(file, s); err != nil {
				return cannotTell(err)
			}
			for _, p := range s.Problems {
				fmt.Fprintf(e.err, "not read: %s: %s\n", p.Source, p.Message)
			}
			_, err = fmt.Fprintf(e.out, "saved %d tenants and %d namespaces to %s\n", len(s.Tenants), len(s.Namespaces), file)
			return err
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write")
	return cmd
}
