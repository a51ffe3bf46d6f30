// Package install puts Watertight into a cluster and takes it out again: CRDs, the
// operator's identity and rights, classes and guards. It runs with an administrator's
// credential and needs no operator.
package install

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/config"
	"watertight.dev/watertight/internal/apply"
	"watertight.dev/watertight/internal/compile"
)

// minimumMinor is the oldest Kubernetes 1.x whose ValidatingAdmissionPolicies are v1.
const minimumMinor = 30

// Options are what an installation depends on.
type Options struct {
	Config *rest.Config
	Scheme *runtime.Scheme
	// Operator is the username that the operator will have.
	Operator string
	// Classes says whether the shipped TenantClasses are created; those that exist are
	// left as they are.
	Classes bool
	// Capabilities reads what the cluster offers.
	Capabilities func(context.Context, client.Client) (compile.Capabilities, error)
	// Progress is told of each part as it is done.
	Progress func(part string)
}

// Install installs or upgrades. Every part is applied whether it is there or not, so that
// it can be run again after a failure, and guards are never removed on the way.
func Install(ctx context.Context, o Options) error {
	if err := checkVersion(o.Config); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context, Options) error
	}{
		{"custom resource definitions", applyCRDs},
		{"operator's identity and rights", applySystem},
		{"guards", applyGuards},
		{"tenant classes", createClasses},
	} {
		if err := part.run(ctx, o); err != nil {
			return fmt.Errorf("install %s: %w", part.name, err)
		}
		o.Progress(part.name)
	}
	return nil
}

func checkVersion(c *rest.Config) error {
	d, err := discovery.NewDiscoveryClientForConfig(c)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	v, err := d.ServerVersion()
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", c.Host, err)
	}
	minor, err := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	if err == nil && v.Major == "1" && minor < minimumMinor {
		return fmt.Errorf("the cluster runs Kubernetes %s; Watertight needs 1.%d or later, where ValidatingAdmissionPolicy is stable", v.GitVersion, minimumMinor)
	}
	return nil
}

// writer is made anew for each part, since CRDs add kinds to what the cluster serves.
func (o Options) writer() (apply.Writer, error) {
	c, err := client.New(o.Config, client.Options{Scheme: o.Scheme})
	if err != nil {
		return apply.Writer{}, fmt.Errorf("connect to the cluster: %w", err)
	}
	return apply.Writer{Client: c}, nil
}

func applyCRDs(ctx context.Context, o Options) error {
	w, err := o.writer()
	if err != nil {
		return err
	}
	crds, err := readCRDs()
	if err != nil {
		return err
	}
	for _, crd := range crds {
		if err := w.Merge(ctx, crd); err != nil {
			return err
		}
	}
	for _, crd := range crds {
		if err := established(ctx, w.Client, crd.Name); err != nil {
			return err
		}
	}
	return nil
}

func readCRDs() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var out []*apiextensionsv1.CustomResourceDefinition
	err := eachFile(config.CRDs, "crd", func(text []byte) error {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return err
		}
		crd.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
		out = append(out, crd)
		return nil
	})
	return out, err
}

// established waits until the API server serves the kind.
func established(ctx context.Context, c client.Client, name string) error {
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := c.Get(ctx, client.ObjectKey{Name: name}, crd); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w", name, err)
	}
	return nil
}

func applySystem(ctx context.Context, o Options) error {
	return applyAll(ctx, o, compile.System(o.Operator))
}

func applyGuards(ctx context.Context, o Options) error {
	w, err := o.writer()
	if err != nil {
		return err
	}
	capabilities, err := o.Capabilities(ctx, w.Client)
	if err != nil {
		return err
	}
	guards, err := compile.Guards(capabilities, o.Operator)
	if err != nil {
		return err
	}
	return applyAll(ctx, o, guards)
}

func applyAll(ctx context.Context, o Options, objects []compile.Object) error {
	w, err := o.writer()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if _, err := w.Apply(ctx, object, nil); err != nil {
			return err
		}
	}
	return nil
}

// createClasses adds the shipped classes that are missing. The platform may have made
// them its own, so what is there stays.
func createClasses(ctx context.Context, o Options) error {
	if !o.Classes {
		return nil
	}
	w, err := o.writer()
	if err != nil {
		return err
	}
	return eachFile(config.Classes, "classes", func(text []byte) error {
		class := &v1alpha1.TenantClass{}
		if err := yaml.UnmarshalStrict(text, class); err != nil {
			return err
		}
		if err := w.Create(ctx, class); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create TenantClass %s: %w", class.Name, err)
		}
		return nil
	})
}

func eachFile(files fs.FS, dir string, use func([]byte) error) error {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, e := range entries {
		text, err := fs.ReadFile(files, dir+"/"+e.Name())
		if err == nil {
			err = use(text)
		}
		if err != nil {
			return fmt.Errorf("read %s/%s: %w", dir, e.Name(), err)
		}
	}
	return nil
}
