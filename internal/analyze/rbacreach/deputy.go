package rbacreach

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/guarantee"
)

//go:embed deputies.yaml
var deputiesFile []byte

// deputy is a controller that acts on what others write; deputies.yaml explains the fields.
type deputy struct {
	ID         string   `json:"id"`
	Controller string   `json:"controller"`
	Groups     []string `json:"groups"`
	Resources  []string `json:"resources"`
	Accounts   []string `json:"accounts,omitempty"`
	Gives      string   `json:"gives,omitempty"`
	Cluster    bool     `json:"cluster,omitempty"`
	Home       bool     `json:"home,omitempty"`
	Opens      []string `json:"opens,omitempty"`
	Confines   []string `json:"confines,omitempty"`
	Unless     string   `json:"unless,omitempty"`
	Effect     string   `json:"effect"`
	Fix        string   `json:"fix"`
	Reference  string   `json:"reference"`
	step       *step
}

// deputiesData is the file: the deputies, and the groups that need none.
type deputiesData struct {
	Deputies []deputy `json:"deputies"`
	Quiet    []struct {
		Groups  []string `json:"groups"`
		Because string   `json:"because"`
	} `json:"quiet"`
}

// deputies is the table, quiet the groups that it need not name.
var deputies, quiet = readDeputies(deputiesFile)

func readDeputies(file []byte) ([]deputy, map[string]bool) {
	var data deputiesData
	if err := yaml.UnmarshalStrict(file, &data); err != nil {
		panic(fmt.Sprintf("read deputies.yaml: %v", err)) // it is part of the program; a test reads it
	}
	for i := range data.Deputies {
		d := &data.Deputies[i]
		id := guarantee.API5
		if d.Gives != "" {
			id = guarantee.API3
		}
		d.step = &step{ID: d.ID, Weak: d.Unless != "", Guarantee: id, Effect: d.Effect, Fix: d.Fix, Reference: d.Reference}
	}
	groups := map[string]bool{}
	for _, q := range data.Quiet {
		for _, g := range q.Groups {
			groups[g] = true
		}
	}
	return data.Deputies, groups
}

// writtenBy reports whether a rule lets its holder write what the controller acts on, and
// whether it names the group.
func (d *deputy) writtenBy(rule *rbacv1.PolicyRule) (named, ok bool) {
	if !overlap(rule.APIGroups, d.Groups) || !writes(rule) {
		return false, false
	}
	for _, r := range d.Resources {
		if grants(rule.Resources, r) {
			return slices.ContainsFunc(d.Groups, func(g string) bool { return slices.Contains(rule.APIGroups, g) }), true
		}
	}
	return false, false
}

// writes reports whether a rule creates or changes objects.
func writes(rule *rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rule.Verbs, func(v string) bool {
		return v == rbacv1.VerbAll || slices.Contains(changeVerbs, v) || v == "create" && len(rule.ResourceNames) == 0
	})
}

// runsAs reports whether the controller runs as a ServiceAccount of that name.
func (d *deputy) runsAs(name string) bool {
	return slices.ContainsFunc(d.Accounts, func(pattern string) bool {
		if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
			return strings.HasSuffix(name, suffix)
		}
		prefix, ok := strings.CutSuffix(pattern, "*")
		return name == pattern || ok && strings.HasPrefix(name, prefix)
	})
}

// started reports whether one of the flags or variables is set in a pod.
func started(pod *corev1.Pod, options []string) bool {
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		for _, option := range options {
			given := func(arg string) bool {
				rest, ok := strings.CutPrefix(arg, option)
				return ok && rest != "=" && (rest == "" || rest[0] == '=')
			}
			if slices.ContainsFunc(c.Args, given) || slices.ContainsFunc(c.Command, given) ||
				slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == option && e.Value != "" }) {
				return true
			}
		}
	}
	return false
}

// fromElsewhere reports whether one of the variables is read from a ConfigMap or Secret.
func fromElsewhere(pod *corev1.Pod, variables []string) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
			return e.ValueFrom != nil && slices.Contains(variables, e.Name)
		})
	})
}
