// Package demo is Watertight's main job from end to end on local clusters, told line by
// line: two tenants are isolated, tried and proved, and the mistakes of a third, on a
// cluster that was not guarded, are found. It judges nothing itself: every verdict is
// verify's, every refusal the API server's.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/rest"

	"watertight.dev/watertight/internal/verify"
)

// Demo is one telling. The functions are the commands that a person would type.
type Demo struct {
	Out io.Writer
	// Colour is for terminals.
	Colour bool
	// Up starts the cluster of the shop or attaches to it.
	Up func(context.Context) (Cluster, error)
	// Bare runs a control plane without operator and guards while use runs, and then
	// removes it.
	Bare func(ctx context.Context, use func(context.Context, Cluster) error) error
	// Install is "watertight install".
	Install func(context.Context, *rest.Config) error
	// Owner is a client configuration with the credential of "watertight kubeconfig".
	Owner func(ctx context.Context, admin *rest.Config, tenant string) (*rest.Config, error)
	// Verify is "watertight verify" of a cluster, and VerifyFolder of manifests.
	Verify       func(ctx context.Context, kubeconfig string, probe bool) (verify.Report, error)
	VerifyFolder func(ctx context.Context, dir string) (verify.Report, error)

	surprises []string
}

// Cluster is where a control plane is to be found.
type Cluster struct {
	// Kubeconfig is the path of an administrator's kubeconfig, and Config the same loaded.
	Kubeconfig string
	Config     *rest.Config
}

// ErrSurprised says that something went otherwise than it should; Run has printed what.
var ErrSurprised = errors.New("not everything went as it should")

// Run tells the whole story. What goes otherwise than it should is remembered and
// printed at the end; an error ends it early.
func (d *Demo) Run(ctx context.Context) error {
	began := time.Now()
	cluster, err := d.Up(ctx)
	if err != nil {
		return err
	}
	chapters := []struct {
		title string
		run   func(context.Context) error
	}{
		{"Two tenants with the same shop: acme and globex", with(cluster, d.shop)},
		{"acme's owner, with the credential of \"watertight kubeconfig acme\"", with(cluster, d.owner)},
		{"What is proved: watertight verify --probe", with(cluster, d.proof)},
		{"A tenant that leaks, on a second cluster that was not guarded", func(ctx context.Context) error { return d.Bare(ctx, d.leaky) }},
	}
	for _, c := range chapters {
		d.say("\n%s", d.bold(c.title))
		if err := c.run(ctx); err != nil {
			return err
		}
	}
	return d.conclude(time.Since(began))
}

func with(c Cluster, run func(context.Context, Cluster) error) func(context.Context) error {
	return func(ctx context.Context) error { return run(ctx, c) }
}

func (d *Demo) conclude(took time.Duration) error {
	d.say("")
	if len(d.surprises) == 0 {
		d.say("%s in %s: the shop has no broken row, each attempt was refused\nby what should refuse it, and every planted mistake that could be created was found.",
			d.good("Everything went as it should"), seconds(took))
		return nil
	}
	d.say("%s, in %s:", d.bad("Not everything went as it should"), seconds(took))
	for _, s := range d.surprises {
		d.say("  - %s", s)
	}
	return ErrSurprised
}

// surprise remembers what went otherwise than it should.
func (d *Demo) surprise(format string, args ...any) {
	d.surprises = append(d.surprises, fmt.Sprintf(format, args...))
}
