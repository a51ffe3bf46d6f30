package localcluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

const (
	defaultEtcdQuota = 8 << 30
	// diskFull is what the operating system says, in etcd's log.
	diskFull = "no space left on device"
)

// etcd stores the cluster's objects: one member, fsync on, mutual TLS under an
// authority that signs nothing else.
type etcd struct {
	cluster *cluster
	*process
}

func (e *etcd) quota() int64 {
	if quota := e.cluster.opts.Tuning.EtcdQuotaBytes; quota > 0 {
		return quota
	}
	return defaultEtcdQuota
}

func (e *etcd) Init(context.Context) error {
	c := e.cluster
	files, err := c.pki.issue(c.pki.etcd, "etcd", localLeaf("etcd"))
	if err != nil {
		return err
	}
	e.process = c.process("etcd", c.opts.Engines.Kubernetes, "etcd",
		"--data-dir="+c.dir.etcdData(),
		"--listen-client-url="+c.url("etcd"),
		"--listen-peer-url="+c.url("etcd-peer"),
		"--cert-file="+files.cert,
		"--key-file="+files.key,
		"--trusted-ca-file="+c.pki.paths("etcd-ca").cert,
		"--quota-backend-bytes="+strconv.FormatInt(e.quota(), 10),
	)
	e.ready = httpsGet(c.url("etcd")+"/health", c.pki.etcd, files)
	e.diagnose = e.outOfSpace
	return nil
}

// outOfSpace names the two ways in which etcd runs out of space, or returns "".
func (e *etcd) outOfSpace(lastErr error) string {
	data := e.cluster.dir.etcdData()
	switch {
	case strings.Contains(e.tail(), diskFull):
		return fmt.Sprintf("the disk that holds %s is full; free some space and run up again: what was stored is still there", data)
	case strings.Contains(lastErr.Error(), "NOSPACE"):
		return fmt.Sprintf("etcd has reached its quota of %d bytes and refuses writes (alarm NOSPACE); its data is in %s; start over with down --delete", e.quota(), data)
	}
	return ""
}
