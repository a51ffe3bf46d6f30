package localcluster

import (
	"context"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// adminGroup is the group of the cluster's administrators. It has its rights from a
// ClusterRoleBinding that can be seen and deleted, unlike system:masters, which the
// API server obeys unasked.
const adminGroup = "watertight:cluster-admins"

// bindAdministrators gives adminGroup its rights when it does not have them yet. That
// takes system:masters once, in a certificate that lives in memory for minutes.
func (c *cluster) bindAdministrators(ctx context.Context) error {
	admin, err := c.adminClient()
	if err != nil {
		return err
	}
	_, err = admin.RbacV1().ClusterRoleBindings().Get(ctx, adminGroup, metav1.GetOptions{})
	if err == nil {
		return nil
	}
	if !apierrors.IsForbidden(err) {
		return fmt.Errorf("check the administrators' rights: %w", err)
	}
	masters, err := c.mastersClient()
	if err != nil {
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: adminGroup},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: adminGroup}},
	}
	if _, err := masters.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("bind the administrators' group: %w", err)
	}
	// The authorizer reads bindings from a cache.
	return poll(ctx, func(ctx context.Context) error {
		_, err := admin.RbacV1().ClusterRoleBindings().Get(ctx, adminGroup, metav1.GetOptions{})
		return err
	})
}

func (c *cluster) adminClient() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.kubeconfig("admin"))
	if err != nil {
		return nil, fmt.Errorf("load the administrator's kubeconfig: %w", err)
	}
	config.QPS = -1
	return newClient(config)
}

func (c *cluster) mastersClient() (*kubernetes.Clientset, error) {
	cert, key, err := c.pki.inMemory(c.pki.cluster, leaf{commonName: "watertight-first-boot", groups: []string{"system:masters"}}, 5*time.Minute)
	if err != nil {
		return nil, err
	}
	return newClient(&rest.Config{
		Host: c.url("kube-apiserver"),
		TLSClientConfig: rest.TLSClientConfig{
			CAFile:   c.pki.paths("ca").cert,
			CertData: cert,
			KeyData:  key,
		},
	})
}

func newClient(config *rest.Config) (*kubernetes.Clientset, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return client, nil
}

// poll calls check until it succeeds or ctx ends; the error is then check's last.
func poll(ctx context.Context, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		case <-time.After(pollInterval):
		}
	}
}
