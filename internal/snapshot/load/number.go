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
// there are more than three of them and nothing but a number stands before.
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
	if end-digits <= most || start == at-2 {
		return ""
	}
	return string(data[start:end])
}
