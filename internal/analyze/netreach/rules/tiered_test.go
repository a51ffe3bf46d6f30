package rules

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// policyOf makes an untyped object of YAML.
func policyOf(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatalf("case is no YAML: %v\n%s", err, text)
	}
	return u
}

// describe prints a policy in words that tests compare.
func describe(p *Policy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d on %s\n", [...]string{"admin", "namespace", "baseline"}[p.Tier], p.Priority, describePods(&p.Subject))
	for d, list := range p.Rules {
		for _, r := range list {
			fmt.Fprintf(&b, "%s %s %s", Direction(d), r.Field, r.Action)
			for _, peer := range r.Peers {
				fmt.Fprintf(&b, " {%s}", describePeer(&peer))
			}
			for _, port := range r.Ports {
				fmt.Fprintf(&b, " (%s)", describePort(&port))
			}
			if r.Unsure != "" {
				fmt.Fprintf(&b, " unsure: %s", r.Unsure)
			}
			b.WriteString("\n")
		}
	}
	for _, d := range p.Doubts {
		fmt.Fprintf(&b, "doubt %s: %s\n", d.Field, d.Why)
	}
	return b.String()
}

func describePods(p *Pods) string {
	ns, labels := "every namespace", "every pod"
	if p.Namespace != "" {
		ns = p.Namespace
	} else if !p.Namespaces.Empty() {
		ns = "namespaces " + p.Namespaces.String()
	}
	if !p.Labels.Empty() {
		labels = "pods " + p.Labels.String()
	}
	return labels + " in " + ns
}

func describePeer(p *Peer) string {
	switch {
	case p.Everyone:
		return "everyone"
	case p.Pods != nil:
		return describePods(p.Pods)
	case p.Addresses != nil:
		return p.Addresses.String() + [...]string{"", " and its pods", " without pods"}[p.MatchesPods]
	case p.Nodes != nil:
		return "nodes " + p.Nodes.String()
	}
	return "unknown " + p.Unknown + map[bool]string{true: " outside"}[p.Outside]
}

func describePort(p *Port) string {
	if p.Name != "" {
		return string(p.Protocol) + " " + p.Name
	}
	return p.Ports.String()
}

// tierCase is a part of a policy and what is read of it: lines of describe, or an error.
type tierCase struct {
	name, yaml string
	want       string
	err        string
}

type tierReadFunc func(*Reader, *unstructured.Unstructured) (*Policy, error)

// runTierCases puts each case's YAML below head, compares the lines after the first
// (whole, where the case's YAML is a whole spec) and errors.
func runTierCases(t *testing.T, read tierReadFunc, head string, cases []tierCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := read(NewReader(), policyOf(t, head+c.yaml))
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one that says %q", err, c.err)
				}
				return
			case err != nil:
				t.Fatal(err)
			}
			got := describe(p)
			if !strings.HasPrefix(strings.TrimSpace(c.want), "admin") && !strings.HasPrefix(strings.TrimSpace(c.want), "baseline") {
				_, got, _ = strings.Cut(got, "\n")
			}
			if got, want := tidy(got), tidy(c.want); got != want {
				t.Errorf("read\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func tidy(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
