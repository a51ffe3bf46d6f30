package load

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"watertight.dev/watertight/internal/snapshot"
)

// cluster is an API server that answers lists as it is told.
type cluster struct {
	sync.Mutex
	pods   int
	status map[string]int // by resource
	pages  int
	expire bool // the second page once
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.Lock()
	defer c.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	resource := parts[len(parts)-1]
	w.Header().Set("Content-Type", "application/json")
	switch code := c.status[resource]; {
	case code != 0:
		c.refuse(w, resource, code)
	case r.URL.Path == "/version":
		fmt.Fprint(w, `{"major":"1","minor":"37"}`)
	case r.URL.Path == "/api":
		fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
	case r.URL.Path == "/apis":
		fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"cilium.io","versions":[{"groupVersion":"cilium.io/v2","version":"v2"}],"preferredVersion":{"groupVersion":"cilium.io/v2","version":"v2"}}]}`)
	case r.URL.Path == "/apis/cilium.io/v2":
		fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"cilium.io/v2","resources":[{"name":"ciliumnetworkpolicies","kind":"CiliumNetworkPolicy","namespaced":true,"verbs":["list"]},{"name":"ciliumnetworkpolicies/status","kind":"CiliumNetworkPolicy","verbs":["get"]}]}`)
	case resource == "ciliumnetworkpolicies":
		fmt.Fprint(w, `{"apiVersion":"cilium.io/v2","kind":"CiliumNetworkPolicyList","metadata":{},"items":[{"apiVersion":"cilium.io/v2","kind":"CiliumNetworkPolicy","metadata":{"name":"c","namespace":"shop"}}]}`)
	case resource == "pods":
		c.podPage(w, r)
	default:
		fmt.Fprint(w, `{"metadata":{},"items":[]}`)
	}
}

func (c *cluster) refuse(w http.ResponseWriter, resource string, code int) {
	w.WriteHeader(code)
	status := apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", nil).Status()
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	status.Code = int32(code)
	switch code {
	case http.StatusNotFound:
		status.Reason = metav1.StatusReasonNotFound
	case http.StatusServiceUnavailable:
		status.Reason = metav1.StatusReasonServiceUnavailable
	}
	_ = json.NewEncoder(w).Encode(status)
}

func (c *cluster) podPage(w http.ResponseWriter, r *http.Request) {
	start := 0
	if token := r.URL.Query().Get("continue"); token != "" {
		if c.expire {
			c.expire = false
			w.WriteHeader(http.StatusGone)
			status := apierrors.NewResourceExpired("too old").Status()
			status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			_ = json.NewEncoder(w).Encode(status)
			return
		}
		_, _ = fmt.Sscan(token, &start)
	}
	c.pages++
	limit := c.pods
	if l := r.URL.Query().Get("limit"); l != "" {
		_, _ = fmt.Sscan(l, &limit)
	}
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	for i := start; i < min(start+limit, c.pods); i++ {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("p%04d", i), ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x"}},
		}})
	}
	if start+limit < c.pods {
		list.Continue = fmt.Sprint(start + limit)
	}
	_ = json.NewEncoder(w).Encode(list)
}

func serve(t *testing.T, c *cluster) *rest.Config {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

// TestLive pages through what may be listed and names what may not.
func TestLive(t *testing.T) {
	c := &cluster{pods: 1201, status: map[string]int{"networkpolicies": 403, "guards": 404}}
	s, err := Live(context.Background(), serve(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Pods) != 1201 || c.pages != 3 || s.Pods[7].ManagedFields != nil || s.Origin != snapshot.OriginLive {
		t.Errorf("got %d pods on %d pages, origin %q", len(s.Pods), c.pages, s.Origin)
	}
	if len(s.Others) != 1 || s.Others[0].GetKind() != "CiliumNetworkPolicy" {
		t.Errorf("others: %v", s.Others)
	}
	for kind, text := range map[string]string{"NetworkPolicy": "(403): allow the verb list on networkpolicies.networking.k8s.io", "Guard": "is not served"} {
		if m := s.Missing(kind); len(m) != 1 || !strings.Contains(m[0].Message, text) {
			t.Errorf("%s: got %+v", kind, m)
		}
	}
	if len(s.Problems) != 2 {
		t.Errorf("problems: %+v", s.Problems)
	}
}

// TestLiveExpiredPage begins again where the server forgot the list on the way.
func TestLiveExpiredPage(t *testing.T) {
	s, err := Live(context.Background(), serve(t, &cluster{pods: 700, expire: true}))
	if err != nil || len(s.Pods) != 700 || len(s.Problems) != 0 {
		t.Fatalf("got %v, %+v", err, s)
	}
	if !slices.IsSortedFunc(s.Pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("out of order")
	}
}

// TestUnreachable names the server and says what to do.
func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + listener.Addr().String()
	_ = listener.Close()
	unauthorized := serve(t, &cluster{status: map[string]int{"version": 401}})
	for name, c := range map[string]struct {
		config *rest.Config
		text   string
	}{
		"nobody listens":             {&rest.Config{Host: gone}, "check that the server is running"},
		"unknown authority":          {&rest.Config{Host: secure(t, time.Hour).URL}, "of another authority"},
		"server certificate expired": {trusting(secure(t, -time.Hour)), "certificate has expired: renew it"},
		"client certificate expired": {&rest.Config{Host: gone, TLSClientConfig: rest.TLSClientConfig{CertData: certificate(t, -time.Hour).pem}}, "the client certificate expired at"},
		"credentials":                {unauthorized, "get new ones"},
	} {
		_, err := Live(context.Background(), c.config)
		if err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), c.config.Host) {
			t.Errorf("%s: want %q and %s, got %v", name, c.text, c.config.Host, err)
		}
	}
}

// pair is a certificate with its key.
type pair struct {
	pem []byte
	tls tls.Certificate
}

// certificate makes a self-signed certificate that lasts until then.
func certificate(t *testing.T, until time.Duration) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(until),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		t.Fatal(err)
	}
	return pair{text.Bytes(), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
}

// server is an https server and the certificate that it shows.
type server struct {
	*httptest.Server
	pem []byte
}

func secure(t *testing.T, until time.Duration) server {
	t.Helper()
	p := certificate(t, until)
	s := httptest.NewUnstartedServer(&cluster{})
	s.TLS = &tls.Config{Certificates: []tls.Certificate{p.tls}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	return server{s, p.pem}
}

func trusting(s server) *rest.Config {
	return &rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: s.pem}}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
