package load

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// connectTimeout bounds the first question; a server that does not answer it in time
// would not answer fifty lists.
const connectTimeout = 15 * time.Second

// reach asks the server one small question, so that an unreachable server or an
// expired certificate is one clear error rather than a list of missing kinds.
func reach(ctx context.Context, config *rest.Config) error {
	if until, ok := clientCertificateEnd(config); ok && time.Now().After(until) {
		return fmt.Errorf("connect to API server %s: the client certificate expired at %s: get new credentials (watertight up, or your platform's login)",
			config.Host, until.Format(time.RFC3339))
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to API server %s: %w: correct the kubeconfig", config.Host, err)
	}
	_, err = client.RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err == nil || apierrors.IsForbidden(err) {
		return nil
	}
	return fmt.Errorf("connect to API server %s: %w: %s", config.Host, err, remedy(err))
}

// remedy says what to do about a failed connection.
func remedy(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var network net.Error
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired: renew it (a local cluster: watertight down, then up)"
	case errors.As(err, &unknown):
		return "the server's certificate is of another authority: correct certificate-authority-data in the kubeconfig"
	case apierrors.IsUnauthorized(err):
		return "the server does not accept the credentials, which may have expired: get new ones"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "the server does not answer: check the address, the network and that it is running"
	default:
		return "check that the server is running and that the address in the kubeconfig is right (--kubeconfig, --context)"
	}
}

// clientCertificateEnd is when the client certificate in use expires.
func clientCertificateEnd(config *rest.Config) (time.Time, bool) {
	data := config.CertData
	if len(data) == 0 && config.CertFile != "" {
		data, _ = os.ReadFile(config.CertFile) // unreadable: the connection says so better
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return time.Time{}, false
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, false
	}
	return certificate.NotAfter, true
}
