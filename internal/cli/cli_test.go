package cli

import (
	"context"
	"errors"
	"testing"

	"github.com/spf13/cobra"
)

// TestInterruptible: a signal ends a command that does not watch its context.
func TestInterruptible(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	forever := make(chan struct{})
	defer close(forever)
	c := interruptible(&cobra.Command{Use: "x", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
		cancel()
		<-forever
		return nil
	}})
	c.SetArgs(nil)
	err := c.ExecuteContext(ctx)
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitUnknown {
		t.Errorf("got %v, want exit code %d", err, exitUnknown)
	}
}
