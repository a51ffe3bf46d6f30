package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/compile"
)

// deviation is the first place where two objects differ.
type deviation struct{ field, detail string }

// ignored are the parts of a kind that others than the compiler write by right.
var ignored = map[string][]string{
	"Namespace":      {"spec"}, // finalizers
	"ServiceAccount": {"secrets", "imagePullSecrets"},
}

// policyDefaults are what the API server fills in, and what it fills in: nothing else
// that the compiler did not write may stand in a guard object.
var policyDefaults = map[string]any{
	"failurePolicy": "Fail", "matchPolicy": "Equivalent", "scope": "*",
	"namespaceSelector": map[string]any{}, "objectSelector": map[string]any{},
}

var defaults = map[string]map[string]any{
	"ValidatingAdmissionPolicy":        policyDefaults,
	"ValidatingAdmissionPolicyBinding": policyDefaults,
	"MutatingAdmissionPolicy":          policyDefaults,
	"MutatingAdmissionPolicyBinding":   policyDefaults,
}

// compare compares labels and annotations as subsets and everything else whole.
func compare(want compile.Object, got runtime.Object) (*deviation, error) {
	w, err := plain(want)
	if err != nil {
		return nil, err
	}
	g, err := plain(got)
	if err != nil {
		return nil, err
	}
	for _, part := range []string{"labels", "annotations"} {
		if d := subset("metadata."+part, nested(w, part), nested(g, part)); d != nil {
			return d, nil
		}
	}
	kind := want.GetObjectKind().GroupVersionKind().Kind
	for _, part := range append([]string{"apiVersion", "kind", "metadata", "status"}, ignored[kind]...) {
		delete(w, part)
		delete(g, part)
	}
	if kind == "ResourceQuota" {
		onlyNames(w)
		onlyNames(g)
	}
	return differ("", w, g, defaults[kind]), nil
}

// onlyNames takes the amounts out of a quota: shares move between a tenant's namespaces,
// so amounts are compared by their sum. What is bounded at all is compared here.
func onlyNames(quota map[string]any) {
	spec, _ := quota["spec"].(map[string]any)
	hard, _ := spec["hard"].(map[string]any)
	for name := range hard {
		hard[name] = "some amount"
	}
}

// plain is an object as JSON sees it.
func plain(o any) (map[string]any, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode object: %w", err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	return m, nil
}

func nested(o map[string]any, part string) map[string]any {
	meta, _ := o["metadata"].(map[string]any)
	m, _ := meta[part].(map[string]any)
	return m
}

func subset(path string, want, got map[string]any) *deviation {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			return &deviation{fmt.Sprintf("%s[%s]", path, k), wantedHas(want[k], got[k])}
		}
	}
	return nil
}

// differ walks both values and returns the first difference.
func differ(path string, want, got any, filled map[string]any) *deviation {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return &deviation{path, wantedHas(want, got)}
		}
		return differMaps(path, w, g, filled)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return &deviation{path, wantedHas(want, got)}
		}
		for i := range w {
			if d := differ(fmt.Sprintf("%s[%d]", path, i), w[i], g[i], filled); d != nil {
				return d
			}
		}
		return nil
	default:
		if reflect.DeepEqual(want, got) || sameQuantity(path, want, got) {
			return nil
		}
		return &deviation{path, wantedHas(want, got)}
	}
}

func differMaps(path string, want, got map[string]any, filled map[string]any) *deviation {
	keys := slices.Sorted(maps.Keys(want))
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		field := strings.TrimPrefix(path+"."+k, ".")
		w, wanted := want[k]
		g, there := got[k]
		if byDefault, ok := filled[k]; !wanted && ok && reflect.DeepEqual(g, byDefault) {
			continue
		}
		if (!wanted || w == nil) && (!there || g == nil) {
			continue
		}
		if !wanted {
			return &deviation{field, "nobody asked for " + short(g)}
		}
		if d := differ(field, w, g, filled); d != nil {
			return d
		}
	}
	return nil
}

// quantityFields hold quantities, of which "1" and "1000m" are the same.
var quantityFields = []string{"hard", "default", "defaultRequest", "max", "min"}

func sameQuantity(path string, want, got any) bool {
	w, ok1 := want.(string)
	g, ok2 := got.(string)
	inQuantities := slices.ContainsFunc(strings.Split(path, "."), func(p string) bool { return slices.Contains(quantityFields, p) })
	if !ok1 || !ok2 || !inQuantities {
		return false
	}
	a, err1 := resource.ParseQuantity(w)
	b, err2 := resource.ParseQuantity(g)
	return err1 == nil && err2 == nil && a.Cmp(b) == 0
}

func wantedHas(want, got any) string {
	if got == nil {
		return "wanted " + short(want) + ", it is not there"
	}
	return "wanted " + short(want) + ", is " + short(got)
}

// short is a value on one line, cut to a readable length.
func short(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	const most = 160
	if r := []rune(string(raw)); len(r) > most {
		return string(r[:most]) + "…"
	}
	return string(raw)
}
