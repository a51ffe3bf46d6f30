package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/snapshot/load"
)

func newRenderCommand(e *env) *cobra.Command {
	var dir string
	var guards bool
	c := compile.Capabilities{MutatingAdmissionPolicy: true}
	cmd := &cobra.Command{
		Use:   "render -f DIR",
		Short: "Print what the Tenants in a folder are compiled into",
		Long: `Print, as YAML, the objects that the Tenants and TenantClasses in a folder are compiled into. It needs no
cluster; what a cluster would offer is said with flags. Namespaces are printed sealed, as they are first made.`,
		Example: "  watertight render -f examples/shop\n  watertight render -f examples/shop --guards | kubectl diff -f -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return errors.New("-f is needed: name a folder or file with Tenants")
			}
			return render(cmd.Context(), e.out, dir, guards, c)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&dir, "filename", "f", "", "folder or file with Tenants and TenantClasses")
	f.BoolVar(&guards, "guards", false, "print the cluster-wide guards too")
	f.StringSliceVar(&c.RuntimeClasses, "runtime-classes", nil, "names of the cluster's RuntimeClasses")
	f.StringVar(&c.DefaultPriorityClass, "default-priority-class", "", "name of the cluster's default PriorityClass")
	f.BoolVar(&c.ClusterNetworkPolicy, "cluster-network-policy", false, "the cluster's engine enforces ClusterNetworkPolicy v1alpha2")
	return cmd
}

func render(ctx context.Context, out io.Writer, dir string, guards bool, c compile.Capabilities) error {
	s, err := load.Folder(ctx, dir)
	if err != nil {
		return cannotTell(err)
	}
	if len(s.Problems) > 0 {
		p := s.Problems[0]
		return cannotTell(fmt.Errorf("%s: %s", p.Source, p.Message))
	}
	if s, _, err = withShippedClasses(s); err != nil {
		return cannotTell(err)
	}
	var objects []compile.Object
	if guards {
		if objects, err = compile.Guards(c, v1alpha1.OperatorUser); err != nil {
			return cannotTell(err)
		}
	}
	for _, t := range s.Tenants {
		peers := slices.DeleteFunc(slices.Clone(s.Tenants), func(p *v1alpha1.Tenant) bool { return p.Name == t.Name })
		result, err := compile.Tenant(compile.Input{Tenant: t, Class: s.ClassOf(t), Peers: peers, Capabilities: c})
		if err != nil {
			return &exitError{code: exitUsage, cause: fmt.Errorf("tenant %s: %w", t.Name, err)}
		}
		objects = append(objects, result.Objects...)
	}
	return writeYAML(out, objects)
}

// writeYAML prints objects as documents, without the parts that only a cluster fills in.
func writeYAML(out io.Writer, objects []compile.Object) error {
	var text bytes.Buffer
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return fmt.Errorf("convert %s: %w", o.GetName(), err)
		}
		delete(content, "status")
		doc, err := yaml.Marshal(content)
		if err != nil {
			return fmt.Errorf("print %s: %w", o.GetName(), err)
		}
		text.WriteString("---\n")
		text.Write(doc)
	}
	_, err := out.Write(text.Bytes())
	return err
}
