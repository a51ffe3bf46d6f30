package localcluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
)

// serviceRange is the range of Service addresses; the first is the API server's own.
const serviceRange = "10.96.0.0/16"

//go:embed audit-policy.yaml
var auditPolicy []byte

// apiServer is the kube-apiserver. Nobody is anonymous, RBAC decides, every request
// that matters is in the audit log.
type apiServer struct {
	cluster *cluster
	store   *etcd
	*process
}

func (a *apiServer) Init(context.Context) error {
	c := a.cluster
	if err := writeFile(c.dir.config("audit-policy.yaml"), auditPolicy, 0o600); err != nil {
		return err
	}
	args, err := a.args()
	if err != nil {
		return err
	}
	admission, err := a.admissionArgs()
	if err != nil {
		return err
	}
	args = append(args, admission...)
	admin, err := c.kubeconfig("admin", leaf{commonName: "watertight-admin", groups: []string{adminGroup}})
	if err != nil {
		return err
	}
	a.process = c.process("kube-apiserver", c.opts.Engines.Kubernetes, args...)
	a.ready = a.readyWith(httpsGet(c.url("kube-apiserver")+"/readyz", c.pki.cluster, admin))
	a.diagnose = a.store.outOfSpace
	return nil
}

// readyWith asks the store why, too, when the server is not ready: it cannot finish
// its first boot on a store that refuses writes, and does not say so.
func (a *apiServer) readyWith(server func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := server(ctx)
		if err == nil {
			return nil
		}
		return errors.Join(err, a.store.ready(ctx))
	}
}

func (a *apiServer) args() ([]string, error) {
	c := a.cluster
	server := localLeaf("kube-apiserver")
	server.dnsNames = append(server.dnsNames, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	server.ips = append(server.ips, net.IPv4(10, 96, 0, 1).To4())
	serving, err := c.pki.issue(c.pki.cluster, "kube-apiserver", server)
	if err != nil {
		return nil, err
	}
	etcdClient, err := c.pki.issue(c.pki.etcd, "kube-apiserver-etcd-client", leaf{commonName: "kube-apiserver"})
	if err != nil {
		return nil, err
	}
	proxy, err := c.pki.issue(c.pki.frontProxy, "front-proxy-client", leaf{commonName: "front-proxy-client"})
	if err != nil {
		return nil, err
	}
	accounts, err := c.pki.serviceAccountKey()
	if err != nil {
		return nil, err
	}
	return []string{"kube-apiserver",
		// Loopback is no address for Endpoints, and nothing in here could dial it:
		// the server keeps none for itself.
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		fmt.Sprintf("--secure-port=%d", c.ports["kube-apiserver"]),
		"--tls-cert-file=" + serving.cert,
		"--tls-private-key-file=" + serving.key,
		"--client-ca-file=" + c.pki.paths("ca").cert,
		"--anonymous-auth=false",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--runtime-config=admissionregistration.k8s.io/v1=true",
		"--allow-privileged=true", // as on every real cluster: Pod Security is what refuses
		"--profiling=false",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + accounts,
		"--service-account-signing-key-file=" + accounts,
		"--etcd-servers=" + c.url("etcd"),
		"--etcd-cafile=" + c.pki.paths("etcd-ca").cert,
		"--etcd-certfile=" + etcdClient.cert,
		"--etcd-keyfile=" + etcdClient.key,
		"--requestheader-client-ca-file=" + c.pki.paths("front-proxy-ca").cert,
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + proxy.cert,
		"--proxy-client-key-file=" + proxy.key,
		"--audit-policy-file=" + c.dir.config("audit-policy.yaml"),
		"--audit-log-path=" + c.dir.log("audit"),
		"--audit-log-maxsize=50",
		"--audit-log-maxbackup=4",
		"--audit-log-maxage=30",
		"--max-requests-inflight=1600",
		"--max-mutating-requests-inflight=800",
	}, nil
}

// Start also gives the administrators' group its rights on the first boot.
func (a *apiServer) Start(ctx context.Context) error {
	if err := a.process.Start(ctx); err != nil {
		return err
	}
	return a.cluster.bindAdministrators(ctx)
}
