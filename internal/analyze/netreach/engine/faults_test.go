package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// What other scanners are known to get wrong: protocols beside ports, named ports per
// destination, pods and themselves.

// portsCluster is two servers behind a default deny, which call the same name by other
// numbers, and a client.
const portsCluster = `
{apiVersion: v1, kind: List, items: [
  {apiVersion: v1, kind: Pod, metadata: {name: client, namespace: x, labels: {app: client}}},
  {apiVersion: v1, kind: Pod, metadata: {name: one, namespace: x, labels: {app: server}}, spec: {containers: [{name: c, ports: [{name: web, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}]}},
  {apiVersion: v1, kind: Pod, metadata: {name: two, namespace: x, labels: {app: server}}, spec: {containers: [{name: c, ports: [{name: web, containerPort: 9090}, {name: dns, containerPort: 53}]}]}}]}
---
`

func read(t *testing.T, text string) *snapshot.Snapshot {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load.Folder(context.Background(), dir)
	if err != nil || len(s.Problems) > 0 {
		t.Fatalf("%v %v", err, s.Problems)
	}
	return s
}

// TestPortsAndProtocols: what a list of ports opens at each of the servers, by ingress
// and by egress alike.
func TestPortsAndProtocols(t *testing.T) {
	for _, c := range []struct{ name, ports, one, two string }{
		{"no list is every port", `null`, "every port", "every port"},
		{"an empty list too", `[]`, "every port", "every port"},
		{"a number is of TCP unless it says otherwise", `[{port: 53}]`, "TCP 53", "TCP 53"},
		{"UDP does not open TCP", `[{port: 53, protocol: UDP}]`, "UDP 53", "UDP 53"},
		{"a protocol without a number is all of its ports", `[{protocol: SCTP}]`, "SCTP every port", "SCTP every port"},
		{"a range has both its ends", `[{port: 80, endPort: 82}]`, "TCP 80-82", "TCP 80-82"},
		{"ports add up", `[{port: 80}, {port: 81}, {port: 80, protocol: UDP}]`, "TCP 80-81; UDP 80", "TCP 80-81; UDP 80"},
		{"a name is what the destination calls so", `[{port: web}]`, "TCP 8080", "TCP 9090"},
		{"of its protocol only", `[{port: dns}]`, "no port", "TCP 53"},
		{"and of the other", `[{port: dns, protocol: UDP}]`, "UDP 53", "no port"},
		{"a name that nobody has is no port", `[{port: none}]`, "no port", "no port"},
		{"a name beside a number", `[{port: web}, {port: 80}]`, "TCP 80, 8080", "TCP 80, 9090"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, spec := range []string{
				`{podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}], ports: PORTS}]}`,
				`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: PORTS}]}`,
			} {
				s := read(t, portsCluster+`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: x}, spec: `+strings.Replace(spec, "PORTS", c.ports, 1)+`}`)
				e, pods := New(s, Options{}), s.PodsIn("x")
				for i, want := range []string{c.one, c.two} {
					got := e.PodReach(pods[0], pods[1+i])
					if got.Sure.String() != want || got.Possible.String() != want {
						t.Errorf("%s reaches %s on %v (perhaps %v), want %s", pods[0].Name, pods[1+i].Name, got.Sure, got.Possible, want)
					}
				}
			}
		})
	}
}

// TestBothSidesOfPorts: what passes is what both ends allow, protocol by protocol.
func TestBothSidesOfPorts(t *testing.T) {
	s := read(t, portsCluster+`
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: out, namespace: x}, spec: {podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{ports: [{port: 80, endPort: 90}, {port: web}, {port: 53, protocol: UDP}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: in, namespace: x}, spec: {podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress], ingress: [{ports: [{port: 85, endPort: 9000}, {port: 53}]}]}}`)
	e, pods := New(s, Options{}), s.PodsIn("x")
	for i, want := range []string{"TCP 85-90, 8080", "TCP 85-90"} {
		if got := e.PodReach(pods[0], pods[1+i]).Sure.String(); got != want {
			t.Errorf("%s: got %s, want %s", pods[1+i].Name, got, want)
		}
	}
}

// TestPodsAndThemselves: under a default deny a pod reaches itself, and not its like: of
// the same labels, and so of one class. No list shows a pod's way to itself.
func TestPodsAndThemselves(t *testing.T) {
	const deny = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: x}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`
	for name, c := range map[string]struct {
		policies string
		like     string
	}{"denied": {deny, "no port"}, "open": {"", "every port"}} {
		t.Run(name, func(t *testing.T) {
			s := read(t, portsCluster+c.policies)
			e, pods := New(s, Options{}), s.PodsIn("x")
			one, two := pods[1], pods[2]
			if got := e.PodReach(one, one).Sure.String(); got != "every port" {
				t.Errorf("a pod reaches itself on %s", got)
			}
			if got := e.PodReach(one, two).Possible.String(); got != c.like || e.ClassOf(one) != e.ClassOf(two) {
				t.Errorf("a pod reaches its like on %s, want %s", got, c.like)
			}
			pairs := 0
			e.Flows(func(f Flow) bool { pairs += f.PodPairs(); return true })
			e.Connections(func(c Connection) bool {
				if c.From == c.To {
					t.Errorf("%s is told to reach itself", c.From)
				}
				return true
			})
			if want := map[string]int{"no port": 0, "every port": 6}[c.like]; pairs != want {
				t.Errorf("%d pairs of pods, want %d", pairs, want)
			}
		})
	}
}
