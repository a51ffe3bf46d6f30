package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml3 "go.yaml.in/yaml/v3"
)

// A few lines of YAML can stand for gigabytes, once their aliases are written out. What
// an API server would take is small, so a document may grow to freeGrowth and to
// mostGrowth times its size.
const (
	freeGrowth = 4 << 20
	mostGrowth = 8
	maxMerges  = 100_000
)

// yamlDocument is a parsed document, which can be written as JSON. The API server's own
// reader takes YAML 1.1, in which y, n, yes, no, on and off are booleans.
type yamlDocument struct {
	root *yaml3.Node
	most int // bytes of JSON
}

func parseYAML(data []byte) (yamlDocument, error) {
	var root yaml3.Node
	err := yaml3.Unmarshal(data, &root)
	return yamlDocument{&root, freeGrowth + mostGrowth*len(data)}, err
}

// json writes the document as JSON. With words, y and no and the like are words, as in
// YAML 1.2.
func (d yamlDocument) json(words bool) ([]byte, error) {
	w := yamlWriter{words: words, most: d.most, open: map[*yaml3.Node]bool{}}
	if err := w.value(d.root); err != nil {
		return nil, err
	}
	return w.out, nil
}

// yamlWriter writes YAML as JSON, and stops where that grows without end.
type yamlWriter struct {
	out           []byte
	words         bool
	most          int
	steps, merges int
	open          map[*yaml3.Node]bool // anchors that are being written
}

func (w *yamlWriter) value(n *yaml3.Node) error {
	if w.steps++; w.steps > w.most || len(w.out) > w.most {
		return fmt.Errorf("its aliases expand to more than %d bytes: write it out", w.most)
	}
	switch n.Kind {
	case yaml3.DocumentNode:
		return w.value(n.Content[0])
	case yaml3.AliasNode:
		if w.open[n.Alias] {
			return fmt.Errorf("line %d: alias *%s stands inside its own anchor: write it out", n.Line, clip(n.Value))
		}
		w.open[n.Alias] = true
		defer delete(w.open, n.Alias)
		return w.value(n.Alias)
	case yaml3.MappingNode:
		return w.mapping(n)
	case yaml3.SequenceNode:
		return w.sequence(n)
	case yaml3.ScalarNode:
		return w.scalar(n)
	default: // nothing at all
		w.out = append(w.out, "null"...)
		return nil
	}
}

func (w *yamlWriter) sequence(n *yaml3.Node) error {
	w.out = append(w.out, '[')
	for i, item := range n.Content {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if err := w.value(item); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	return nil
}

func (w *yamlWriter) mapping(n *yaml3.Node) error {
	fields := yamlFields{writer: w}
	if err := fields.own(n); err != nil {
		return err
	}
	w.out = append(w.out, '{')
	for i, f := range fields.list {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(appendString(w.out, f.key), ':')
		if err := w.value(f.value); err != nil {
			return err
		}
	}
	w.out = append(w.out, '}')
	return nil
}

// yamlFields are the fields of a mapping: its own, and those merged in by "<<" that it
// does not have itself (yaml.org/type/merge.html).
type yamlFields struct {
	writer *yamlWriter
	list   []yamlField
	seen   map[string]bool
}

type yamlField struct {
	key   string
	value *yaml3.Node
}

func (f *yamlFields) own(n *yaml3.Node) error {
	f.list = make([]yamlField, 0, len(n.Content)/2)
	var merges []*yaml3.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml3.ScalarNode && key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		name, err := f.writer.key(key)
		if err != nil {
			return err
		}
		if f.has(name) {
			return fmt.Errorf("line %d: key %q is already set: remove one of them", key.Line, clip(name))
		}
		f.add(name, value)
	}
	for _, m := range merges {
		if err := f.merge(m); err != nil {
			return err
		}
	}
	return nil
}

func (f *yamlFields) merge(n *yaml3.Node) error {
	if f.writer.merges++; f.writer.merges > maxMerges {
		return fmt.Errorf("its merges expand to more than %d: write it out", maxMerges)
	}
	from := n
	if n.Kind == yaml3.AliasNode {
		from = n.Alias
	}
	if f.writer.open[from] {
		return fmt.Errorf("line %d: a mapping is merged into itself: write it out", n.Line)
	}
	f.writer.open[from] = true
	defer delete(f.writer.open, from)
	switch from.Kind {
	case yaml3.SequenceNode:
		for _, item := range from.Content {
			if err := f.merge(item); err != nil {
				return err
			}
		}
		return nil
	case yaml3.MappingNode:
		inner := yamlFields{writer: f.writer}
		if err := inner.own(from); err != nil {
			return err
		}
		for _, i := range inner.list {
			if !f.has(i.key) {
				f.add(i.key, i.value)
			}
		}
		return nil
	default:
		return fmt.Errorf("line %d: << takes a mapping or a list of mappings", n.Line)
	}
}

func (f *yamlFields) has(key string) bool {
	if f.seen != nil {
		return f.seen[key]
	}
	return slices.ContainsFunc(f.list, func(g yamlField) bool { return g.key == key })
}

func (f *yamlFields) add(key string, value *yaml3.Node) {
	const few = 12 // so many are found faster without a map
	f.list = append(f.list, yamlField{key, value})
	switch {
	case f.seen != nil:
		f.seen[key] = true
	case len(f.list) > few:
		f.seen = make(map[string]bool, 2*few)
		for _, g := range f.list {
			f.seen[g.key] = true
		}
	}
}

// key is a mapping's key as JSON has it: a string.
func (w *yamlWriter) key(n *yaml3.Node) (string, error) {
	if n.Kind == yaml3.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml3.ScalarNode {
		return "", fmt.Errorf("line %d: a key must be a word, and is a list or mapping%s", n.Line, templateHint(n))
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return "", fmt.Errorf("line %d: a key is empty: name it", n.Line)
	case "!!bool", "!!int", "!!float":
		inner := yamlWriter{words: w.words}
		if err := inner.scalar(n); err != nil {
			return "", err
		}
		return string(inner.out), nil
	}
	if is, value := w.boolean(n); is {
		return strconv.FormatBool(value), nil
	}
	return n.Value, nil
}

// templateHint names what most often puts a mapping where a key belongs.
func templateHint(n *yaml3.Node) string {
	if n.Kind == yaml3.MappingNode && n.Style&yaml3.FlowStyle != 0 {
		return " ({{ … }} of a template: render it first)"
	}
	return ""
}

// scalar writes a scalar by its tag, as the API server's reader resolves it.
func (w *yamlWriter) scalar(n *yaml3.Node) error {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		w.out = append(w.out, "null"...)
		return nil
	case "!!bool":
		value, ok := yamlWords[strings.ToLower(n.Value)]
		if !ok {
			return fmt.Errorf("line %d: %q is no boolean", n.Line, clip(n.Value))
		}
		w.out = strconv.AppendBool(w.out, value)
		return nil
	case "!!int", "!!float":
		number, err := yamlNumber(n.Value, tag == "!!float")
		if err != nil {
			return fmt.Errorf("line %d: %q is no number that JSON can hold: quote it if it is a word", n.Line, clip(n.Value))
		}
		w.out = append(w.out, number...)
		return nil
	case "!!binary":
		return fmt.Errorf("line %d: the tag !!binary is not supported: write base64 as a string", n.Line)
	}
	if is, value := w.boolean(n); is {
		w.out = strconv.AppendBool(w.out, value)
		return nil
	}
	w.out = appendString(w.out, n.Value)
	return nil
}

// boolean reports whether a plain scalar is one of YAML 1.1's booleans, and which.
func (w *yamlWriter) boolean(n *yaml3.Node) (is, value bool) {
	if w.words || n.Style != 0 || n.ShortTag() != "!!str" || len(n.Value) > len("false") {
		return false, false
	}
	value, known := yamlWords[strings.ToLower(n.Value)]
	return known && yamlCase(n.Value), value
}

// yamlWords are the booleans of YAML 1.1 (yaml.org/type/bool.html).
var yamlWords = map[string]bool{
	"y": true, "yes": true, "on": true, "true": true,
	"n": false, "no": false, "off": false, "false": false,
}

// yamlCase reports whether a word is written in one of the three ways that count: yes,
// Yes, YES.
func yamlCase(word string) bool {
	tail := word[1:]
	return tail == strings.ToLower(tail) || word == strings.ToUpper(word)
}

// yamlNumber writes a number in decimal. Integers of 64 bits stay exact.
func yamlNumber(text string, float bool) (string, error) {
	plain := strings.ReplaceAll(text, "_", "")
	if !float {
		if v, err := strconv.ParseInt(plain, 0, 64); err == nil {
			return strconv.FormatInt(v, 10), nil
		}
		if v, err := strconv.ParseUint(plain, 0, 64); err == nil {
			return strconv.FormatUint(v, 10), nil
		}
	}
	v, err := strconv.ParseFloat(plain, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return "", errors.Join(err, strconv.ErrRange)
	}
	number, err := json.Marshal(v)
	return string(number), err
}

// appendString writes a JSON string.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(out, quoted...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}
