// Command kubernetes is the engine of a local Watertight cluster: one binary that
// holds the upstream kube-apiserver, kube-controller-manager, kube-scheduler and
// kubectl commands and an embedded etcd, chosen by its first argument.
//
// It adds nothing to them: flags, defaults and exit codes are upstream's. Each
// component has to be a process of its own, because the upstream commands install
// the process-wide signal handler and panic when that is done twice.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// commands maps a component's name to the constructor of its upstream command.
var commands = map[string]func() *cobra.Command{
	"etcd":                    newEtcdCommand,
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		names := slices.Sorted(maps.Keys(commands))
		fmt.Fprintf(os.Stderr, "usage: %s {%s} [flags]\n", os.Args[0], strings.Join(names, "|"))
		os.Exit(3)
	}
	name := os.Args[1]
	// The upstream commands read os.Args themselves (kubectl for its plugins),
	// so they are given the argument list they would have as own programs.
	os.Args = append([]string{name}, os.Args[2:]...)
	os.Exit(cli.Run(commands[name]()))
}
