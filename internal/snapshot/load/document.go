package load

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// document is one YAML or JSON document of a file, with its place ("shop.yaml#3").
type document struct {
	source string
	data   []byte
	isJSON bool
}

// byteOrderMark begins some files, and documents in the middle of concatenated ones.
var byteOrderMark = []byte("\xef\xbb\xbf")

// split cuts a file into documents. They are numbered from 1 and blank ones do not count.
func split(name string, data []byte) ([]document, error) {
	data, err := utf8Text(data)
	if err != nil {
		return nil, err
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		if documents := splitJSON(name, trimmed); documents != nil {
			return documents, nil
		}
	}
	return splitYAML(name, data), nil
}

// utf8Text gives a text in UTF-8 without a byte order mark. One in UTF-16 is converted
// if it begins with a mark, as Windows PowerShell writes it.
func utf8Text(data []byte) ([]byte, error) {
	for mark, order := range map[string]binary.ByteOrder{"\xff\xfe": binary.LittleEndian, "\xfe\xff": binary.BigEndian} {
		if text, ok := bytes.CutPrefix(data, []byte(mark)); ok && len(text)%2 == 0 {
			units := make([]uint16, len(text)/2)
			for i := range units {
				units[i] = order.Uint16(text[2*i:])
			}
			data = []byte(string(utf16.Decode(units)))
		}
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("is a binary file, not YAML or JSON in UTF-8")
	}
	return data, nil
}

// splitJSON cuts a stream of JSON objects by their brackets; nil where it is none, but
// YAML that begins with a bracket.
func splitJSON(name string, data []byte) []document {
	var documents []document
	for at := skipSpace(data, 0); at < len(data); {
		end := -1
		if data[at] == '{' {
			end = bracketEnd(data, at)
		}
		switch whole := end >= 0; {
		case !whole && len(documents) == 0, whole && len(documents) == 0 && !json.Valid(data[at:end]):
			return nil
		case !whole:
			end = len(data) // its decoder will say what is wrong
		}
		documents = append(documents, document{source: place(name, len(documents)+1), data: data[at:end], isJSON: true})
		at = skipSpace(data, end)
	}
	return documents
}

func splitYAML(name string, data []byte) []document {
	var documents []document
	start := 0
	flush := func(end int) {
		if part := bytes.TrimPrefix(data[start:end], byteOrderMark); !blank(part) {
			documents = append(documents, document{source: place(name, len(documents)+1), data: part})
		}
	}
	for at := 0; at < len(data); {
		next := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		if line := data[at:next]; isMarker(line, "---") || isMarker(line, "...") {
			flush(at)
			if start = at + len("---"); next-start <= 2 {
				start = next // so that a byte order mark stands at the beginning
			}
		}
		at = next
	}
	flush(len(data))
	return documents
}

// isMarker reports whether a line starts or ends a document.
func isMarker(line []byte, marker string) bool {
	if !bytes.HasPrefix(line, []byte(marker)) {
		return false
	}
	rest := line[len(marker):]
	return len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0
}

// blank reports whether a document holds nothing but comments and directives.
func blank(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

func place(name string, number int) string { return fmt.Sprintf("%s#%d", name, number) }
