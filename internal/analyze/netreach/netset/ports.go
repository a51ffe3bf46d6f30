package netset

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// LastPort is the highest port number.
const LastPort = 65535

// PortRange is the ports from From to To, both included.
type PortRange struct{ From, To int32 }

// Ports is a set of ports per protocol: sorted ranges that do not touch. Sets are never
// changed once made.
type Ports struct{ tcp, udp, sctp []PortRange }

// AllPorts is every port of every protocol.
func AllPorts() Ports { return all }

// all is made once: sets are values and never changed.
var all = Ports{[]PortRange{{1, LastPort}}, []PortRange{{1, LastPort}}, []PortRange{{1, LastPort}}}

// PortsOf is a range of one protocol; of an unknown protocol it is nothing.
func PortsOf(protocol corev1.Protocol, from, to int32) Ports {
	from, to = max(from, 1), min(to, LastPort)
	if from > to {
		return Ports{}
	}
	r := []PortRange{{from, to}}
	switch protocol {
	case corev1.ProtocolTCP, "":
		return Ports{tcp: r}
	case corev1.ProtocolUDP:
		return Ports{udp: r}
	case corev1.ProtocolSCTP:
		return Ports{sctp: r}
	}
	return Ports{}
}

// Empty reports whether no port is in the set.
func (p Ports) Empty() bool { return len(p.tcp)+len(p.udp)+len(p.sctp) == 0 }

// All reports whether every port of every protocol is in the set.
func (p Ports) All() bool { return p.Equal(AllPorts()) }

// Equal reports whether both sets hold the same ports.
func (p Ports) Equal(q Ports) bool {
	return slices.Equal(p.tcp, q.tcp) && slices.Equal(p.udp, q.udp) && slices.Equal(p.sctp, q.sctp)
}

// Union is the ports in either set.
func (p Ports) Union(q Ports) Ports {
	switch {
	case p.Empty():
		return q
	case q.Empty():
		return p
	}
	return Ports{union(p.tcp, q.tcp), union(p.udp, q.udp), union(p.sctp, q.sctp)}
}

// Intersect is the ports in both sets.
func (p Ports) Intersect(q Ports) Ports {
	return Ports{intersect(p.tcp, q.tcp), intersect(p.udp, q.udp), intersect(p.sctp, q.sctp)}
}

// Minus is the ports of p that are not in q.
func (p Ports) Minus(q Ports) Ports {
	return Ports{minus(p.tcp, q.tcp), minus(p.udp, q.udp), minus(p.sctp, q.sctp)}
}

// Of returns the ranges of a protocol.
func (p Ports) Of(protocol corev1.Protocol) []PortRange {
	switch protocol {
	case corev1.ProtocolTCP:
		return p.tcp
	case corev1.ProtocolUDP:
		return p.udp
	case corev1.ProtocolSCTP:
		return p.sctp
	}
	return nil
}

// Protocols in the order in which they are printed.
var Protocols = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}

// String prints "TCP 80, 8000-8080; UDP 53", "every port" or "no port".
func (p Ports) String() string {
	switch {
	case p.Empty():
		return "no port"
	case p.All():
		return "every port"
	}
	var parts []string
	for _, protocol := range Protocols {
		var ranges []string
		for _, r := range p.Of(protocol) {
			ranges = append(ranges, r.String())
		}
		if len(ranges) > 0 {
			parts = append(parts, string(protocol)+" "+strings.Join(ranges, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// String prints "80" or "80-90", and "every port" for all of a protocol.
func (r PortRange) String() string {
	switch {
	case r.From == 1 && r.To == LastPort:
		return "every port"
	case r.From == r.To:
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

func union(a, b []PortRange) []PortRange {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y PortRange) int { return cmp.Compare(x.From, y.From) })
	out := all[:1]
	for _, r := range all[1:] {
		if last := &out[len(out)-1]; r.From <= last.To+1 {
			last.To = max(last.To, r.To)
		} else {
			out = append(out, r)
		}
	}
	return out
}

func intersect(a, b []PortRange) []PortRange {
	var out []PortRange
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if lo, hi := max(a[i].From, b[j].From), min(a[i].To, b[j].To); lo <= hi {
			out = append(out, PortRange{lo, hi})
		}
		if a[i].To < b[j].To {
			i++
		} else {
			j++
		}
	}
	return out
}

func minus(a, b []PortRange) []PortRange {
	var out []PortRange
	for _, r := range a {
		for _, cut := range b {
			if cut.To < r.From || cut.From > r.To {
				continue
			}
			if cut.From > r.From {
				out = append(out, PortRange{r.From, cut.From - 1})
			}
			r.From = cut.To + 1
		}
		if r.From <= r.To {
			out = append(out, r)
		}
	}
	return out
}

// AppendKey appends a text that two sets share when they are equal, and only then.
func (p Ports) AppendKey(key []byte) []byte {
	for _, ranges := range [][]PortRange{p.tcp, p.udp, p.sctp} {
		key = binary.AppendUvarint(key, uint64(len(ranges)))
		for _, r := range ranges {
			key = append(key, byte(r.From>>8), byte(r.From), byte(r.To>>8), byte(r.To))
		}
	}
	return key
}
