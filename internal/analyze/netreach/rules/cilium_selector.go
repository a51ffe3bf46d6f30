package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Labels that Cilium gives a pod's identity beside the pod's own
// (pkg/k8s/apis/cilium.io in github.com/cilium/cilium).
const (
	ciliumOwned           = "io.cilium.k8s"
	ciliumNamespace       = "io.kubernetes.pod.namespace"
	ciliumNamespaceLabels = ciliumOwned + ".namespace.labels."
	ciliumServiceAccount  = ciliumOwned + ".policy.serviceaccount"
	ciliumCluster         = ciliumOwned + ".policy.cluster"
)

// metadataName is the label that holds a namespace's name.
const metadataName = "kubernetes.io/metadata.name"

// Sources of labels; a key may begin with one and a colon.
const (
	sourceAny      = "any"
	sourceK8s      = "k8s"
	sourceReserved = "reserved"
)

// ciliumSelector is an EndpointSelector taken apart.
type ciliumSelector struct {
	pods, namespaces []Requirement
	// named and labelled: it asks for the namespace by name, or by its labels.
	named, labelled bool
	// overridden are the namespaces that a namespaced policy's endpointSelector names and
	// Cilium replaces by the policy's own.
	overridden []Requirement
	reserved   []Requirement
	// empty: some requirement cannot be met.
	empty bool
	// clusters: other clusters of a mesh may be meant.
	clusters bool
	// unsure says why it may select less than it says.
	unsure string
}

// readCiliumSelector takes a selector apart. What Cilium refuses is an error.
func readCiliumSelector(field string, in *ciliumLabels) (*ciliumSelector, error) {
	s := &ciliumSelector{}
	if in == nil {
		return nil, fmt.Errorf("%s is null: use {} to select every pod", field)
	}
	for _, k := range slices.Sorted(maps.Keys(in.MatchLabels)) {
		v := in.MatchLabels[k]
		if v == nil {
			return nil, fmt.Errorf("%s.matchLabels[%q] is null: use \"\"", field, k)
		}
		r := Requirement{k, metav1.LabelSelectorOpIn, []string{*v}}
		if err := s.take(r, true); err != nil {
			return nil, fmt.Errorf("%s.matchLabels: %w", field, err)
		}
	}
	for i, e := range in.MatchExpressions {
		if e == nil {
			return nil, fmt.Errorf("%s.matchExpressions[%d] is null", field, i)
		}
		r := Requirement{e.Key, metav1.LabelSelectorOperator(e.Operator), slices.Clone(e.Values)}
		if err := s.take(r, false); err != nil {
			return nil, fmt.Errorf("%s.matchExpressions[%d]: %w", field, i, err)
		}
	}
	return s, nil
}

// take sorts a requirement by what its key is about.
func (s *ciliumSelector) take(r Requirement, label bool) error {
	if err := r.check(); err != nil {
		return err
	}
	source, key, err := ciliumKey(&r)
	if err != nil {
		return err
	}
	positive := r.Operator == metav1.LabelSelectorOpIn || r.Operator == metav1.LabelSelectorOpExists
	switch r.Key = key; {
	case source == sourceReserved:
		s.reserved = append(s.reserved, r)
		s.empty = s.empty || positive // of pods: none is the host, or outside the cluster
	case source != sourceAny && source != sourceK8s:
		s.empty = s.empty || positive // pods have no labels of other sources
	case key == ciliumNamespace:
		s.named = true
		r.Key = metadataName
		if label && source == sourceK8s {
			s.overridden = append(s.overridden, r)
		} else {
			s.namespaces = append(s.namespaces, r)
		}
	case key == ciliumCluster:
		s.cluster(&r)
	case key == ciliumServiceAccount:
		r.Key = LabelServiceAccount
		s.pods = append(s.pods, r)
	case !ciliumIdentityLabel(key):
		s.labelled = s.labelled || strings.HasPrefix(key, ciliumNamespaceLabels)
		s.unsure = fmt.Sprintf("the label %q is no part of a pod's identity unless Cilium's --labels says so", key)
		if positive {
			s.keep(r)
		}
	default:
		s.keep(r)
	}
	return nil
}

// keep keeps a requirement on a label of the pod or of its namespace.
func (s *ciliumSelector) keep(r Requirement) {
	if rest, ok := strings.CutPrefix(r.Key, ciliumNamespaceLabels); ok {
		r.Key = rest
		s.labelled = true
		s.namespaces = append(s.namespaces, r)
		return
	}
	s.pods = append(s.pods, r)
}

// cluster takes a requirement on the name of the cluster, which no object tells.
func (s *ciliumSelector) cluster(r *Requirement) {
	switch r.Operator {
	case metav1.LabelSelectorOpExists:
		s.clusters = true
	case metav1.LabelSelectorOpDoesNotExist:
		s.empty = true
	default:
		s.clusters = true
		s.unsure = "it asks for the name of the cluster, which is not known"
	}
}

// ciliumKey splits a key into source and name, and refuses what Cilium refuses.
func ciliumKey(r *Requirement) (source, key string, err error) {
	source, key, found := strings.Cut(r.Key, ":")
	if !found {
		source, key = sourceAny, r.Key
	}
	if problems := validation.IsQualifiedName(key); len(problems) > 0 {
		return "", "", fmt.Errorf("key %q is no label: %s", r.Key, problems[0])
	}
	for _, v := range r.Values {
		if problems := validation.IsValidLabelValue(v); len(problems) > 0 {
			return "", "", fmt.Errorf("value %q of key %q: %s", v, r.Key, problems[0])
		}
	}
	return source, key, nil
}

// Labels that Cilium leaves out of identities by default, and those that it takes in all
// the same (docs.cilium.io, "Limiting Identity-Relevant Labels").
var (
	identityIn  = []string{ciliumNamespace, strings.TrimSuffix(ciliumNamespaceLabels, "."), "app.kubernetes.io", ciliumCluster, ciliumServiceAccount}
	identityOut = []string{
		"io.kubernetes", "kubernetes.io", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
		"batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/controller-uid", "k8s.io",
		"pod-template-generation", "pod-template-hash", "controller-revision-hash", "controller-uid",
		"annotation", "etcd_node", "topology.kubernetes.io",
	}
)

// ciliumIdentityLabel reports whether a label is part of identities by default: of the
// prefixes that fit, the longest that takes it in must be longer than the shortest that
// leaves it out.
func ciliumIdentityLabel(key string) bool {
	in, out := 0, 0
	for _, p := range identityIn {
		if strings.HasPrefix(key, p) {
			in = max(in, len(p))
		}
	}
	leave := func(n int) {
		if out == 0 || n < out {
			out = n
		}
	}
	for _, p := range identityOut {
		if strings.HasPrefix(key, p) {
			leave(len(p))
		}
	}
	const beta = "beta.kubernetes.io"
	if i := strings.LastIndex(key, beta); i >= 0 {
		leave(i + len(beta))
	}
	if in == 0 && strings.HasPrefix(key, ciliumOwned) {
		return false // Cilium takes a pod's own away
	}
	return out == 0 || in > out
}

// nobody selects no pod: none has the label reserved:none.
func (c *ciliumReader) nobody() *Selector {
	s, _ := c.Select([]Requirement{{sourceReserved + ":none", metav1.LabelSelectorOpExists, nil}})
	return s
}

// subjectPods are the pods of an endpointSelector; that of a namespaced policy selects in
// its own namespace only.
func (c *ciliumReader) subjectPods(s *ciliumSelector) (Pods, error) {
	if c.namespace == "" {
		s.namespaces = append(s.namespaces, s.overridden...)
		return c.podsOf(s)
	}
	s.namespaces = append(s.namespaces, Requirement{metadataName, metav1.LabelSelectorOpIn, []string{c.namespace}})
	return c.podsOf(s)
}

// podsOf makes Pods of a selector whose namespaces are settled.
func (c *ciliumReader) podsOf(s *ciliumSelector) (out Pods, err error) {
	if s.empty {
		return Pods{Labels: c.nobody()}, nil
	}
	var rest []Requirement
	for _, r := range s.namespaces {
		switch {
		case r.Key != metadataName:
			rest = append(rest, r)
		case r.Operator == metav1.LabelSelectorOpIn && len(r.Values) == 1 && out.Namespace == "":
			out.Namespace = r.Values[0]
		case r.Operator == metav1.LabelSelectorOpExists: // every namespace has a name
		default:
			rest = append(rest, r)
		}
	}
	name := map[string]string{metadataName: out.Namespace}
	if out.Namespace != "" {
		for i := len(rest) - 1; i >= 0; i-- { // what else is said of the name is true or not
			if r := rest[i]; r.Key == metadataName && r.matches(name) {
				rest = slices.Delete(rest, i, i+1)
			} else if r.Key == metadataName {
				return Pods{Labels: c.nobody()}, nil
			}
		}
	}
	if len(rest) > 0 {
		if out.Namespace != "" {
			rest = append(rest, Requirement{metadataName, metav1.LabelSelectorOpIn, []string{out.Namespace}})
			out.Namespace = ""
		}
		if out.Namespaces, err = c.Select(rest); err != nil {
			return Pods{}, err
		}
	}
	if len(s.pods) > 0 {
		out.Labels, err = c.Select(s.pods)
	}
	return out, err
}
