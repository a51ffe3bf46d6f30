// Command kwok is the simulator of a local Watertight cluster's nodes: the node and
// pod controllers of KWOK with the stages in the folder stages, and nothing else of
// it (no server, no custom resources, no configuration file).
//
// It takes on the nodes annotated kwok.x-k8s.io/node=fake.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("kwok", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig of the cluster whose nodes are simulated")
	leaseSeconds := flags.Uint("node-lease-duration-seconds", 40, "how long a node's lease lasts; it is renewed every quarter of that (0: no leases)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *kubeconfig == "" {
		return errors.New("--kubeconfig is required")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return simulate(ctx, *kubeconfig, *leaseSeconds)
}
