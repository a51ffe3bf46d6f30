// Package cli is the command line: a file per verb, each a thin layer that reads flags,
// calls one room of the house and prints. It holds no decision of its own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes of watertight.
const (
	exitHolds   = 0
	exitBroken  = 1
	exitUnknown = 2
	exitUsage   = 3
)

// env is what every command is given from outside.
type env struct {
	in       io.Reader
	out, err io.Writer
}

// exitError ends the program with a code of ours. A nil cause prints nothing more:
// the command has said what there is to say.
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.cause.Error()
}

func (e *exitError) Unwrap() error { return e.cause }

// cannotTell marks an error that kept watertight from an answer (exit code 2).
func cannotTell(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: exitUnknown, cause: err}
}

// Main runs the command line args (args[0] is the program's name) and returns the exit
// code: 0 holds, 1 broken, 2 cannot tell, 3 usage. SIGINT and SIGTERM cancel the
// command's context; a second one ends the process.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRootCommand(&env{in: in, out: out, err: errOut}, filepath.Base(args[0]))
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitHolds
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitUsage, cause: err}
	}
	if exit.cause != nil {
		fmt.Fprintf(errOut, "error: %v\n", exit.cause)
	}
	return exit.code
}

// newRootCommand lists the commands. As a kubectl plugin (kubectl-watertight) the usage
// lines say "kubectl watertight".
func newRootCommand(e *env, program string) *cobra.Command {
	use := "watertight"
	root := &cobra.Command{
		Use:           use,
		Short:         "Isolate the tenants of a shared Kubernetes cluster, and prove it",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	if strings.HasPrefix(program, "kubectl-") {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl watertight"}
	}
	root.SetIn(e.in)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newUpCommand(e), newDownCommand(e), newSuperviseCommand(e),
		newInstallCommand(e), newUninstallCommand(e), newOperatorCommand(e),
		newRenderCommand(e), interruptible(newVerifyCommand(e)), interruptible(newReachCommand(e)), interruptible(newDiffCommand(e)),
		newExplainCommand(e), interruptible(newBlastCommand(e)), newDemoCommand(e), newEngineCommand(e),
		newSnapshotCommand(e), newKubeconfigCommand(e), newVersionCommand(e),
	)
	return root
}

// interruptible lets a command that only computes and prints be ended by a signal: what
// analyzes has no context to watch.
func interruptible(c *cobra.Command) *cobra.Command {
	run := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		done := make(chan error, 1)
		go func() { done <- run(cmd, args) }()
		select {
		case err := <-done:
			return err
		case <-cmd.Context().Done():
			return cannotTell(errors.New("interrupted"))
		}
	}
	return c
}
