// Command analyze measures the analyzers on made-up clusters of up to 10,000 tenants, in
// one process: user CPU time, the memory that they take, and how the time grows beside
// that of a loop over pairs of pods. It needs no cluster and proves no verdict.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"watertight.dev/watertight/test/bench/result"
)

// bench is one run.
type bench struct {
	rounds int
	began  time.Time
	// loads are the load averages that were seen.
	loads []string
	rows  []result.Row
}

// parts of a run, in order: the smallest cluster first, so that its peak memory can be told.
var parts = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"1000", func(b *bench, _ context.Context) error { return b.network(thousand) }},
	{"10000", func(b *bench, _ context.Context) error { return b.network(tenThousand) }},
	{"halfopen", func(b *bench, _ context.Context) error { return b.network(halfOpen) }},
	{"growth", func(b *bench, _ context.Context) error { return b.growth() }},
	{"rbac", func(b *bench, _ context.Context) error { return b.rbac() }},
	{"blast", func(b *bench, _ context.Context) error { return b.blast() }},
	{"load", (*bench).load},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	b := &bench{began: time.Now()}
	var only, profile string
	var markdown bool
	flag.IntVar(&b.rounds, "rounds", 7, "rounds of each measurement")
	flag.StringVar(&only, "only", "", "comma-separated parts to run: 1000, 10000, halfopen, growth, rbac, blast, load (default: all)")
	flag.StringVar(&profile, "cpuprofile", "", "file for a CPU profile of what is measured")
	flag.BoolVar(&markdown, "markdown", false, "print the result as Markdown")
	flag.Parse()
	if profile != "" {
		stop, err := startProfile(profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		b.say("%s (load average %s)", p.name, result.Load())
		b.loads = append(b.loads, strings.Fields(result.Load())[0])
		if err := p.run(b, ctx); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
	}
	result.Report{Rows: b.rows, Facts: b.facts()}.Print(os.Stdout, markdown)
	return nil
}

func startProfile(name string) (stop func(), err error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("make profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, fmt.Errorf("start profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		file.Close() //nolint:errcheck // a profile that is cut off says so when it is read
	}, nil
}

// facts are what the figures depend on besides the program.
func (b *bench) facts() []result.Row {
	gc := os.Getenv("GOGC")
	if gc == "" {
		gc = "100, as the commands run"
	}
	return []result.Row{
		{What: "date", Got: time.Now().UTC().Format(time.DateOnly)},
		{What: "processor", Got: fmt.Sprintf("%s, %d processors", result.Field("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{What: "load average (1 minute), part by part", Got: strings.Join(b.loads, ", ")},
		{What: "load average at the end (1, 5, 15 minutes)", Got: result.Load()},
		{What: "memory", Got: result.Field("/proc/meminfo", "MemTotal")},
		{What: "system", Got: fmt.Sprintf("%s/%s, kernel %s", runtime.GOOS, runtime.GOARCH, result.FirstLine("/proc/sys/kernel/osrelease"))},
		{What: "Go", Got: fmt.Sprintf("%s, GOGC %s", runtime.Version(), gc)},
		{What: "watertight", Got: result.Revision()},
		{What: "rounds", Got: fmt.Sprint(b.rounds)},
	}
}

// say prints a line of progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "[%6.1fs] %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}
