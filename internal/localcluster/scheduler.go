package localcluster

import (
	"context"
	"fmt"
)

// scheduler is the kube-scheduler. It is the only one, so it holds no election.
type scheduler struct {
	cluster *cluster
	*process
}

func (s *scheduler) Init(context.Context) error {
	c := s.cluster
	client, err := c.kubeconfig("kube-scheduler", leaf{commonName: "system:kube-scheduler"})
	if err != nil {
		return err
	}
	serving, err := c.pki.issue(c.pki.cluster, "kube-scheduler-serving", localLeaf("kube-scheduler"))
	if err != nil {
		return err
	}
	config := c.dir.kubeconfig("kube-scheduler")
	s.process = c.process("kube-scheduler", c.opts.Engines.Kubernetes, "kube-scheduler",
		"--kubeconfig="+config,
		"--authentication-kubeconfig="+config,
		"--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports["kube-scheduler"]),
		"--tls-cert-file="+serving.cert,
		"--tls-private-key-file="+serving.key,
		"--client-ca-file="+c.pki.paths("ca").cert,
		"--requestheader-client-ca-file="+c.pki.paths("front-proxy-ca").cert,
		"--profiling=false",
		"--leader-elect=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	)
	s.ready = httpsGet(c.url("kube-scheduler")+"/healthz", c.pki.cluster, client)
	return nil
}
