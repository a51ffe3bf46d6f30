package load

import (
	"bytes"
	"strings"
)

// plainYAML writes as JSON what machines and most people write: block mappings and
// lists, with plain or simply quoted values on one line. It knows a small part of YAML
// and nothing of the rest: whatever could mean anything else (anchors, tags, flow
// collections, text over several lines, odd numbers, y and no) makes it give up, and the
// real parser reads the document. FuzzYAML holds the two against each other.
func plainYAML(data []byte) ([]byte, bool) {
	for i, c := range data {
		newline := c == '\n' || c == '\r' && i+1 < len(data) && data[i+1] == '\n'
		if c < ' ' && !newline || c >= 0x7f {
			return nil, false
		}
	}
	p := plain{rest: data, out: make([]byte, 0, len(data)+len(data)/4)}
	p.next()
	if p.indent < 0 || !p.block(0) || p.indent >= 0 {
		return nil, false
	}
	return p.out, true
}

// plain reads line by line.
type plain struct {
	rest, out []byte
	// line is the current line without its indent and the spaces after it; indent is -1
	// behind the last one.
	line   []byte
	indent int
}

// next goes to the next line that says something.
func (p *plain) next() {
	for len(p.rest) > 0 {
		line := p.rest
		if end := bytes.IndexByte(p.rest, '\n'); end >= 0 {
			line, p.rest = p.rest[:end], p.rest[end+1:]
		} else {
			p.rest = nil
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		text := bytes.TrimLeft(line, " ")
		p.indent = len(line) - len(text)
		if p.line = bytes.TrimRight(text, " "); len(p.line) > 0 && p.line[0] != '#' {
			return
		}
	}
	p.line, p.indent = nil, -1
}

// block writes the mapping or list that begins with the current line.
func (p *plain) block(depth int) bool {
	const deepest = 64
	if depth > deepest {
		return false
	}
	if isItem(p.line) {
		return p.list(p.indent, depth)
	}
	return p.mapping(p.indent, depth)
}

func isItem(line []byte) bool { return line[0] == '-' && (len(line) == 1 || line[1] == ' ') }

func (p *plain) mapping(indent, depth int) bool {
	p.out = append(p.out, '{')
	var first [16][]byte
	keys := first[:0]
	for p.indent == indent && !isItem(p.line) {
		key, value, ok := cutKey(p.line)
		if !ok {
			return false
		}
		for _, k := range keys {
			if bytes.Equal(k, key) {
				return false
			}
		}
		if len(keys) > 0 {
			p.out = append(p.out, ',')
		}
		keys = append(keys, key)
		p.out = append(append(append(p.out, '"'), key...), `":`...)
		if !p.value(value, indent, depth, true) {
			return false
		}
	}
	p.out = append(p.out, '}')
	return p.indent < indent && len(keys) > 0
}

func (p *plain) list(indent, depth int) bool {
	p.out = append(p.out, '[')
	for i := 0; p.indent == indent && isItem(p.line); i++ {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		value := bytes.TrimLeft(p.line[1:], " ")
		if _, _, ok := cutKey(value); ok { // a mapping that begins beside the dash
			p.indent += len(p.line) - len(value)
			p.line = value
			if !p.block(depth + 1) {
				return false
			}
			continue
		}
		if !p.value(value, indent, depth, false) {
			return false
		}
	}
	p.out = append(p.out, ']')
	return p.indent <= indent
}

// value writes what stands behind a key or dash: a scalar, or the block that follows.
func (p *plain) value(text []byte, indent, depth int, ofKey bool) bool {
	p.next()
	switch deeper := p.indent > indent; {
	case len(text) > 0:
		return !deeper && p.scalar(text) // deeper: a text that goes on
	case deeper, ofKey && p.indent == indent && isItem(p.line):
		return p.block(depth + 1)
	}
	p.out = append(p.out, "null"...)
	return true
}

// cutKey splits "key: value". A key is a word as Kubernetes uses them.
func cutKey(line []byte) (key, value []byte, ok bool) {
	const longest = 512 // YAML allows 1024
	end := 0
	for end < min(len(line), longest) && keyByte(line[end]) {
		end++
	}
	if end == 0 || end >= len(line) || line[end] != ':' || !letter(line[0]) && line[0] != '_' {
		return nil, nil, false
	}
	if key = line[:end]; len(key) <= len("false") && oddWord(string(key)) {
		return nil, nil, false
	}
	value = line[end+1:]
	if len(value) > 0 && value[0] != ' ' {
		return nil, nil, false
	}
	return key, bytes.TrimLeft(value, " "), true
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

func keyByte(c byte) bool {
	return letter(c) || digit(c) || c == '_' || c == '.' || c == '/' || c == '-'
}

// oddWord reports whether a word may be something else than a string.
func oddWord(word string) bool {
	lower := strings.ToLower(word)
	_, boolean := yamlWords[lower]
	return boolean || lower == "null"
}

// scalar writes a value of one line, if there is no doubt what it is.
func (p *plain) scalar(text []byte) bool {
	last := text[len(text)-1]
	switch first := text[0]; {
	case first == '"' || first == '\'':
		inner := text[1:max(1, len(text)-1)]
		if len(text) < 2 || last != first || bytes.IndexByte(inner, first) >= 0 || bytes.IndexByte(inner, '\\') >= 0 && first == '"' {
			return false
		}
		p.out = appendString(p.out, string(inner))
		return true
	case string(text) == "{}" || string(text) == "[]" || string(text) == "true" || string(text) == "false" || string(text) == "null":
		p.out = append(p.out, text...)
		return true
	case last == ':' || bytes.Contains(text, []byte(": ")) || bytes.Contains(text, []byte(" #")):
		return false
	case wholeNumber(text):
		p.out = append(p.out, text...)
		return true
	case letter(first):
		if len(text) <= len("false") && oddWord(string(text)) {
			return false
		}
	case first == '/' || first == '_' || first == '$' || first == '(' || first == '^':
	case first == '-' && len(text) > 1 && text[1] != ' ', digit(first):
		if !surelyWord(text) {
			return false
		}
	default:
		return false
	}
	p.out = appendString(p.out, string(text))
	return true
}

// wholeNumber reports whether a text is a decimal number that is exact in JSON too.
func wholeNumber(text []byte) bool {
	digits := bytes.TrimPrefix(text, []byte("-"))
	const most = 18 // fits 64 bits
	if len(digits) == 0 || len(digits) > most || digits[0] == '0' && len(text) > 1 {
		return false
	}
	for _, c := range digits {
		if !digit(c) {
			return false
		}
	}
	return true
}

// surelyWord reports whether a text that begins like a number is none: it has a slash, two
// points, or a letter that no number has ("64Mi", "10.0.0.0/8", "--verbose").
func surelyWord(text []byte) bool {
	if bytes.Count(text, []byte(".")) > 1 {
		return true
	}
	for _, c := range text {
		lower := c | 0x20
		if c == '/' || letter(c) && lower > 'f' && lower != 'x' && lower != 'o' {
			return true
		}
	}
	return false
}
