package main

import (
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcdOptions are the few settings of a single-member etcd that the local cluster
// needs. Durability is not among them: fsync is always on.
type etcdOptions struct {
	dataDir   string
	clientURL string
	peerURL   string
	certFile  string
	keyFile   string
	caFile    string
	quota     int64
}

// newEtcdCommand returns a command that serves one etcd member with mutual TLS
// until it is told to stop by SIGINT or SIGTERM.
func newEtcdCommand() *cobra.Command {
	var o etcdOptions
	cmd := &cobra.Command{
		Use:           "etcd",
		Short:         "Serve one embedded etcd member with mutual TLS",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: false,
		RunE:          func(*cobra.Command, []string) error { return o.run() },
	}
	f := cmd.Flags()
	f.StringVar(&o.dataDir, "data-dir", "", "folder of the member's data")
	f.StringVar(&o.clientURL, "listen-client-url", "", "https URL for clients")
	f.StringVar(&o.peerURL, "listen-peer-url", "", "https URL for peers (loopback; a single member has none)")
	f.StringVar(&o.certFile, "cert-file", "", "server and peer certificate")
	f.StringVar(&o.keyFile, "key-file", "", "key of the certificate")
	f.StringVar(&o.caFile, "trusted-ca-file", "", "CA that clients' certificates must be signed by")
	f.Int64Var(&o.quota, "quota-backend-bytes", 8<<30, "size at which the member refuses writes")
	return cmd
}

func (o *etcdOptions) run() error {
	cfg, err := o.config()
	if err != nil {
		return err
	}
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
		e.Close()
		return nil
	case err := <-e.Err():
		e.Close()
		return fmt.Errorf("serve etcd: %w", err)
	}
}

// config translates the options into etcd's own configuration. The election
// timers are short because a single member has nobody to wait for.
func (o *etcdOptions) config() (*embed.Config, error) {
	client, err := url.Parse(o.clientURL)
	if err != nil {
		return nil, fmt.Errorf("parse --listen-client-url: %w", err)
	}
	peer, err := url.Parse(o.peerURL)
	if err != nil {
		return nil, fmt.Errorf("parse --listen-peer-url: %w", err)
	}
	cfg := embed.NewConfig()
	cfg.Name = "local"
	cfg.Dir = o.dataDir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.TickMs, cfg.ElectionMs = 10, 100
	cfg.QuotaBackendBytes = o.quota
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, (5 * time.Minute).String()
	cfg.LogLevel = "warn"
	for _, t := range []*transport.TLSInfo{&cfg.ClientTLSInfo, &cfg.PeerTLSInfo} {
		t.CertFile, t.KeyFile, t.TrustedCAFile, t.ClientCertAuth = o.certFile, o.keyFile, o.caFile, true
	}
	return cfg, nil
}
