package load

import (
	"bytes"
	"encoding/json"
)

// head is what every object begins with.
type head struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Items      json.RawMessage `json:"items"`
}

// peek reads the head of a JSON object without decoding the rest. What looks odd is left
// to the decoder of the standard library, which has better error messages.
func peek(data []byte) (head, error) {
	var top head
	plain := eachField(data, func(key, value []byte) bool {
		switch string(key) {
		case "apiVersion":
			return plainString(value, &top.APIVersion)
		case "kind":
			return plainString(value, &top.Kind)
		case "items":
			if top.Items = value; string(value) == "null" {
				top.Items = nil
			}
		}
		return true
	})
	if plain {
		return top, nil
	}
	top = head{}
	err := json.Unmarshal(data, &top)
	return top, err
}

// plainString reads a string without escapes.
func plainString(value []byte, into *string) bool {
	if len(value) < 2 || value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return false
	}
	*into = string(value[1 : len(value)-1])
	return true
}

// eachField calls visit for the fields of a JSON object, until visit returns false. It
// goes by brackets and quotes alone, and returns false where these do not fit.
func eachField(data []byte, visit func(key, value []byte) bool) bool {
	return eachElement(data, '{', func(at int) (int, bool) {
		end := stringEnd(data, at)
		colon := skipSpace(data, end)
		if end < 0 || colon >= len(data) || data[colon] != ':' {
			return 0, false
		}
		key, start := data[at+1:end-1], skipSpace(data, colon+1)
		end = valueEnd(data, start)
		if end < 0 || bytes.IndexByte(key, '\\') >= 0 {
			return 0, false
		}
		return end, visit(key, data[start:end])
	})
}

// eachItem calls visit for the items of a JSON array.
func eachItem(data []byte, visit func(item []byte)) bool {
	return eachElement(data, '[', func(at int) (int, bool) {
		end := valueEnd(data, at)
		if end < 0 {
			return 0, false
		}
		visit(data[at:end])
		return end, true
	})
}

// eachElement goes from comma to comma; element returns where the element that begins
// there ends.
func eachElement(data []byte, open byte, element func(at int) (end int, ok bool)) bool {
	at := skipSpace(data, 0)
	if at >= len(data) || data[at] != open {
		return false
	}
	at = skipSpace(data, at+1)
	if at < len(data) && data[at] == open+2 { // '{' and '}', '[' and ']'
		return true
	}
	for at < len(data) {
		end, ok := element(at)
		if !ok {
			return false
		}
		if at = skipSpace(data, end); at >= len(data) {
			return false
		}
		switch data[at] {
		case open + 2:
			return true
		case ',':
			at = skipSpace(data, at+1)
		default:
			return false
		}
	}
	return false
}

func skipSpace(data []byte, at int) int {
	for at >= 0 && at < len(data) && (data[at] == ' ' || data[at] == '\n' || data[at] == '\t' || data[at] == '\r') {
		at++
	}
	return at
}

// valueEnd is where the JSON value that begins at a place ends, or -1.
func valueEnd(data []byte, at int) int {
	if at >= len(data) {
		return -1
	}
	switch data[at] {
	case '"':
		return stringEnd(data, at)
	case '{', '[':
		return bracketEnd(data, at)
	}
	for i := at; i < len(data); i++ {
		switch data[i] {
		case ',', '}', ']', ':', ' ', '\n', '\t', '\r', '"', '{', '[':
			return i
		}
	}
	return len(data)
}

func bracketEnd(data []byte, at int) int {
	depth := 0
	for i := at; i < len(data); i++ {
		switch data[i] {
		case '"':
			end := stringEnd(data, i)
			if end < 0 {
				return -1
			}
			i = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// stringEnd is the place after the closing quote of the string that begins at a place.
func stringEnd(data []byte, at int) int {
	if at >= len(data) || data[at] != '"' {
		return -1
	}
	for i := at + 1; ; {
		quote := bytes.IndexByte(data[i:], '"')
		if quote < 0 {
			return -1
		}
		i += quote + 1
		escapes := 0
		for data[i-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}
