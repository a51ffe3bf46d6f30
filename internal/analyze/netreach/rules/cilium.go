package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Kinds that Cilium reads.
const (
	kindCilium            = "CiliumNetworkPolicy"
	kindCiliumClusterwide = "CiliumClusterwideNetworkPolicy"
)

// Cilium reads a CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy (cilium.io/v2), at
// the layers of addresses and ports, as Cilium 1.20 does
// (docs.cilium.io/en/stable/security/policy/language). It gives one Policy for spec and
// one for each of specs.
//
// Cilium refuses some policies that an API server takes; a refused one has no effect at
// all, so it is an error here: nobody may count on what it seems to deny. What depends on
// how the agent is started is a Doubt, or makes its rule Unsure. Of a pod that has no
// identity yet (the entity init) nothing is said, but that it may be any pod.
func (r *Reader) Cilium(u *unstructured.Unstructured) ([]*Policy, error) {
	c := &ciliumReader{Reader: r, object: u}
	specs, err := c.specs()
	if err != nil {
		return nil, err
	}
	var out []*Policy
	for _, s := range specs {
		p, err := c.policy(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	for _, p := range out { // a doubt about the object is one about each of its parts
		p.Doubts = append(p.Doubts, c.doubts...)
	}
	return out, nil
}

// ciliumReader reads one object.
type ciliumReader struct {
	*Reader
	object *unstructured.Unstructured
	// namespace of the object, "" where it is cluster-wide.
	namespace string
	// doubts are about the whole object: Cilium takes or refuses it as one.
	doubts []Doubt
}

// ciliumSpec is a policy in the object, and its place.
type ciliumSpec struct {
	field string
	value map[string]any
	// alone: the object has no other.
	alone bool
}

// specs are the object's spec and specs. It sets the namespace, too.
func (c *ciliumReader) specs() ([]ciliumSpec, error) {
	if v := c.object.GetAPIVersion(); v != "cilium.io/v2" {
		return nil, fmt.Errorf("apiVersion %q is not read: use cilium.io/v2", v)
	}
	switch c.object.GetKind() {
	case kindCilium:
		if c.namespace = c.object.GetNamespace(); c.namespace == "" {
			return nil, errors.New("metadata.namespace is missing")
		}
	case kindCiliumClusterwide:
	default:
		return nil, fmt.Errorf("kind %q is no policy of Cilium's", c.object.GetKind())
	}
	if err := c.refused(); err != nil {
		return nil, err
	}
	var out []ciliumSpec
	for _, k := range slices.Sorted(maps.Keys(c.object.Object)) {
		v := c.object.Object[k]
		switch k {
		case "apiVersion", "kind", "metadata", "status":
		case "spec":
			m, ok := v.(map[string]any)
			if !ok && v != nil {
				return nil, errors.New("spec is not an object")
			} else if ok {
				out = append(out, ciliumSpec{field: "spec", value: m})
			}
		case "specs":
			list, ok := v.([]any)
			if !ok && v != nil {
				return nil, errors.New("specs is not a list")
			}
			for i, e := range list {
				m, ok := e.(map[string]any)
				if !ok {
					return nil, fmt.Errorf("specs[%d] is not an object", i)
				}
				out = append(out, ciliumSpec{field: "specs[" + strconv.Itoa(i) + "]", value: m})
			}
		default:
			c.doubt(k, unknownField)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("Cilium refuses a policy without spec and specs")
	}
	out[0].alone = len(out) == 1
	return out, nil
}

// refused reports what Cilium itself says of the policy in its status.
func (c *ciliumReader) refused() error {
	status, _ := c.object.Object["status"].(map[string]any)
	conditions, _ := status["conditions"].([]any)
	for _, e := range conditions {
		m, ok := e.(map[string]any)
		if ok && m["type"] == "Valid" && m["status"] == "False" {
			return fmt.Errorf("Cilium refuses the policy: status.conditions says Valid=False (%v)", m["message"])
		}
	}
	return nil
}

func (c *ciliumReader) doubt(field, why string) {
	c.doubts = append(c.doubts, Doubt{Field: field, Why: why})
}

// ciliumList is a list of rules, and what it does.
type ciliumList struct {
	name      string
	direction Direction
	action    Action
}

var ciliumLists = [...]ciliumList{
	{"ingress", Ingress, Allow}, {"ingressDeny", Ingress, Deny},
	{"egress", Egress, Allow}, {"egressDeny", Egress, Deny},
}

// policy reads one spec.
//
// A direction that has a rule is isolated, whatever the rule says: an empty one ("{}")
// matches nothing, an empty list is none. enableDefaultDeny takes the isolation away
// again; of a direction without rules it says nothing.
func (c *ciliumReader) policy(s ciliumSpec) (*Policy, error) {
	out := &Policy{Object: c.object, Tier: TierNamespace}
	head, doubts, err := decodeCilium[ciliumHead](s.field, s.value)
	if err != nil {
		return nil, err
	}
	for _, field := range doubts {
		out.Doubts = append(out.Doubts, Doubt{Field: field, Why: unknownField})
	}
	if err := c.subject(out, s.field, head); err != nil {
		return nil, err
	}
	found := [2]bool{}
	for _, l := range ciliumLists {
		list := *head.list(l)
		found[l.direction] = found[l.direction] || len(list) > 0
		for i, value := range list {
			at := ciliumPlace{l, s.field + "." + l.name + "[" + strconv.Itoa(i) + "]"}
			rules, err := c.rule(at, value)
			if err != nil {
				return nil, err
			}
			out.Rules[l.direction] = append(out.Rules[l.direction], rules...)
		}
	}
	if found == [2]bool{} && !s.alone {
		return nil, fmt.Errorf("%s has no rules: Cilium refuses the whole policy", s.field)
	}
	out.Isolates = [2]bool{
		found[Ingress] && denies(head.EnableDefaultDeny.Ingress),
		found[Egress] && denies(head.EnableDefaultDeny.Egress),
	}
	return out, nil
}

// denies reads one of enableDefaultDeny's fields; the agent's
// --enable-non-default-deny-policies is on unless somebody turns it off.
func denies(flag *bool) bool { return flag == nil || *flag }

// subject reads endpointSelector or nodeSelector.
func (c *ciliumReader) subject(out *Policy, field string, head *ciliumHead) error {
	switch {
	case head.EndpointSelector == nil && head.NodeSelector == nil:
		return fmt.Errorf("%s needs endpointSelector or nodeSelector: Cilium refuses the policy", field)
	case head.EndpointSelector != nil && head.NodeSelector != nil:
		return fmt.Errorf("%s has both endpointSelector and nodeSelector: Cilium refuses the policy", field)
	case head.NodeSelector != nil && c.namespace != "":
		return fmt.Errorf("%s.nodeSelector belongs into a %s: Cilium refuses the policy", field, kindCiliumClusterwide)
	case head.NodeSelector != nil:
		out.Subject.Labels = c.nobody()
		out.Doubts = append(out.Doubts, Doubt{field + ".nodeSelector",
			"what a host policy does to the nodes' own traffic is not judged"})
		return nil
	}
	s, err := readCiliumSelector(field+".endpointSelector", head.EndpointSelector)
	if err != nil {
		return err
	}
	if out.Subject, err = c.subjectPods(s); err != nil {
		return fmt.Errorf("%s.endpointSelector: %w", field, err)
	}
	if s.unsure != "" {
		out.Doubts = append(out.Doubts, Doubt{field + ".endpointSelector", s.unsure})
	}
	return nil
}
