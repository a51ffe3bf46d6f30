package localcluster

import (
	"maps"
	"os"
	"slices"
)

// Status is what the supervisor says about its cluster, in the state folder.
type Status struct {
	Phase Phase `json:"phase"`
	// Supervisor is the process that holds the cluster's lock, Children are the
	// processes it runs, by component.
	Supervisor ProcessID            `json:"supervisor"`
	Children   map[string]ProcessID `json:"children,omitempty"`
	// Steps are the parts of the cluster in their order.
	Steps []StepStatus `json:"steps,omitempty"`
	// Notes tell people of what was repaired on the way, such as certificates.
	Notes []string `json:"notes,omitempty"`
	// Error says why the phase is Failed.
	Error string `json:"error,omitempty"`
}

// Phase is where a cluster is in its life:
//
//	Starting ──▶ Ready ──▶ Stopping ──▶ Stopped
//	    └──────────┴──▶ Stopping ──▶ Failed
type Phase string

// The phases.
const (
	Starting Phase = "Starting"
	Ready    Phase = "Ready"
	Stopping Phase = "Stopping"
	Stopped  Phase = "Stopped"
	Failed   Phase = "Failed"
)

// StepStatus is how far one part of the cluster has come.
type StepStatus struct {
	Name    string    `json:"name"`
	State   StepState `json:"state,omitempty"`
	Seconds float64   `json:"seconds,omitempty"`
}

// StepState is empty before the step begins.
type StepState string

// The states of a step that has begun.
const (
	Running StepState = "Running"
	Done    StepState = "Done"
	Broken  StepState = "Broken"
)

// ProcessID names one process for good: numbers are given out again, start times
// are not.
type ProcessID struct {
	PID       int    `json:"pid"`
	StartTime string `json:"startTime"`
}

func thisProcess() ProcessID {
	pid := os.Getpid()
	return ProcessID{PID: pid, StartTime: startTime(pid)}
}

func (p ProcessID) alive() bool {
	return p.PID > 0 && p.StartTime != "" && startTime(p.PID) == p.StartTime
}

func (s Status) clone() Status {
	s.Children, s.Steps, s.Notes = maps.Clone(s.Children), slices.Clone(s.Steps), slices.Clone(s.Notes)
	return s
}

// AdminKubeconfig is the path of the administrator's kubeconfig in a state folder.
func AdminKubeconfig(stateDir string) string { return dir(stateDir).kubeconfig("admin") }
