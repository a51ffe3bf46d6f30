package localcluster

import (
	"context"
	"fmt"
)

// podRange is shared out to the simulated nodes, a /24 each.
const podRange = "10.128.0.0/9"

// controllerManager is the kube-controller-manager, each controller with its own
// service account. It is the only one, so it holds no election.
type controllerManager struct {
	cluster *cluster
	*process
}

func (m *controllerManager) Init(context.Context) error {
	c := m.cluster
	client, err := c.kubeconfig("kube-controller-manager", leaf{commonName: "system:kube-controller-manager"})
	if err != nil {
		return err
	}
	serving, err := c.pki.issue(c.pki.cluster, "kube-controller-manager-serving", localLeaf("kube-controller-manager"))
	if err != nil {
		return err
	}
	accounts, err := c.pki.serviceAccountKey()
	if err != nil {
		return err
	}
	config, ca := c.dir.kubeconfig("kube-controller-manager"), c.pki.paths("ca")
	args := []string{"kube-controller-manager",
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config,
		"--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports["kube-controller-manager"]),
		"--tls-cert-file=" + serving.cert,
		"--tls-private-key-file=" + serving.key,
		"--client-ca-file=" + ca.cert,
		"--requestheader-client-ca-file=" + c.pki.paths("front-proxy-ca").cert,
		"--profiling=false",
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--controllers=*",
		"--root-ca-file=" + ca.cert,
		"--service-account-private-key-file=" + accounts,
		"--cluster-signing-cert-file=" + ca.cert,
		"--cluster-signing-key-file=" + ca.key,
		"--allocate-node-cidrs",
		"--configure-cloud-routes=false",
		"--cluster-cidr=" + podRange,
		"--service-cluster-ip-range=" + serviceRange,
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--node-monitor-grace-period=" + c.opts.Tuning.gracePeriod().String(),
		"--node-monitor-period=" + (c.opts.Tuning.gracePeriod() / 10).String(),
	}
	m.process = c.process("kube-controller-manager", c.opts.Engines.Kubernetes, args...)
	m.ready = httpsGet(c.url("kube-controller-manager")+"/healthz", c.pki.cluster, client)
	return nil
}
