package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// document is one YAML or JSON document of a file, with its place ("shop.yaml#3").
type document struct {
	source string
	data   []byte
	isJSON bool
}

// split cuts a file into documents. They are numbered from 1 and blank ones do not count.
func split(name string, data []byte) ([]document, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("is a binary file, not YAML or JSON in UTF-8")
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		if documents, err := splitJSON(name, trimmed); err == nil {
			return documents, nil
		}
	}
	return splitYAML(name, data), nil
}

func splitJSON(name string, data []byte) ([]document, error) {
	var documents []document
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return documents, nil
		} else if err != nil {
			return nil, err
		}
		documents = append(documents, document{source: place(name, len(documents)+1), data: raw, isJSON: true})
	}
}

func splitYAML(name string, data []byte) []document {
	var documents []document
	start := 0
	flush := func(end int) {
		if part := data[start:end]; !blank(part) {
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
			start = at + len("---")
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
