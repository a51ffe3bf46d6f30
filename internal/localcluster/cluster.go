package localcluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Component is one part of a cluster. Init makes its files, Start returns when it is
// ready, Stop ends it and is harmless when it was never started.
type Component interface {
	Init(ctx context.Context) error
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// member is a Component under the name people read.
type member struct {
	name string
	Component
}

// cluster is what the components share while they run.
type cluster struct {
	opts    Options
	dir     dir
	pki     *pki
	ports   ports
	spawner spawner
	// moved is told of each child's process id.
	moved func(name string, pid int)
}

// members lists the parts in the order in which they start; they stop in reverse.
func (c *cluster) members() []member {
	store := &etcd{cluster: c}
	list := []member{
		{"etcd", store},
		{"kube-apiserver", &apiServer{cluster: c, store: store}},
		{"kube-controller-manager", &controllerManager{cluster: c}},
		{"kube-scheduler", &scheduler{cluster: c}},
		{nodesTitle(c.opts.Nodes), &kwok{cluster: c}},
	}
	for _, step := range c.opts.AfterReady {
		list = append(list, member{step.Name, &hook{cluster: c, step: step}})
	}
	if c.opts.Operator != nil {
		list = append(list, member{"operator", &operator{cluster: c, program: *c.opts.Operator}})
	}
	return list
}

// portNames lists the ports a cluster listens on, all on loopback.
func portNames() []string {
	return []string{"etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "operator-health", "operator-metrics"}
}

func (c *cluster) url(port string) string { return "https://" + loopback(c.ports[port]) }

// process returns a child process of the cluster that runs an engine's program.
func (c *cluster) process(name, program string, args ...string) *process {
	return &process{name: name, program: program, args: args, log: c.dir.log(name), spawner: c.spawner, moved: c.moved}
}

// localLeaf describes a server certificate for a loopback listener.
func localLeaf(commonName string) leaf {
	return leaf{
		commonName: commonName,
		dnsNames:   []string{"localhost"},
		ips:        []net.IP{net.IPv4(127, 0, 0, 1).To4()},
		server:     true,
	}
}

// httpsGet returns a readiness check that asks url, trusting a and showing the
// certificate in files, and wants a 200.
func httpsGet(url string, a *authority, files keyPair) func(context.Context) error {
	return func(ctx context.Context) error {
		pair, err := tls.LoadX509KeyPair(files.cert, files.key)
		if err != nil {
			return fmt.Errorf("load certificate: %w", err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(a.cert)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
		defer transport.CloseIdleConnections()
		return get(ctx, &http.Client{Transport: transport, Timeout: 5 * time.Second}, url)
	}
}

// get wants a 200 from url; anything else is an error that carries the answer.
func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 2<<10))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return nil
}

// hook is a Step as a Component.
type hook struct {
	cluster *cluster
	step    Step
}

func (h *hook) Init(context.Context) error { return nil }

func (h *hook) Start(ctx context.Context) error {
	if err := h.step.Run(ctx, h.cluster.dir.kubeconfig("admin")); err != nil {
		return fmt.Errorf("%s: %w", h.step.Name, err)
	}
	return nil
}

func (h *hook) Stop(context.Context) error { return nil }
