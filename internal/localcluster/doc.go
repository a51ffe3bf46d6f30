// Package localcluster is the embedded cluster behind "watertight up": a real
// Kubernetes control plane of child processes on loopback ports, without root,
// whose data outlives every one of its processes.
//
// It knows nothing of tenants. What is installed into the cluster once it is ready
// comes in from outside, as Steps; so does the operator it runs. Its nodes are
// simulated (by KWOK), and it says so wherever it shows them.
//
// The way through the package:
//
//	Build ──▶ Up ──▶ (a process of its own) Supervise ──▶ members(): etcd, kube-apiserver, …
//	           │                                 │
//	           └── reads ◀── status.json ◀───────┘
//
// Build compiles the engines into the user's cache folder. Up takes the cluster's
// lock and hands it to a detached supervisor, or attaches to the one that holds it.
// Supervise starts the members one after the other (each a Component), restarts what
// dies and stops them in reverse. Down stops the supervisor and may remove the state.
package localcluster
