package localcluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// SimulatedLabel marks the nodes that no machine stands behind.
	SimulatedLabel = "watertight.dev/simulated"
	// kwokAnnotation is what KWOK takes a node on by.
	kwokAnnotation = "kwok.x-k8s.io/node"
	kwokUser       = "watertight-kwok"
)

// nodesTitle is how the nodes are called wherever they are shown.
func nodesTitle(n int) string {
	if n == 1 {
		return "1 simulated node"
	}
	return fmt.Sprintf("%d simulated nodes", n)
}

// kwok simulates nodes: it keeps their Node objects Ready and says that the pods
// bound to them run. No container ever does.
type kwok struct {
	cluster *cluster
	*process
}

func (k *kwok) Init(context.Context) error {
	c := k.cluster
	if c.opts.Nodes == 0 {
		return nil
	}
	if c.opts.Engines.KWOK == "" {
		return errors.New("simulate nodes: no kwok engine was given; ask for no nodes, or put a program called kwok beside the engine")
	}
	if _, err := c.kubeconfig("kwok", leaf{commonName: kwokUser}); err != nil {
		return err
	}
	k.process = c.process("kwok", c.opts.Engines.KWOK,
		"--kubeconfig="+c.dir.kubeconfig("kwok"),
		"--heartbeat="+(c.opts.Tuning.gracePeriod()/5).String(),
	)
	return nil
}

// Start makes the nodes as many as were asked for and waits until all are Ready.
func (k *kwok) Start(ctx context.Context) error {
	client, err := k.cluster.adminClient()
	if err != nil {
		return err
	}
	if err := k.removeNodes(ctx, client); err != nil {
		return err
	}
	if k.process == nil {
		return nil
	}
	if err := grantKWOK(ctx, client); err != nil {
		return err
	}
	if err := k.createNodes(ctx, client); err != nil {
		return err
	}
	k.ready = func(ctx context.Context) error { return nodesReady(ctx, client, k.cluster.opts.Nodes) }
	return k.process.Start(ctx)
}

func simulatedNodes() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: SimulatedLabel + "=true"}
}

func nodeName(i int) string { return fmt.Sprintf("simulated-%d", i+1) }

// removeNodes deletes the simulated nodes that are no longer asked for.
func (k *kwok) removeNodes(ctx context.Context, client kubernetes.Interface) error {
	wanted := map[string]bool{}
	for i := range k.cluster.opts.Nodes {
		wanted[nodeName(i)] = true
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, simulatedNodes())
	if err != nil {
		return fmt.Errorf("list simulated nodes: %w", err)
	}
	for _, node := range nodes.Items {
		if wanted[node.Name] {
			continue
		}
		if err := client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete simulated node: %w", err)
		}
	}
	return nil
}

func (k *kwok) createNodes(ctx context.Context, client kubernetes.Interface) error {
	capacity, err := k.cluster.opts.NodeShape.capacity()
	if err != nil {
		return err
	}
	for i := range k.cluster.opts.Nodes {
		_, err := client.CoreV1().Nodes().Create(ctx, simulatedNode(i, capacity), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create simulated node: %w", err)
		}
	}
	return nil
}

func simulatedNode(i int, capacity corev1.ResourceList) *corev1.Node {
	name := nodeName(i)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				SimulatedLabel:                      "true",
				corev1.LabelHostname:                name,
				corev1.LabelOSStable:                "linux",
				corev1.LabelArchStable:              "amd64",
				"node-role.kubernetes.io/simulated": "",
			},
			Annotations: map[string]string{
				kwokAnnotation: "fake",
				SimulatedLabel: "no machine stands behind this node: KWOK keeps it Ready and runs no container",
			},
		},
		Status: corev1.NodeStatus{
			Capacity:    capacity,
			Allocatable: capacity,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("172.31.%d.%d", i/250, i%250+1)},
				{Type: corev1.NodeHostName, Address: name},
			},
		},
	}
}

// Validate reports the first part of the shape that is no quantity.
func (s NodeShape) Validate() error {
	_, err := s.capacity()
	return err
}

// capacity parses the shape; what is left empty is that of DefaultNodeShape.
func (s NodeShape) capacity() (corev1.ResourceList, error) {
	standard := DefaultNodeShape()
	list := corev1.ResourceList{}
	for _, r := range []struct {
		name            corev1.ResourceName
		value, standard string
	}{
		{corev1.ResourceCPU, s.CPU, standard.CPU},
		{corev1.ResourceMemory, s.Memory, standard.Memory},
		{corev1.ResourceEphemeralStorage, s.EphemeralStorage, standard.EphemeralStorage},
		{corev1.ResourcePods, s.Pods, standard.Pods},
	} {
		if r.value == "" {
			r.value = r.standard
		}
		quantity, err := resource.ParseQuantity(r.value)
		if err != nil {
			return nil, fmt.Errorf("parse a node's %s %q: %w", r.name, r.value, err)
		}
		if quantity.Sign() <= 0 {
			return nil, fmt.Errorf("a node's %s is %s: it has to be more than nothing", r.name, r.value)
		}
		list[r.name] = quantity
	}
	return list, nil
}

// nodesReady wants n simulated nodes to be Ready.
func nodesReady(ctx context.Context, client kubernetes.Interface, n int) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, simulatedNodes())
	if err != nil {
		return fmt.Errorf("list simulated nodes: %w", err)
	}
	ready := 0
	for _, node := range nodes.Items {
		if nodeReady(&node) {
			ready++
		}
	}
	if ready < n {
		return fmt.Errorf("%d of %s Ready", ready, nodesTitle(n))
	}
	return nil
}

func nodeReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// grantKWOK gives KWOK the rights of a kubelet for every node, and no more.
func grantKWOK(ctx context.Context, client kubernetes.Interface) error {
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: kwokUser},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch", "patch", "delete"}},
			{APIGroups: []string{""}, Resources: []string{"nodes/status", "pods/status"}, Verbs: []string{"patch", "update"}},
			{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: kwokUser},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: kwokUser},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: kwokUser}},
	}
	_, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = client.RbacV1().ClusterRoles().Update(ctx, role, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("write the role of %s: %w", kwokUser, err)
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("bind the role of %s: %w", kwokUser, err)
	}
	return nil
}
