package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/config"
	"watertight.dev/watertight/internal/analyze/all"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

// subject is what a command looks at: a live cluster, folders or a bundle.
type subject struct {
	connection
	tenancy tenancy
	plugin  networkPlugin
	folders []string
	bundle  string
	probe   bool
	// err is where it is shown how far a long load is; nil shows nothing.
	err io.Writer
}

func (s *subject) addFlags(f *pflag.FlagSet) {
	s.addPictureFlags(f)
	f.BoolVar(&s.probe, "probe", false, "also try, as each tenant's owner and by server-side dry-run, what must be refused (fills OBSERVED)")
}

// addPictureFlags adds the flags of commands that only look.
func (s *subject) addPictureFlags(f *pflag.FlagSet) {
	s.connection.addFlags(f)
	f.StringArrayVarP(&s.folders, "filename", "f", nil, "folder (or file) of manifests to judge instead of a live cluster; may be given several times")
	f.StringVar(&s.bundle, "bundle", "", "saved snapshot to judge instead of a live cluster")
	s.tenancy.addFlag(f)
	s.plugin.addFlag(f)
}

// check refuses flags that contradict each other.
func (s *subject) check() error {
	offline := len(s.folders) > 0 || s.bundle != ""
	switch {
	case len(s.folders) > 0 && s.bundle != "":
		return errors.New("-f and --bundle exclude each other; give one of them")
	case offline && s.asked():
		return errors.New("-f and --bundle look at files, --kubeconfig and --context at a cluster; give one of them")
	case offline && s.probe:
		return errors.New("--probe tries things on a live cluster; leave out -f and --bundle")
	}
	if _, err := s.tenancy.mappings(); err != nil {
		return err
	}
	return s.plugin.check()
}

// input loads the picture and gathers what verify needs beside it.
func (s *subject) input(ctx context.Context) (verify.Input, error) {
	in := verify.Input{Analyzers: all.All()}
	var err error
	switch {
	case len(s.folders) > 0:
		in.Source, in.AsIfApplied = fmt.Sprintf("manifests in %s", strings.Join(s.folders, ", ")), true
		if in.Snapshot, err = loadFolders(ctx, s.err, s.folders); err == nil {
			in.Snapshot, in.Notes, err = withShippedClasses(in.Snapshot)
		}
	case s.bundle != "":
		in.Source = "bundle " + s.bundle
		in.Snapshot, err = load.Bundle(ctx, s.bundle)
	default:
		err = s.live(ctx, &in)
	}
	if err != nil {
		return in, cannotTell(err)
	}
	if in.Snapshot, err = s.tenancy.apply(in.Snapshot); err != nil {
		return in, err
	}
	in.Snapshot = s.plugin.apply(in.Snapshot)
	in.Notes = append(in.Notes, pluginNotes(in.Snapshot)...)
	in.Capabilities = verify.CapabilitiesOf(in.Snapshot)
	return in, nil
}

// live looks at the cluster of the kubeconfig.
func (s *subject) live(ctx context.Context, in *verify.Input) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	in.Source = "cluster " + cfg.Host
	if in.Snapshot, err = load.Live(ctx, cfg); err != nil {
		return err
	}
	if s.probe {
		in.Observe = verify.Probing(cfg, in.Snapshot)
	}
	return nil
}

// loadFolders reads several folders into one picture; later ones win. How far it is goes
// to out, which may be nil.
func loadFolders(ctx context.Context, out io.Writer, folders []string) (*snapshot.Snapshot, error) {
	progress := newLoadProgress(out, time.Now)
	defer progress.end()
	var picture *snapshot.Snapshot
	for _, dir := range folders {
		s, err := load.WatchedFolder(ctx, dir, progress.show)
		if err != nil {
			return nil, err
		}
		if picture == nil {
			picture = s
			continue
		}
		picture = picture.With(objectsOf(s)...).WithProblems(s.Problems...).WithSources(s.Sources)
	}
	return picture, nil
}

// objectsOf lists what a snapshot was made of: pods that a workload would create are
// made again from the workload.
func objectsOf(s *snapshot.Snapshot) []runtime.Object {
	var out []runtime.Object
	for _, k := range snapshot.Kinds() {
		for _, o := range k.Of(s) {
			if pod, ok := o.(*corev1.Pod); ok {
				if _, _, made := snapshot.Template(pod); made {
					continue
				}
			}
			out = append(out, o)
		}
	}
	for _, w := range s.Workloads {
		out = append(out, w.Object)
	}
	for _, o := range s.Others {
		out = append(out, o)
	}
	return out
}

// withShippedClasses adds the classes that the Tenants name, the manifests lack and
// Watertight ships, and says so.
func withShippedClasses(s *snapshot.Snapshot) (*snapshot.Snapshot, []string, error) {
	files, err := fs.Glob(config.Classes, "classes/*.yaml")
	if err != nil {
		return nil, nil, fmt.Errorf("list the shipped classes: %w", err)
	}
	var notes []string
	for _, file := range files {
		text, err := config.Classes.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("read the shipped class %s: %w", file, err)
		}
		var class v1alpha1.TenantClass
		if err := yaml.UnmarshalStrict(text, &class); err != nil {
			return nil, nil, fmt.Errorf("read the shipped class %s: %w", file, err)
		}
		named := func(t *v1alpha1.Tenant) bool { return t.Spec.ClassName == class.Name }
		known := func(c *v1alpha1.TenantClass) bool { return c.Name == class.Name }
		if slices.ContainsFunc(s.Tenants, named) && !slices.ContainsFunc(s.TenantClasses, known) {
			s = s.With(&class)
			notes = append(notes, fmt.Sprintf("TenantClass %s is not among the manifests: the one that Watertight ships is taken", class.Name))
		}
	}
	return s, notes, nil
}

// verify runs the verification; an unknown tenant is a mistake of the command line.
func (s *subject) verify(ctx context.Context, tenants []string) (verify.Report, error) {
	in, err := s.input(ctx)
	if err != nil {
		return verify.Report{}, err
	}
	in.Tenants = tenants
	report, err := verify.Run(ctx, in)
	var unknown *verify.UnknownTenant
	if errors.As(err, &unknown) {
		return report, err
	}
	return report, cannotTell(err)
}
