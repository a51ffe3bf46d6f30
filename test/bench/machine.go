package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"watertight.dev/watertight/test/bench/result"
)

// facts are what the figures depend on besides the program.
func (b *bench) facts() []result.Row {
	return []result.Row{
		{What: "date", Got: time.Now().UTC().Format(time.DateOnly)},
		{What: "processor", Got: fmt.Sprintf("%s, %d processors for control plane, operator and clients together", result.Field("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{What: "memory", Got: result.Field("/proc/meminfo", "MemTotal")},
		{What: "system", Got: fmt.Sprintf("%s/%s, kernel %s", runtime.GOOS, runtime.GOARCH, result.FirstLine("/proc/sys/kernel/osrelease"))},
		{What: "load average at the end (1, 5, 15 minutes)", Got: result.Load()},
		{What: "Go", Got: runtime.Version()},
		{What: "control plane", Got: strings.Join(strings.SplitN(filepath.Base(filepath.Dir(b.engines.Kubernetes)), "-", 3)[:2], " ") + ", etcd with fsync"},
		{What: "watertight", Got: result.Revision()},
		{What: "run", Got: fmt.Sprintf("%d tenants, %d workers, %d rounds, %s of steady state", b.tenants, b.workers, b.rounds, b.steady)},
	}
}
