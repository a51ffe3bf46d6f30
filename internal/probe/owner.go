package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"watertight.dev/watertight/api/v1alpha1"
)

const (
	// tokenSeconds is the life of the owner's token: the shortest the API server gives.
	tokenSeconds = 600
	// answerTime is what the API server has to answer one request.
	answerTime = 15 * time.Second
	// maxAnswer bounds what is read of one answer.
	maxAnswer = 1 << 20
)

// Owner asks the API server for a short-lived token of the tenant owner's
// ServiceAccount and returns an API that uses it and nothing else: no impersonation,
// no right of the caller's.
func Owner(ctx context.Context, admin *rest.Config, tenant string) (API, error) {
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	name := v1alpha1.OwnerServiceAccount(tenant)
	seconds := int64(tokenSeconds)
	token, err := client.CoreV1().ServiceAccounts(v1alpha1.SystemNamespace).CreateToken(ctx, name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no ServiceAccount %s/%s: the operator makes it once it accepts the Tenant; see kubectl get tenant %s", v1alpha1.SystemNamespace, name, tenant)
	case err != nil:
		return nil, fmt.Errorf("request a token for ServiceAccount %s/%s: %w", v1alpha1.SystemNamespace, name, err)
	}
	cfg := rest.AnonymousClientConfig(admin)
	cfg.BearerToken = token.Status.Token
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for ServiceAccount %s/%s: %w", v1alpha1.SystemNamespace, name, err)
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("read the server's address: %w", err)
	}
	return &ownerAPI{client: httpClient, host: base.String()}, nil
}

// ownerAPI sends requests with one bearer token.
type ownerAPI struct {
	client *http.Client
	host   string
}

// Do implements API.
func (o *ownerAPI) Do(ctx context.Context, r Request) Answer {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := r.http(o.host)
	if err != nil {
		return Answer{Err: err}
	}
	resp, err := o.client.Do(req.WithContext(ctx))
	if err != nil {
		return Answer{Err: err}
	}
	defer resp.Body.Close()
	answer := Answer{Code: resp.StatusCode}
	if answer.Accepted() && !r.writes() {
		return answer // what could be read is none of our business
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Answer{Err: err}
	}
	if answer.Accepted() {
		if r.Subresource != "token" { // never hold a credential that was not ours
			answer.Body = body
		}
		return answer
	}
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" {
		answer.Reason, answer.Message = string(status.Reason), status.Message
	}
	return answer
}
