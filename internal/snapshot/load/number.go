package load

import "bytes"

// tinyNumber finds a number such as 1e-99999, with an exponent below -999. The parser of
// quantities (k8s.io/apimachinery, resource.ParseQuantity) would compute the power of ten
// first and not come back for minutes or ever.
func tinyNumber(data []byte) string {
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '-')
		if i < 0 {
			return ""
		}
		if at += i + 1; at < len(data) && digit(data[at]) && at >= 2 && data[at-2]|0x20 == 'e' {
			if number := exponentAt(data, at); number != "" {
				return number
			}
		}
	}
}

// exponentAt returns the number whose negative exponent has its digits at a place, if
// there are more than three of them and it is a whole value: the UIDs of objects are full
// of its like.
func exponentAt(data []byte, at int) string {
	const most = 3
	digits := at
	for digits < len(data) && data[digits] == '0' {
		digits++
	}
	end := digits
	for end < len(data) && digit(data[end]) {
		end++
	}
	start := at - 2
	for start > 0 && (digit(data[start-1]) || data[start-1] == '.') {
		start--
	}
	if start > 0 && (data[start-1] == '-' || data[start-1] == '+') {
		start--
	}
	if end-digits <= most || start >= at-2 || !whole(data, start, end) {
		return ""
	}
	return string(data[start:end])
}

// whole reports whether a piece of JSON is a whole value: a string between its quotes, or
// a number between what may stand beside one.
func whole(data []byte, start, end int) bool {
	quoted := func(at int) bool { return at >= 0 && at < len(data) && data[at] == '"' }
	if quoted(start-1) || quoted(end) {
		return quoted(start-1) && quoted(end)
	}
	bare := func(at int) bool {
		return at < 0 || at >= len(data) || bytes.IndexByte([]byte(" \t\r\n:,[]{}"), data[at]) >= 0
	}
	return bare(start-1) && bare(end)
}
