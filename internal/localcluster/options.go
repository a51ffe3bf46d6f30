package localcluster

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

// Options says which cluster to run and what to run in it. It is kept in the state
// folder for the supervisor, except the functions, which every process sets itself.
type Options struct {
	// Name is the cluster's name; the kubeconfig context is "watertight-" + Name.
	Name string `json:"name"`
	// StateDir is the folder of everything the cluster keeps; see StateDir.
	StateDir string `json:"stateDir"`
	// Engines are the programs it runs.
	Engines Engines `json:"engines"`
	// Nodes is the number of simulated nodes, and NodeShape the size of each.
	Nodes     int       `json:"nodes"`
	NodeShape NodeShape `json:"nodeShape"`
	// Kubeconfig is the file that is given the cluster's context; none when empty.
	Kubeconfig string `json:"kubeconfig"`
	// Tuning holds what tests change.
	Tuning Tuning `json:"tuning"`
	// AfterReady runs, in order, each time the control plane has become ready and
	// before the operator starts. Every step must be safe to repeat.
	AfterReady []Step `json:"-"`
	// GuardKeeper is the one user besides administrators who may write admission
	// policies whose names begin with watertight; empty leaves them to RBAC.
	GuardKeeper string `json:"guardKeeper,omitempty"`
	// Operator is run as a child once the steps are done; none when nil.
	Operator *Operator `json:"-"`
}

// Engines are the paths of the programs that Build makes.
type Engines struct {
	// Kubernetes is the multi-call binary of the control plane.
	Kubernetes string `json:"kubernetes"`
	// KWOK simulates nodes; it may be empty when a cluster has none.
	KWOK string `json:"kwok"`
}

// NodeShape is what a simulated node says it has, as Kubernetes quantities.
type NodeShape struct {
	CPU              string `json:"cpu"`
	Memory           string `json:"memory"`
	EphemeralStorage string `json:"ephemeralStorage"`
	Pods             string `json:"pods"`
}

// DefaultNodeShape is a common large worker.
func DefaultNodeShape() NodeShape {
	return NodeShape{CPU: "32", Memory: "256Gi", EphemeralStorage: "500Gi", Pods: "110"}
}

// Tuning changes limits that have a good default (the zero value).
type Tuning struct {
	// EtcdQuotaBytes is the size at which etcd refuses writes.
	EtcdQuotaBytes int64 `json:"etcdQuotaBytes,omitempty"`
	// NodeMonitorGracePeriod is how long a silent node stays Ready.
	NodeMonitorGracePeriod time.Duration `json:"nodeMonitorGracePeriod,omitempty"`
}

// defaultGracePeriod is that of the kube-controller-manager.
const defaultGracePeriod = 50 * time.Second

func (t Tuning) gracePeriod() time.Duration {
	if t.NodeMonitorGracePeriod > 0 {
		return t.NodeMonitorGracePeriod
	}
	return defaultGracePeriod
}

// Step is something to be done in a cluster whose API is ready.
type Step struct {
	// Name is shown while the step runs.
	Name string
	// Run is given the path of an administrator's kubeconfig.
	Run func(ctx context.Context, kubeconfig string) error
}

// Operator is a program that runs beside the control plane.
type Operator struct {
	// Program and Args are started with --kubeconfig, --health-probe-bind-address
	// and --metrics-bind-address appended; /readyz on the former says it is ready.
	Program string
	Args    []string
	// Username and Groups are those of its client certificate.
	Username string
	Groups   []string
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// ValidateName reports whether name can name a cluster.
func ValidateName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("cluster name %.60q: use at most 40 lower-case letters, digits and dashes, with a letter or digit at both ends", name)
	}
	return nil
}

// ContextName is the kubeconfig context of the cluster called name.
func ContextName(name string) string { return "watertight-" + name }
