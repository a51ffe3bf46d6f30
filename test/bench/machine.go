package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// facts are what the figures depend on besides the program.
func (b *bench) facts() []row {
	return []row{
		{what: "date", got: time.Now().UTC().Format(time.DateOnly)},
		{what: "processor", got: fmt.Sprintf("%s, %d processors for control plane, operator and clients together", field("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{what: "memory", got: field("/proc/meminfo", "MemTotal")},
		{what: "system", got: fmt.Sprintf("%s/%s, kernel %s", runtime.GOOS, runtime.GOARCH, firstLine("/proc/sys/kernel/osrelease"))},
		{what: "load average at the end (1, 5, 15 minutes)", got: strings.Join(strings.Fields(firstLine("/proc/loadavg") + " - - -")[:3], " ")},
		{what: "Go", got: runtime.Version()},
		{what: "control plane", got: strings.Join(strings.SplitN(filepath.Base(filepath.Dir(b.engines.Kubernetes)), "-", 3)[:2], " ") + ", etcd with fsync"},
		{what: "watertight", got: revision()},
		{what: "run", got: fmt.Sprintf("%d tenants, %d workers, %d rounds, %s of steady state", b.tenants, b.workers, b.rounds, b.steady)},
	}
}

// field is the value of the first line of a file of "name: value" lines.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func firstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// revision names the checkout that was measured.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
