package rules

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// tierDialect is how one kind writes what the policies of the Admin and Baseline tiers
// have in common.
type tierDialect struct {
	kind, apiVersion string
	// fields of the spec, without subject, ingress and egress.
	fields  []string
	actions map[string]Action
	// egress are the fields of egress peers; those of ingress peers are always
	// namespaces and pods.
	egress []string
	// portsField of a rule lists ports, and readPort reads an item of it; doubt is the
	// path of what is not known in it.
	portsField string
	readPort   func(r *Reader, n tierNode) (ports []Port, doubt string, err error)
	// most rules in a direction, and most peers and ports in a rule.
	most int
}

// Limits of the API: of networks and domain names in a peer, and of a rule's name.
const (
	mostPeerItems   = 25
	longestRuleName = 100
	lastPriority    = 1000
)

// tierReader reads one policy.
type tierReader struct {
	*Reader
	*tierDialect
	policy *Policy
}

// read fills the policy with what all kinds share, and returns the other fields of spec.
func (t *tierReader) read(u *unstructured.Unstructured) (map[string]tierNode, error) {
	if u.GetAPIVersion() != t.apiVersion {
		return nil, fmt.Errorf("apiVersion is %q: %s is read in %s", u.GetAPIVersion(), t.kind, t.apiVersion)
	}
	root := tierNode{"", u.Object}
	set, stranger, err := root.fields("apiVersion", "kind", "metadata", "status", "spec")
	if err != nil {
		return nil, err
	}
	t.doubt(strings.TrimPrefix(stranger, "."))
	spec := tierNode{"spec", set["spec"].value}
	set, stranger, err = spec.fields(append([]string{"subject", "ingress", "egress"}, t.fields...)...)
	if err != nil {
		return nil, err
	}
	t.doubt(stranger)
	if err := t.subject(set["subject"].orMissing(spec, "subject")); err != nil {
		return nil, err
	}
	for _, d := range []Direction{Ingress, Egress} {
		list, ok := set[d.String()]
		if !ok || list.emptyList() {
			continue
		}
		items, err := list.list(t.most)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if err := t.rule(d, item); err != nil {
				return nil, err
			}
		}
	}
	return set, nil
}

// doubt remembers a field outside of any rule that is not known.
func (t *tierReader) doubt(stranger string) {
	if stranger != "" {
		t.policy.Doubts = append(t.policy.Doubts, Doubt{Field: stranger, Why: t.strange()})
	}
}

// strange says why a part of a policy is not understood.
func (t *tierReader) strange() string { return "not known in " + t.kind + " of " + t.apiVersion }

// subject reads who is governed. Where part of that is not known, everybody may be.
func (t *tierReader) subject(n tierNode) error {
	set, stranger, err := n.fields("namespaces", "pods")
	if err != nil {
		return err
	}
	switch {
	case stranger != "":
		t.doubt(stranger)
		return nil
	case len(set) != 1:
		return fmt.Errorf("%s: set exactly one of namespaces and pods", n.path)
	}
	pods, stranger, err := t.pods(set)
	if err != nil || stranger != "" {
		t.doubt(stranger)
		return err
	}
	t.policy.Subject = *pods
	return nil
}

// pods reads a choice of pods out of the fields of a subject or peer; it is nil where
// there is none.
func (t *tierReader) pods(set map[string]tierNode) (pods *Pods, stranger string, err error) {
	if n, ok := set["namespaces"]; ok {
		pods = &Pods{}
		pods.Namespaces, stranger, err = n.selector(t.Reader)
		return pods, stranger, err
	}
	n, ok := set["pods"]
	if !ok {
		return nil, "", nil
	}
	inner, stranger, err := n.fields("namespaceSelector", "podSelector")
	if err != nil || stranger != "" {
		return nil, stranger, err
	}
	pods = &Pods{}
	if s, ok := inner["namespaceSelector"]; ok { // optional in v1alpha2: every namespace
		if pods.Namespaces, stranger, err = s.selector(t.Reader); err != nil || stranger != "" {
			return nil, stranger, err
		}
	}
	pods.Labels, stranger, err = inner["podSelector"].orMissing(n, "podSelector").selector(t.Reader)
	return pods, stranger, err
}
