// Package cilium asks Cilium's own policy engine (pkg/policy of github.com/cilium/cilium)
// who reaches whom, for its tests to compare with what Watertight works out. It is a
// second opinion that shares no code with ours; it is not a simulation of a network: no
// packet is sent, and what Cilium decides outside that package (Services, node ports,
// masquerading) is not asked.
package cilium
