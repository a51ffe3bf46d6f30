package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/compile"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// subject is a tenant on its way into the report.
type subject struct {
	tenant   *v1alpha1.Tenant
	class    *v1alpha1.TenantClass
	objects  []compile.Object
	rejected error
	// mapped: there is no Tenant (see snapshot.Mapping), so nothing is compiled.
	mapped   bool
	observed []guarantee.Finding
	// notObserved is why there is no observation although one was asked for.
	notObserved error
}

// Run verifies. It fails only where it cannot give a report at all: an unknown tenant,
// or a guard set that cannot be built.
func Run(ctx context.Context, in Input) (Report, error) {
	subjects, err := gather(in)
	if err != nil {
		return Report{}, err
	}
	guards, err := installed(in.Snapshot, in.Capabilities)
	if err != nil {
		return Report{}, err
	}
	v := &verification{in: in, guards: guards, picture: in.Snapshot, compared: map[snapshot.ObjectKey]comparison{}}
	if in.AsIfApplied && compiles(subjects) {
		v.picture = in.Snapshot.With(applied(subjects, guards)...)
	}
	v.index = indexOf(v.picture)
	v.predict()
	report := Report{Format: Format, Source: in.Source, Tenants: []TenantReport{}, Notes: v.notes(subjects)}
	for _, s := range subjects {
		if !asked(in, s.tenant.Name) {
			continue
		}
		switch {
		case in.Observe == nil:
		case s.mapped:
			s.notObserved = errors.New("a mapped tenant has no owner to try things as")
		default:
			s.observed, s.notObserved = in.Observe(ctx, s.tenant.Name)
		}
		if one := v.tenant(s); in.Each != nil {
			in.Each(one)
		} else {
			report.Tenants = append(report.Tenants, one)
		}
	}
	report.Verdict = worst(report.Tenants, func(t TenantReport) guarantee.Verdict { return t.Verdict })
	return report, nil
}

// gather compiles every tenant of the snapshot: peers matter to each other.
func gather(in Input) ([]subject, error) {
	tenants := slices.Clone(in.Snapshot.Tenants)
	slices.SortFunc(tenants, func(a, b *v1alpha1.Tenant) int { return compareStrings(a.Name, b.Name) })
	var known []string
	var out []subject
	for _, t := range tenants {
		known = append(known, t.Name)
		s := subject{tenant: t, class: in.Snapshot.ClassOf(t), mapped: in.Snapshot.IsMapped(t.Name)}
		if !s.mapped {
			peers := slices.DeleteFunc(slices.Clone(tenants), func(p *v1alpha1.Tenant) bool { return p == t || in.Snapshot.IsMapped(p.Name) })
			result, err := compile.Tenant(compile.Input{Tenant: t, Class: s.class, Peers: peers, Capabilities: in.Capabilities})
			s.objects, s.rejected = result.Objects, err
		}
		out = append(out, s)
	}
	for _, name := range in.Tenants {
		if !slices.Contains(known, name) {
			return nil, &UnknownTenant{Name: name, Known: known}
		}
	}
	return out, nil
}

// compiles reports whether there is a Tenant to compile.
func compiles(subjects []subject) bool {
	return slices.ContainsFunc(subjects, func(s subject) bool { return !s.mapped })
}

func asked(in Input, tenant string) bool {
	return len(in.Tenants) == 0 || slices.Contains(in.Tenants, tenant)
}

// applied is everything that the operator would apply.
func applied(subjects []subject, guards []compile.Object) []runtime.Object {
	var out []runtime.Object
	for _, s := range subjects {
		for _, o := range s.objects {
			out = append(out, o)
		}
	}
	for _, g := range guards {
		out = append(out, g)
	}
	return out
}

// verification holds what all tenants' rows are made of.
type verification struct {
	in      Input
	guards  []compile.Object
	picture *snapshot.Snapshot
	index   index
	found   map[cellKey][]guarantee.Finding
	answers map[guarantee.ID]bool
	// compared remembers comparisons: tenants share the guards.
	compared map[snapshot.ObjectKey]comparison
}

type cellKey struct {
	tenant    string
	guarantee guarantee.ID
}

// predict runs every analyzer over the picture.
func (v *verification) predict() {
	v.found, v.answers = map[cellKey][]guarantee.Finding{}, map[guarantee.ID]bool{}
	for _, a := range v.in.Analyzers {
		for _, id := range a.Guarantees {
			v.answers[id] = true
		}
		for _, f := range a.Run(v.picture) {
			key := cellKey{f.Tenant, f.Guarantee}
			v.found[key] = append(v.found[key], f)
		}
	}
}

// notes say what bears on every verdict.
func (v *verification) notes(subjects []subject) []string {
	notes := append(slices.Clone(v.in.Notes), v.in.Snapshot.TenancyNotes()...)
	if len(subjects) == 0 {
		notes = append(notes, "there is no Tenant here: what there is is judged as it stands, and nothing promises anything of it")
	}
	if v.in.AsIfApplied && compiles(subjects) {
		notes = append(notes, "judged as if these manifests and what Watertight makes of their Tenants were both applied")
		if names := v.in.Capabilities.RuntimeClasses; len(names) > 0 {
			notes = append(notes, "the cluster is taken to have the RuntimeClasses "+strings.Join(names, ", "))
		}
	}
	for _, p := range v.in.Snapshot.Problems {
		notes = append(notes, fmt.Sprintf("could not read %s: %s", p.Source, p.Message))
	}
	if simulated(v.picture) {
		notes = append(notes, "nodes are simulated (KWOK): no container runs, no packet can be tried")
	}
	return notes
}

// simulated tells whether the cluster's nodes run nothing.
func simulated(s *snapshot.Snapshot) bool {
	for _, n := range s.Nodes {
		if n.Annotations["kwok.x-k8s.io/node"] != "" || n.Labels["watertight.dev/simulated"] != "" {
			return true
		}
	}
	return false
}

func rejection(err error) string {
	var r *compile.Rejected
	if errors.As(err, &r) {
		return fmt.Sprintf("%s (%s)", r.Error(), r.Reason)
	}
	return err.Error()
}

// worst is the worst verdict of a list; Unknown for an empty one.
func worst[T any](list []T, verdict func(T) guarantee.Verdict) guarantee.Verdict {
	verdicts := make([]guarantee.Verdict, 0, len(list))
	for _, e := range list {
		verdicts = append(verdicts, verdict(e))
	}
	return guarantee.Worst(verdicts...)
}
