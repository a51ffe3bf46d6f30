// Package hostname compares host names: which a tenant's class gives it, what a listener
// and a route have in common, and who claims the same as somebody else. It knows no
// Kubernetes objects and resolves nothing.
package hostname

import "strings"

// The limits of RFC 1035.
const (
	mostName  = 253
	mostLabel = 63
)

// Fold writes a host name the way it is compared: in lower case, without the final dot.
func Fold(host string) string {
	if len(host) > mostName+1 {
		return host // no host name, whatever it is
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Valid reports whether a folded text is a host name, with or without a first label "*".
// API servers refuse others in an Ingress; annotations and folders may hold anything.
func Valid(host string) bool {
	if len(host) > mostName {
		return false
	}
	host = strings.TrimPrefix(host, "*.")
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > mostLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}

// Allowed reports whether one of the patterns gives a host name: "*.acme.example" gives
// every name below acme.example, "*.shop.acme.example" among them, and not acme.example.
func Allowed(patterns []string, host string) bool {
	host = Fold(host)
	if !Valid(host) {
		return false
	}
	for _, p := range patterns {
		p = Fold(p)
		if p == host || below(p, host) {
			return true
		}
	}
	return false
}

// below reports whether a wildcard covers a host name or a narrower wildcard.
func below(wildcard, host string) bool {
	suffix, wild := strings.CutPrefix(wildcard, "*")
	return wild && wildcard != host && strings.HasSuffix(host, suffix) && len(host) > len(suffix)
}

// Intersect is the narrower of a listener's and a route's host name, where they meet; an
// empty one is every name (gateway-api.sigs.k8s.io/concepts/hostnames).
func Intersect(listener, route string) (host string, meet bool) {
	listener, route = Fold(listener), Fold(route)
	switch {
	case listener == "" || below(listener, route):
		return route, true
	case route == "" || below(route, listener):
		return listener, true
	}
	return route, listener == route
}
