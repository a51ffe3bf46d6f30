package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/reconcile"
)

// The lifetime of an owner's credential: certificates cannot be revoked and tokens only
// by deleting their ServiceAccount, so both ends are short.
const (
	minimumLifetime = 10 * time.Minute
	maximumLifetime = 24 * time.Hour
)

func newKubeconfigCommand(e *env) *cobra.Command {
	var c connection
	var lifetime time.Duration
	var namespace string
	cmd := &cobra.Command{
		Use:   "kubeconfig TENANT",
		Short: "Print a short-lived kubeconfig with the rights of a tenant's owner",
		Long: `Print a kubeconfig with the rights that the owners of a tenant have. Its credential is a token that
expires; ask again for a new one. You need the right to create tokens in watertight-system.`,
		Example: "  watertight kubeconfig acme > acme.kubeconfig\n  kubectl --kubeconfig acme.kubeconfig get pods -n acme-frontend",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lifetime < minimumLifetime || lifetime > maximumLifetime {
				return fmt.Errorf("--duration must be between %s and %s", minimumLifetime, maximumLifetime)
			}
			config, err := c.config()
			if err != nil {
				return err
			}
			out, err := ownerKubeconfig(cmd.Context(), config, args[0], namespace, lifetime)
			if err != nil {
				return cannotTell(err)
			}
			_, err = e.out.Write(out)
			return err
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().DurationVar(&lifetime, "duration", time.Hour, "how long the credential is good for (at most 24h)")
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "the tenant's namespace that the context starts in (default: its first)")
	return cmd
}

// ownerKubeconfig mints a token of the tenant's owner ServiceAccount and wraps it.
func ownerKubeconfig(ctx context.Context, config *rest.Config, tenant, namespace string, lifetime time.Duration) ([]byte, error) {
	c, err := client.New(config, client.Options{Scheme: reconcile.Scheme()})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	t := &v1alpha1.Tenant{}
	if err := c.Get(ctx, types.NamespacedName{Name: tenant}, t); err != nil {
		return nil, fmt.Errorf("get tenant: %w", err)
	}
	if namespace == "" && len(t.Spec.Namespaces) > 0 {
		namespace = v1alpha1.NamespaceName(tenant, t.Spec.Namespaces[0].Name)
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	seconds := int64(lifetime / time.Second)
	token, err := clients.CoreV1().ServiceAccounts(v1alpha1.SystemNamespace).CreateToken(ctx, v1alpha1.OwnerServiceAccount(tenant),
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("tenant %s has no owner credential yet: it is %s (kubectl get tenant %s -o wide)", tenant, t.Status.Phase, tenant)
	}
	if err != nil {
		return nil, fmt.Errorf("mint token: %w", err)
	}
	return writeKubeconfig(config, "watertight-"+tenant, namespace, token.Status.Token)
}

func writeKubeconfig(config *rest.Config, name, namespace, token string) ([]byte, error) {
	ca := config.CAData
	if len(ca) == 0 && config.CAFile != "" {
		read, err := os.ReadFile(config.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		ca = read
	}
	out := clientcmdapi.NewConfig()
	out.Clusters[name] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthorityData: ca,
		TLSServerName: config.ServerName, InsecureSkipTLSVerify: config.Insecure,
	}
	out.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	out.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	out.CurrentContext = name
	text, err := clientcmd.Write(*out)
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	return text, nil
}
