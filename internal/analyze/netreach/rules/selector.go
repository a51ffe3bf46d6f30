package rules

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/slab"
)

// Selector is a label selector in the form in which it is asked. Selectors of one Reader
// that ask the same are the same pointer.
type Selector struct {
	requirements []Requirement
	text         string
}

// Requirement is one condition on a label.
type Requirement struct {
	Key      string
	Operator metav1.LabelSelectorOperator
	// Values, sorted, for In and NotIn.
	Values []string
}

// Requirements are the selector's conditions, sorted by key. The slice is not the
// caller's to change.
func (s *Selector) Requirements() []Requirement {
	if s == nil {
		return nil
	}
	return s.requirements
}

// Empty reports whether everything matches; that of a nil Selector, too.
func (s *Selector) Empty() bool { return s == nil || len(s.requirements) == 0 }

// String prints the selector as kubectl does ("app=web,tier in (a,b),!old").
func (s *Selector) String() string {
	if s == nil {
		return ""
	}
	return s.text
}

// Matches reports whether labels meet every requirement; a nil Selector matches all.
func (s *Selector) Matches(labels map[string]string) bool {
	if s == nil {
		return true
	}
	for i := range s.requirements {
		if !s.requirements[i].matches(labels) {
			return false
		}
	}
	return true
}

func (r *Requirement) matches(labels map[string]string) bool {
	value, ok := labels[r.Key]
	switch r.Operator {
	case metav1.LabelSelectorOpIn:
		return ok && slices.Contains(r.Values, value)
	case metav1.LabelSelectorOpNotIn:
		return !ok || !slices.Contains(r.Values, value)
	case metav1.LabelSelectorOpExists:
		return ok
	default: // DoesNotExist
		return !ok
	}
}

// Reader reads policies and remembers their selectors, since thousands of policies ask
// for the same few things. It is not safe for concurrent use.
type Reader struct {
	selectors map[string]*Selector
	ranges    map[portRange]netset.Ports
	key       []byte
	room      room
}

// room is where the parts of NetworkPolicies come from.
type room struct {
	policies slab.Of[Policy]
	rules    slab.Of[Rule]
	peers    slab.Of[Peer]
	pods     slab.Of[Pods]
	ports    slab.Of[Port]
}

// Many prepares the reader for so many policies that are kept together, until Single.
func (r *Reader) Many(policies int) {
	size := min(policies, 256)
	r.room = room{
		policies: slab.Of[Policy]{Size: size}, rules: slab.Of[Rule]{Size: size}, peers: slab.Of[Peer]{Size: size},
		pods: slab.Of[Pods]{Size: size}, ports: slab.Of[Port]{Size: size},
	}
}

// Single ends what Many began: policies come and go one by one now.
func (r *Reader) Single() { r.room = room{} }

type portRange struct {
	protocol corev1.Protocol
	from, to int32
}

// NewReader makes a Reader.
func NewReader() *Reader {
	return &Reader{selectors: map[string]*Selector{}, ranges: map[portRange]netset.Ports{}}
}

// ports is a range of ports, made once.
func (r *Reader) ports(protocol corev1.Protocol, from, to int32) netset.Ports {
	key := portRange{protocol, from, to}
	known, ok := r.ranges[key]
	if !ok {
		known = netset.PortsOf(protocol, from, to)
		r.ranges[key] = known
	}
	return known
}

// Selector reads a label selector; an operator that is unknown, or without the values it
// needs, is an error.
func (r *Reader) Selector(s *metav1.LabelSelector) (*Selector, error) {
	if s == nil {
		return r.Select(nil)
	}
	if len(s.MatchExpressions) == 0 && len(s.MatchLabels) == 1 { // nearly all
		for k, v := range s.MatchLabels {
			r.key = appendText(appendText(append(r.key[:0], 1), k), v)
		}
		if known, ok := r.selectors[string(r.key)]; ok {
			return known, nil
		}
	}
	requirements := make([]Requirement, 0, len(s.MatchLabels)+len(s.MatchExpressions))
	for k, v := range s.MatchLabels {
		requirements = append(requirements, Requirement{k, metav1.LabelSelectorOpIn, []string{v}})
	}
	for _, e := range s.MatchExpressions {
		requirements = append(requirements, Requirement{e.Key, e.Operator, slices.Clone(e.Values)})
	}
	return r.Select(requirements)
}

// Select makes a selector of requirements; none match everything.
func (r *Reader) Select(requirements []Requirement) (*Selector, error) {
	for i := range requirements {
		if err := requirements[i].check(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(requirements, func(a, b Requirement) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		if c := strings.Compare(string(a.Operator), string(b.Operator)); c != 0 {
			return c
		}
		return slices.Compare(a.Values, b.Values)
	})
	requirements = slices.CompactFunc(requirements, func(a, b Requirement) bool {
		return a.Key == b.Key && a.Operator == b.Operator && slices.Equal(a.Values, b.Values)
	})
	r.key = r.key[:0]
	for i := range requirements {
		r.key = requirements[i].appendKey(r.key)
	}
	if known, ok := r.selectors[string(r.key)]; ok {
		return known, nil
	}
	made := &Selector{requirements: slices.Clip(requirements), text: text(requirements)}
	r.selectors[string(r.key)] = made
	return made, nil
}

// check sorts the values and refuses what an API server would.
func (r *Requirement) check() error {
	slices.Sort(r.Values)
	r.Values = slices.Compact(r.Values)
	switch r.Operator {
	case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
		if len(r.Values) == 0 {
			return fmt.Errorf("operator %s of key %q needs values", r.Operator, r.Key)
		}
	case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
		if len(r.Values) > 0 {
			return fmt.Errorf("operator %s of key %q takes no values", r.Operator, r.Key)
		}
	default:
		return fmt.Errorf("operator %q of key %q is unknown: use In, NotIn, Exists or DoesNotExist", r.Operator, r.Key)
	}
	return nil
}

// appendKey writes the requirement so that different ones differ, whatever is in them: a
// folder may hold labels that no server would accept.
func (r *Requirement) appendKey(key []byte) []byte {
	if r.Operator == metav1.LabelSelectorOpIn && len(r.Values) == 1 {
		return appendText(appendText(append(key, 1), r.Key), r.Values[0])
	}
	key = appendText(appendText(append(key, 2), r.Key), string(r.Operator))
	key = binary.AppendUvarint(key, uint64(len(r.Values)))
	for _, v := range r.Values {
		key = appendText(key, v)
	}
	return key
}

func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}

func text(requirements []Requirement) string {
	var parts []string
	for _, r := range requirements {
		list := "(" + strings.Join(r.Values, ",") + ")"
		switch {
		case r.Operator == metav1.LabelSelectorOpIn && len(r.Values) == 1:
			parts = append(parts, r.Key+"="+r.Values[0])
		case r.Operator == metav1.LabelSelectorOpIn:
			parts = append(parts, r.Key+" in "+list)
		case r.Operator == metav1.LabelSelectorOpNotIn:
			parts = append(parts, r.Key+" notin "+list)
		case r.Operator == metav1.LabelSelectorOpExists:
			parts = append(parts, r.Key)
		default:
			parts = append(parts, "!"+r.Key)
		}
	}
	return strings.Join(parts, ",")
}
