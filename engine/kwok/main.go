// Command kwok simulates the nodes of a local Watertight cluster. It is the node and
// pod controllers of KWOK with a fixed set of stages, and nothing else of KWOK: no
// server, no custom resources, no configuration file.
//
// It takes on the nodes annotated kwok.x-k8s.io/node=fake, keeps them Ready and says
// that the pods bound to them run. No container ever does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
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
	heartbeat := flags.Duration("heartbeat", 10*time.Second, "how often each node reports that it is Ready")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *kubeconfig == "" {
		return errors.New("--kubeconfig is required")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return simulate(ctx, *kubeconfig, *heartbeat)
}
