package istio

import (
	"fmt"
	"maps"
	"slices"
)

// reader reads an untyped object and notes what it does not understand: an API server
// without the CRD's schema, or a folder, takes any field.
type reader struct{ faults []string }

func (r *reader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// known notes fields that are not among those that are understood.
func (r *reader) known(at string, m map[string]any, fields ...string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(fields, k) {
			r.fault("%s.%s is not understood", at, k)
		}
	}
}

// object is a field that holds an object; nil where it is missing.
func (r *reader) object(at string, m map[string]any, field string) map[string]any {
	v, ok := m[field]
	if !ok || v == nil {
		return nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		r.fault("%s.%s is no object", at, field)
	}
	return o
}

// objects is a field that holds a list of objects.
func (r *reader) objects(at string, m map[string]any, field string) []map[string]any {
	var out []map[string]any
	for i, v := range r.list(at, m, field) {
		o, ok := v.(map[string]any)
		if !ok && v != nil {
			r.fault("%s.%s[%d] is no object", at, field, i)
		}
		out = append(out, o)
	}
	return out
}

func (r *reader) list(at string, m map[string]any, field string) []any {
	v, ok := m[field]
	if !ok || v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		r.fault("%s.%s is no list", at, field)
	}
	return list
}

// strings is a field that holds a list of strings.
func (r *reader) strings(at string, m map[string]any, field string) []string {
	var out []string
	for i, v := range r.list(at, m, field) {
		s, ok := v.(string)
		if !ok {
			r.fault("%s.%s[%d] is no string", at, field, i)
			continue
		}
		out = append(out, s)
	}
	return out
}

// text is a field that holds a string.
func (r *reader) text(at string, m map[string]any, field string) string {
	v, ok := m[field]
	if !ok || v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.fault("%s.%s is no string", at, field)
	}
	return s
}

// labels is a workload selector: its matchLabels.
func (r *reader) labels(m map[string]any) map[string]string {
	const at = "spec.selector"
	selector := r.object("spec", m, "selector")
	r.known(at, selector, "matchLabels")
	out := map[string]string{}
	for k, v := range r.object(at, selector, "matchLabels") {
		s, ok := v.(string)
		if !ok {
			r.fault("%s.matchLabels[%s] is no string", at, k)
		}
		out[k] = s
	}
	return out
}
