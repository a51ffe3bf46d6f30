package localcluster

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// operator is the program given by Options.Operator, under an identity of its own.
type operator struct {
	cluster *cluster
	program Operator
	*process
}

func (o *operator) Init(context.Context) error {
	c := o.cluster
	if _, err := c.kubeconfig("operator", leaf{commonName: o.program.Username, groups: o.program.Groups}); err != nil {
		return err
	}
	health := loopback(c.ports["operator-health"])
	o.process = c.process("operator", o.program.Program, append(slices.Clone(o.program.Args),
		"--kubeconfig="+c.dir.kubeconfig("operator"),
		"--health-probe-bind-address="+health,
		"--metrics-bind-address="+loopback(c.ports["operator-metrics"]),
	)...)
	o.ready = func(ctx context.Context) error {
		return get(ctx, &http.Client{Timeout: 5 * time.Second}, "http://"+health+"/readyz")
	}
	return nil
}
