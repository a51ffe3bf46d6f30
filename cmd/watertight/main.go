// Command watertight isolates the tenants of a shared Kubernetes cluster and proves it.
package main

import (
	"os"

	"watertight.dev/watertight/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
