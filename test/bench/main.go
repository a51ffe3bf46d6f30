// Command bench measures Watertight on real control planes of its own: how fast tenants
// come in, beside a bare loop that applies the same objects; what the operator needs at
// rest and for a restart; how long one tenant takes; and how long "watertight up" does.
// It leaves nothing behind.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"watertight.dev/watertight/internal/localcluster"
	"watertight.dev/watertight/test/bench/result"
)

// small is the number of tenants below which the defaults are those of a smoke test.
const small = 200

// bench is one run.
type bench struct {
	tenants, workers, rounds, samples, ups int
	steady, patience                       time.Duration

	folder  string // of everything the run makes
	program string // the watertight that is measured
	engines localcluster.Engines
	began   time.Time
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	quiet := logr.FromSlogHandler(slog.NewTextHandler(io.Discard, nil))
	ctrl.SetLogger(quiet)
	klog.SetLogger(quiet)
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	b := &bench{began: time.Now()}
	only, markdown := b.parse()
	if b.folder, err = os.MkdirTemp("", "watertight-bench-"); err != nil {
		return fmt.Errorf("make temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	if err := b.build(ctx); err != nil {
		return err
	}
	var out result.Report
	for _, part := range []struct {
		name string
		run  func(*bench, context.Context) ([]result.Row, error)
	}{
		{"up", (*bench).measureUp}, {"single", (*bench).measureSingle}, {"onboard", (*bench).measureOnboarding},
	} {
		if only != "" && !slices.Contains(strings.Split(only, ","), part.name) {
			continue
		}
		rows, err := part.run(b, ctx)
		if err != nil {
			return fmt.Errorf("measure %s: %w", part.name, err)
		}
		out.Rows = append(out.Rows, rows...)
	}
	out.Facts = b.facts()
	out.Print(os.Stdout, markdown)
	return nil
}

// parse reads the flags.
func (b *bench) parse() (only string, markdown bool) {
	flag.IntVar(&b.tenants, "tenants", 1000, "tenants to onboard, three namespaces each")
	flag.IntVar(&b.workers, "workers", 8, "workers of the operator, of the bare loop and of the client that creates tenants")
	flag.IntVar(&b.rounds, "rounds", 0, "rounds of bare loop and operator, in alternating order (default 2; 1 below 200 tenants)")
	flag.IntVar(&b.samples, "samples", 0, "single tenants to time (default 30; 10 below 200 tenants)")
	flag.IntVar(&b.ups, "ups", 0, "times to run watertight up (default 3; 1 below 200 tenants)")
	flag.DurationVar(&b.steady, "steady", 0, "how long to watch the steady state (default 2m; 15s below 200 tenants)")
	flag.DurationVar(&b.patience, "patience", 30*time.Minute, "how long any one wait may take")
	flag.StringVar(&only, "only", "", "comma-separated parts to run: up, single, onboard (default: all)")
	flag.BoolVar(&markdown, "markdown", false, "print the result as Markdown")
	flag.Parse()
	defaults := bench{rounds: 2, samples: 30, ups: 3, steady: 2 * time.Minute}
	if b.tenants < small {
		defaults = bench{rounds: 1, samples: 10, ups: 1, steady: 15 * time.Second}
	}
	b.rounds, b.samples = cmp.Or(b.rounds, defaults.rounds), cmp.Or(b.samples, defaults.samples)
	b.ups, b.steady = cmp.Or(b.ups, defaults.ups), cmp.Or(b.steady, defaults.steady)
	return only, markdown
}

// build makes the program that is measured, and the engines it runs.
func (b *bench) build(ctx context.Context) (err error) {
	b.say("building watertight and its engines")
	b.program = filepath.Join(b.folder, "watertight")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", b.program, "watertight.dev/watertight/cmd/watertight").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build watertight: %w\n%s", err, out)
	}
	b.engines, err = localcluster.Build(ctx, localcluster.BuildOptions{KWOK: true, Progress: os.Stderr})
	return err
}

// sayEvery is how often something long says how far it is.
const sayEvery = 10 * time.Second

// say prints a line of progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "[%6.1fs] %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}
