package istio

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Mode is how a pod's proxy takes connections (Istio: PeerAuthentication.MutualTLS.Mode).
type Mode string

// The modes. Uncaptured is none of Istio's: no proxy sees the connection.
const (
	Strict     Mode = "STRICT"
	Permissive Mode = "PERMISSIVE"
	Disable    Mode = "DISABLE"
	Uncaptured Mode = "NONE"
)

const unset Mode = "UNSET"

// AnyPort is every port that Modes does not name.
const AnyPort int32 = 0

// Modes are the modes of a pod's ports.
type Modes map[int32]Mode

// At is the mode of a port.
func (m Modes) At(port int32) Mode {
	if mode, ok := m[port]; ok {
		return mode
	}
	return m[AnyPort]
}

// peerAuthentication is a PeerAuthentication.
type peerAuthentication struct {
	object   *unstructured.Unstructured
	selector map[string]string
	mode     Mode
	ports    map[int32]Mode
	faults   []string
}

func readPeer(u *unstructured.Unstructured) *peerAuthentication {
	r := &reader{}
	p := &peerAuthentication{object: u, ports: map[int32]Mode{}}
	spec := r.object("", u.Object, "spec")
	r.known("spec", spec, "selector", "mtls", "portLevelMtls")
	p.selector = r.labels(spec)
	p.mode = r.mode("spec.mtls", r.object("spec", spec, "mtls"))
	ports := r.object("spec", spec, "portLevelMtls")
	for _, key := range slices.Sorted(maps.Keys(ports)) {
		at := "spec.portLevelMtls[" + key + "]"
		port, err := strconv.ParseInt(key, 10, 32)
		if err != nil || port < 1 || port > 65535 {
			r.fault("%s is no port", at)
			continue
		}
		p.ports[int32(port)] = r.mode(at, r.object("spec.portLevelMtls", ports, key))
	}
	p.faults = r.faults
	return p
}

func (r *reader) mode(at string, m map[string]any) Mode {
	r.known(at, m, "mode")
	mode := Mode(cmp.Or(r.text(at, m, "mode"), string(unset)))
	if !slices.Contains([]Mode{Strict, Permissive, Disable, unset}, mode) {
		r.fault("%s.mode %q is not understood", at, string(mode))
	}
	return mode
}

// TLS is what is in force on a pod's ports, and why.
type TLS struct {
	Modes Modes
	// From are the policies that decide, the widest first; none is the mesh's default.
	From []*unstructured.Unstructured
	// Faults name what is not understood in them, and choices that are not sure.
	Faults []string
}

// TLS finds the PeerAuthentications of a pod: the oldest of the mesh, of the namespace,
// and of those that select the pod, each inherited by the next where it is unset (Istio:
// Security, "Peer authentication"). A policy with a selector in the root namespace counts
// for nothing, and so do the ports of one without selector.
func (m *Mesh) TLS(p *corev1.Pod) TLS {
	membership := m.Of(p)
	if membership == Outside {
		return TLS{Modes: Modes{AnyPort: Uncaptured}}
	}
	out := TLS{Modes: Modes{AnyPort: Permissive}}
	take := func(own *peerAuthentication) {
		out.From = append(out.From, own.object)
		for _, f := range own.faults {
			out.Faults = append(out.Faults, name(own.object)+": "+f)
		}
		if mode := heeded(membership, own.mode); mode != unset {
			out.Modes[AnyPort] = mode
		}
	}
	wide := func(a *peerAuthentication) bool { return len(a.selector) == 0 }
	if own := out.first(m.peers[m.RootNamespace], wide); own != nil {
		take(own)
	}
	if p.Namespace == m.RootNamespace {
		return out.uncaptured(membership, p)
	}
	if own := out.first(m.peers[p.Namespace], wide); own != nil {
		take(own)
	}
	selects := func(a *peerAuthentication) bool { return len(a.selector) > 0 && subset(a.selector, p.Labels) }
	if own := out.first(m.peers[p.Namespace], selects); own != nil {
		take(own)
		for port, mode := range own.ports {
			if mode = heeded(membership, mode); mode == unset {
				mode = out.Modes[AnyPort]
			}
			out.Modes[port] = mode
		}
	}
	return out.uncaptured(membership, p)
}

// heeded is what counts of a mode: ambient mode ignores DISABLE (Istio: Use Layer 4
// security policy, "Peer authentication").
func heeded(membership Membership, mode Mode) Mode {
	if membership == Ambient && mode == Disable {
		return unset
	}
	return mode
}

// first finds the oldest policy. Where the next is just as old and says something else,
// which one counts is a guess.
func (t *TLS) first(list []*peerAuthentication, is func(*peerAuthentication) bool) *peerAuthentication {
	var found *peerAuthentication
	for _, a := range list {
		switch {
		case !is(a):
		case found == nil:
			found = a
		case sameAge(a, found) && (a.mode != found.mode || !maps.Equal(a.ports, found.ports)):
			t.Faults = append(t.Faults, name(found.object)+" and "+name(a.object)+" are of the same age: which one counts is not sure")
			return found
		}
	}
	return found
}

func sameAge(a, b *peerAuthentication) bool {
	at := b.object.GetCreationTimestamp()
	return a.object.GetCreationTimestamp().Compare(at.Time) == 0
}

// The annotations by which a sidecar lets connections pass it (Istio: Resource
// Annotations).
const (
	includePorts = "traffic.sidecar.istio.io/includeInboundPorts"
	excludePorts = "traffic.sidecar.istio.io/excludeInboundPorts"
)

// uncaptured marks the ports that pass the sidecar by.
func (t TLS) uncaptured(membership Membership, p *corev1.Pod) TLS {
	if membership != Sidecar {
		return t
	}
	if only, ok := p.Annotations[includePorts]; ok && only != "*" {
		kept := Modes{AnyPort: Uncaptured}
		for _, port := range ports(only) {
			kept[port] = t.Modes.At(port)
		}
		t.Modes = kept
	}
	for _, port := range ports(p.Annotations[excludePorts]) {
		t.Modes[port] = Uncaptured
	}
	return t
}

func ports(list string) []int32 {
	var out []int32
	for text := range strings.SplitSeq(list, ",") {
		if port, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32); err == nil && port > 0 {
			out = append(out, int32(port))
		}
	}
	return out
}
