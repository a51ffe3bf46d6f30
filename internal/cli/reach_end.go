package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
)

// reachEnds are the connections that are asked for.
type reachEnds struct{ from, to reachEnd }

// reachEnd is what is asked for at one end: everything, a pod, a namespace, an address, or
// all namespaces of a tenant.
type reachEnd struct {
	text       string
	tenant     bool
	namespaces []string // of the tenant, sorted
}

// reachEndsOf finds what the flags name; source says where it was looked for.
func reachEndsOf(s *snapshot.Snapshot, from, to, source string) (reachEnds, error) {
	var ends reachEnds
	var err error
	if ends.from, err = reachEndOf(s, from, source); err != nil {
		return ends, err
	}
	ends.to, err = reachEndOf(s, to, source)
	return ends, err
}

func reachEndOf(s *snapshot.Snapshot, text, source string) (reachEnd, error) {
	if name, ok := strings.CutPrefix(text, "tenant="); ok {
		if s.Tenant(name) == nil {
			return reachEnd{}, fmt.Errorf("find tenant %q: there is none in %s; Tenants or --tenancy say who is one%s", name, source, tenantsOf(s))
		}
		return reachEnd{text, true, s.NamespacesOf(name)}, nil
	}
	if !knownEnd(s, text) {
		return reachEnd{}, fmt.Errorf("find %q: no such pod or namespace in %s", text, source)
	}
	return reachEnd{text: text}, nil
}

// tenantsOf names the first tenants, for an error message.
func tenantsOf(s *snapshot.Snapshot) string {
	var names []string
	for _, t := range s.Tenants {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return " (there are " + list(names) + ")"
}

// knownEnd reports whether a filter names something: an address always does.
func knownEnd(s *snapshot.Snapshot, end string) bool {
	namespace, pod, isPod := strings.Cut(end, "/")
	if _, err := netip.ParseAddr(end); err == nil || end == "" {
		return true
	}
	if _, err := netip.ParsePrefix(end); err == nil {
		return true
	}
	for _, p := range s.PodsIn(namespace) {
		if !isPod || p.Name == pod {
			return true
		}
	}
	return false
}

// is reports whether an end ("namespace/pod" or a CIDR) is one that was asked for.
func (e reachEnd) is(end string) bool {
	if e.tenant {
		namespace, _, _ := strings.Cut(end, "/")
		_, found := slices.BinarySearch(e.namespaces, namespace)
		return found
	}
	if e.text == "" || end == e.text || strings.HasPrefix(end, e.text+"/") {
		return true
	}
	address, err := netip.ParseAddr(e.text)
	block, blockErr := netip.ParsePrefix(end)
	return err == nil && blockErr == nil && block.Contains(address)
}

// any reports whether a member of a group was asked for.
func (e reachEnd) any(end engine.End) bool {
	if e.text == "" {
		return true
	}
	for name := range end.Members {
		if e.is(name) {
			return true
		}
	}
	return false
}

// wanted are those connections that are asked for.
func (e reachEnds) wanted(all func(func(engine.Connection) bool)) func(func(engine.Connection) bool) {
	return func(yield func(engine.Connection) bool) {
		all(func(c engine.Connection) bool {
			return !e.from.is(c.From) || !e.to.is(c.To) || yield(c)
		})
	}
}
