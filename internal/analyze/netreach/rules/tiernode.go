package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tierNode is a value inside an untyped object, and its path there. A typed decoder would
// drop a field of a newer API version without a word, or say that it did without saying
// what follows for the rule around it.
type tierNode struct {
	path  string
	value any
}

// fields are the children that are set, and the path of the first one that is not known.
// A null counts as unset, as it does to the API server.
func (n tierNode) fields(known ...string) (map[string]tierNode, string, error) {
	object, ok := n.value.(map[string]any)
	if !ok {
		return nil, "", n.wrongType("an object")
	}
	set, stranger := map[string]tierNode{}, ""
	for name, value := range object {
		child := n.at(name)
		switch {
		case value == nil:
		case slices.Contains(known, name):
			set[name] = tierNode{child, value}
		case stranger == "" || child < stranger:
			stranger = child
		}
	}
	return set, stranger, nil
}

// at is the path of a child. Names of fields that nobody knows may be anything.
func (n tierNode) at(name string) string {
	const longest = 64
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return n.path + "[" + strconv.Quote(name) + "]"
		}
	}
	return n.path + "." + name
}

// list is the items of a list that has at least one and not more than most.
func (n tierNode) list(most int) ([]tierNode, error) {
	items, ok := n.value.([]any)
	switch {
	case !ok:
		return nil, n.wrongType("a list")
	case len(items) == 0:
		return nil, fmt.Errorf("%s is empty: name at least one item, or leave the field out where it is optional", n.path)
	case len(items) > most:
		return nil, fmt.Errorf("%s has %d items, more than the %d that the API takes: split the policy", n.path, len(items), most)
	}
	out := make([]tierNode, len(items))
	for i, item := range items {
		out[i] = tierNode{n.path + "[" + strconv.Itoa(i) + "]", item}
	}
	return out, nil
}

// texts is a list of strings.
func (n tierNode) texts(most int) ([]string, error) {
	items, err := n.list(most)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], err = item.text(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (n tierNode) text() (string, error) {
	text, ok := n.value.(string)
	if !ok {
		return "", n.wrongType("a string")
	}
	return text, nil
}

// number is a whole number between two others, both included. Decoders of JSON and YAML
// differ in the type that they give it.
func (n tierNode) number(least, most int64) (int32, error) {
	var number int64
	switch v := n.value.(type) {
	case int64:
		number = v
	case int32:
		number = int64(v)
	case int:
		number = int64(v)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
			return 0, n.wrongType("a whole number")
		}
		number = int64(v)
	default:
		return 0, n.wrongType("a whole number")
	}
	if number < least || number > most {
		return 0, fmt.Errorf("%s is %d: give a number from %d to %d", n.path, number, least, most)
	}
	return int32(number), nil
}

func (n tierNode) wrongType(want string) error {
	is := "of another type"
	switch n.value.(type) {
	case map[string]any:
		is = "an object"
	case []any:
		is = "a list"
	case string:
		is = "a string"
	case bool:
		is = "a boolean"
	case nil: // a null, too, as to the API server
		is = "missing"
	case int64, int32, int, float64:
		is = "a number"
	}
	return fmt.Errorf("%s is %s: write %s", n.path, is, want)
}

// selector reads a label selector; stranger is the path of a field in it that is not
// known, and then the selector is not the whole of what was meant.
func (n tierNode) selector(r *Reader) (s *Selector, stranger string, err error) {
	set, stranger, err := n.fields("matchLabels", "matchExpressions")
	if err != nil {
		return nil, "", err
	}
	var read metav1.LabelSelector
	if labels, ok := set["matchLabels"]; ok {
		if read.MatchLabels, err = labels.labels(); err != nil {
			return nil, "", err
		}
	}
	if list, ok := set["matchExpressions"]; ok && !list.emptyList() {
		items, err := list.list(math.MaxInt)
		if err != nil {
			return nil, "", err
		}
		for _, item := range items {
			e, unknown, err := item.requirement()
			if err != nil {
				return nil, "", err
			}
			if stranger == "" {
				stranger = unknown
			}
			read.MatchExpressions = append(read.MatchExpressions, e)
		}
	}
	if s, err = r.Selector(&read); err != nil {
		return nil, "", fmt.Errorf("%s: %w", n.path, err)
	}
	return s, stranger, nil
}

func (n tierNode) emptyList() bool {
	items, ok := n.value.([]any)
	return ok && len(items) == 0
}

func (n tierNode) labels() (map[string]string, error) {
	object, ok := n.value.(map[string]any)
	if !ok {
		return nil, n.wrongType("an object")
	}
	out := make(map[string]string, len(object))
	for k, v := range object {
		text, ok := v.(string)
		if !ok {
			return nil, tierNode{n.path + "[" + strconv.Quote(k) + "]", v}.wrongType("a string")
		}
		out[k] = text
	}
	return out, nil
}

func (n tierNode) requirement() (e metav1.LabelSelectorRequirement, stranger string, err error) {
	set, stranger, err := n.fields("key", "operator", "values")
	if err != nil {
		return e, "", err
	}
	if e.Key, err = set["key"].orMissing(n, "key").text(); err != nil {
		return e, "", err
	}
	operator, err := set["operator"].orMissing(n, "operator").text()
	if err != nil {
		return e, "", err
	}
	e.Operator = metav1.LabelSelectorOperator(operator)
	if values, ok := set["values"]; ok && !values.emptyList() {
		if e.Values, err = values.texts(math.MaxInt); err != nil {
			return e, "", err
		}
	}
	return e, stranger, nil
}

// orMissing gives a child that is not set its path, so that an error can name it.
func (n tierNode) orMissing(parent tierNode, name string) tierNode {
	if n.path == "" {
		return tierNode{path: parent.at(name)}
	}
	return n
}
