package localcluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

const defaultEtcdQuota = 8 << 30

// etcd stores the cluster's objects: one member, fsync on, mutual TLS under an
// authority that signs nothing else.
type etcd struct {
	cluster *cluster
	*process
}

func (e *etcd) Init(context.Context) error {
	c := e.cluster
	files, err := c.pki.issue(c.pki.etcd, "etcd", localLeaf("etcd"))
	if err != nil {
		return err
	}
	quota := c.opts.Tuning.EtcdQuotaBytes
	if quota == 0 {
		quota = defaultEtcdQuota
	}
	e.process = c.process("etcd", c.opts.Engines.Kubernetes, "etcd",
		"--data-dir="+c.dir.etcdData(),
		"--listen-client-url="+c.url("etcd"),
		"--listen-peer-url="+c.url("etcd-peer"),
		"--cert-file="+files.cert,
		"--key-file="+files.key,
		"--trusted-ca-file="+c.pki.paths("etcd-ca").cert,
		"--quota-backend-bytes="+strconv.FormatInt(quota, 10),
	)
	e.ready = httpsGet(c.url("etcd")+"/health", c.pki.etcd, files)
	e.diagnose = e.explain
	return nil
}

// explain names the two ways in which etcd runs out of space.
func (e *etcd) explain(logTail string, lastErr error) string {
	switch {
	case strings.Contains(logTail, "no space left on device"):
		return fmt.Sprintf("the disk that holds %s is full; free some space and run up again (no data is lost)", e.cluster.dir.etcdData())
	case strings.Contains(lastErr.Error(), "NOSPACE"):
		return fmt.Sprintf("etcd has reached its quota and refuses writes (alarm NOSPACE); the data is in %s: raise the quota, or start over with down --delete", e.cluster.dir.etcdData())
	}
	return ""
}
