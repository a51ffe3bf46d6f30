package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

// cutter lets an operator make a number of writes and then nothing more, as a crash
// right after a write would. It counts what a reconcile writes: not leases, events,
// tokens, dry-runs or guards.
type cutter struct {
	next http.RoundTripper

	mu      sync.Mutex
	limit   int // 0 is none
	count   int
	done    bool
	reached chan struct{}
}

func (c *cutter) arm(limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit, c.count, c.done, c.reached = limit, 0, false, make(chan struct{})
}

func (c *cutter) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

func (c *cutter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock() // one request at a time, so that nothing is under way at the cut
	if c.done {
		return nil, errors.New("the operator has crashed")
	}
	if r.Method == http.MethodGet {
		c.mu.Unlock()
		defer c.mu.Lock()
		return c.next.RoundTrip(r)
	}
	response, err := c.next.RoundTrip(r)
	if counts(r) {
		c.count++
		if c.count == c.limit {
			c.done = true
			close(c.reached)
		}
	}
	return response, err
}

func counts(r *http.Request) bool {
	for _, other := range []string{"/leases", "/events", "/token", "admissionregistration", "watertight-canary"} {
		if strings.Contains(r.URL.Path, other) {
			return false
		}
	}
	return r.URL.Query().Get("dryRun") == ""
}

// TestCrashAfterEveryWrite stops the operator right after its k-th write, for every k of
// a creation and of a deletion and for a sample of a change, looks at what a crash would
// leave, and lets a new operator finish.
func TestCrashAfterEveryWrite(t *testing.T) {
	config, c := cluster(t)
	h := &crashes{config: config, admin: c}
	if err := c.Create(t.Context(), shop(t, "neighbour")); err != nil {
		t.Fatal(err)
	}
	h.restart(t)
	eventually(t, ready(c, t, "neighbour"))

	create := func(name string) func(*testing.T) {
		return func(t *testing.T) { h.must(t, c.Create(t.Context(), shop(t, name))) }
	}
	total := h.crash(t, "ct", 0, create("ct"))
	t.Logf("a creation takes %d writes", total)
	for _, k := range every(total) {
		name := fmt.Sprintf("c%02d", k)
		h.crash(t, name, k, create(name))
	}
	changes := h.crash(t, "ct", 0, h.change("ct"))
	t.Logf("a change takes %d writes", changes)
	for _, k := range sample(min(changes, total)) {
		name := fmt.Sprintf("c%02d", k)
		h.crash(t, name, k, h.change(name))
	}
	deletions := h.crash(t, "ct", 0, h.remove("ct"))
	t.Logf("a deletion takes %d writes", deletions)
	for _, k := range every(min(deletions, total)) {
		name := fmt.Sprintf("c%02d", k)
		h.crash(t, name, k, h.remove(name))
	}
}

// every is every write, or with -short a sample.
func every(total int) []int {
	if testing.Short() {
		return sample(total)
	}
	var out []int
	for k := 1; k <= total; k++ {
		out = append(out, k)
	}
	return out
}

// sample is every write of a short list, and some of a long one.
func sample(total int) []int {
	var out []int
	for k := 1; k <= total; k += 1 + k/4 {
		out = append(out, k)
	}
	return out
}

// crashes runs operators one after another.
type crashes struct {
	config *rest.Config
	admin  client.Client
	cut    *cutter
	stop   func()
}

func (h *crashes) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *crashes) restart(t *testing.T) {
	h.cut = &cutter{}
	h.cut.arm(0)
	h.stop = operator(t, h.config, func(c *rest.Config) {
		cut := h.cut
		c.Wrap(func(next http.RoundTripper) http.RoundTripper { cut.next = next; return cut })
	})
}

// crash makes a change while the operator may write k times only (0: as often as it
// likes), checks what is there at that moment, restarts the operator, checks that it
// finishes, and returns the number of writes.
func (h *crashes) crash(t *testing.T, name string, k int, change func(*testing.T)) int {
	t.Helper()
	h.cut.arm(k)
	reached := h.cut.reached
	change(t)
	writes := 0
	if k > 0 {
		eventually(t, func() error {
			select {
			case <-reached:
				return nil
			default:
			}
			if h.finished(t, name) {
				return nil // with fewer writes than the last time
			}
			return fmt.Errorf("the operator made %d writes, not %d", h.cut.writes(), k)
		})
		h.stop()
		h.invariants(t, name, k)
		h.restart(t)
	}
	h.settled(t, name)
	writes = h.cut.writes()
	h.invariants(t, name, -1)
	return writes
}

// finished says whether a deleted tenant is gone.
func (h *crashes) finished(t *testing.T, name string) bool {
	t.Helper()
	return apierrors.IsNotFound(h.admin.Get(t.Context(), client.ObjectKey{Name: name}, &v1alpha1.Tenant{}))
}

// settled waits until the tenant is ready, or gone if it was deleted.
func (h *crashes) settled(t *testing.T, name string) {
	t.Helper()
	eventually(t, func() error {
		var got v1alpha1.Tenant
		err := h.admin.Get(t.Context(), client.ObjectKey{Name: name}, &got)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if got.DeletionTimestamp != nil {
			return fmt.Errorf("tenant %s is still being deleted: %s", name, got.Status.Message)
		}
		return ready(h.admin, t, name)()
	})
}

// change gives the tenant less budget, one namespace more and other flows.
func (h *crashes) change(name string) func(*testing.T) {
	return func(t *testing.T) {
		var got v1alpha1.Tenant
		h.must(t, h.admin.Get(t.Context(), client.ObjectKey{Name: name}, &got))
		before := got.DeepCopy()
		got.Spec.Namespaces = append(got.Spec.Namespaces, v1alpha1.TenantNamespace{Name: "cache"})
		got.Spec.Capacity["pods"] = resource.MustParse("30")
		got.Spec.Network.Flows = append(got.Spec.Network.Flows[:2:2], v1alpha1.Flow{
			From: v1alpha1.FlowEnd{Namespace: "backend"}, To: v1alpha1.FlowEnd{Namespace: "cache"},
		})
		h.must(t, h.admin.Patch(t.Context(), &got, client.MergeFrom(before)))
	}
}

// remove deletes the tenant while it has a pod.
func (h *crashes) remove(name string) func(*testing.T) {
	return func(t *testing.T) {
		pod := parse[corev1.Pod](t, goodPod)
		pod.Namespace = name + "-backend"
		h.must(t, owner(t, h.config, name).Create(t.Context(), pod))
		h.must(t, h.admin.Delete(t.Context(), shop(t, name)))
	}
}

// invariants checks what must hold at every moment of a tenant's life.
func (h *crashes) invariants(t *testing.T, name string, k int) {
	t.Helper()
	var namespaces corev1.NamespaceList
	h.must(t, h.admin.List(t.Context(), &namespaces, client.MatchingLabels{v1alpha1.LabelTenant: name}))
	sum := map[corev1.ResourceName]resource.Quantity{}
	for i := range namespaces.Items {
		ns := &namespaces.Items[i]
		if ns.DeletionTimestamp != nil {
			continue
		}
		for _, err := range []error{
			h.sealedOrGuarded(t, ns), h.boundBeforeGranted(t, ns.Name), h.deniedWhileRunning(t, ns.Name),
			h.closedToNeighbour(t, ns.Name), h.addQuota(t, ns.Name, sum),
		} {
			if err != nil {
				t.Errorf("after write %d of %s: namespace %s: %v", k, name, ns.Name, err)
			}
		}
	}
	// Either of the budgets that the tests ask for: the larger bounds both.
	for resourceName, limit := range shop(t, name).Spec.Capacity {
		if q := sum[resourceName]; q.Cmp(limit) > 0 {
			t.Errorf("after write %d of %s: quotas add up to %s of %s, the budget is %s", k, name, q.String(), resourceName, limit.String())
		}
	}
}

// sealedOrGuarded: a pod that breaks every rule is refused, and where any pod is let in,
// what bounds it is there.
func (h *crashes) sealedOrGuarded(t *testing.T, ns *corev1.Namespace) error {
	pod := parse[corev1.Pod](t, goodPod)
	pod.Namespace = ns.Name
	err := h.admin.Create(t.Context(), pod, client.DryRunAll)
	if _, unsealed := ns.Labels[v1alpha1.LabelUnsealed]; !unsealed {
		// By the seal, or, before the namespace's Guard is there, by any guard.
		if err == nil || !strings.Contains(err.Error(), "'watertight-") {
			return fmt.Errorf("sealed, but a pod was answered with: %v", err)
		}
		return nil
	}
	bad := parse[corev1.Pod](t, goodPod)
	bad.Namespace, bad.Spec.HostNetwork = ns.Name, true
	if err := h.admin.Create(t.Context(), bad, client.DryRunAll); !apierrors.IsForbidden(err) {
		return fmt.Errorf("unsealed, and a pod on the host network was answered with: %v", err)
	}
	return h.bounded(t, ns.Name)
}

// bounded: everything that restricts is in place.
func (h *crashes) bounded(t *testing.T, namespace string) error {
	quota := &corev1.ResourceQuota{}
	for _, o := range []struct {
		name   string
		object client.Object
	}{
		{"watertight", &v1alpha1.Guard{}}, {"watertight-limits", &corev1.LimitRange{}},
		{"watertight-default-deny", &networkingv1.NetworkPolicy{}}, {"watertight-budget", quota},
	} {
		if err := h.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: o.name}, o.object); err != nil {
			return fmt.Errorf("not bounded: %w", err)
		}
	}
	if quota.Status.Hard == nil {
		return errors.New("not bounded: the quota is not enforced")
	}
	return nil
}

// boundBeforeGranted: owners are let in after everything that restricts them.
func (h *crashes) boundBeforeGranted(t *testing.T, namespace string) error {
	err := h.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "watertight-owner"}, &rbacv1.RoleBinding{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	quota := &corev1.ResourceQuota{}
	if err := h.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "watertight-budget"}, quota); err != nil {
		return fmt.Errorf("granted but not bounded: %w", err)
	}
	err = h.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "watertight-default-deny"}, &networkingv1.NetworkPolicy{})
	if err != nil {
		return fmt.Errorf("granted but not bounded: %w", err)
	}
	return nil
}

// deniedWhileRunning: as long as there is a pod, default deny is there.
func (h *crashes) deniedWhileRunning(t *testing.T, namespace string) error {
	var pods corev1.PodList
	h.must(t, h.admin.List(t.Context(), &pods, client.InNamespace(namespace)))
	if len(pods.Items) == 0 {
		return nil
	}
	err := h.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "watertight-default-deny"}, &networkingv1.NetworkPolicy{})
	if err != nil {
		return fmt.Errorf("pods without default deny: %w", err)
	}
	return nil
}

// closedToNeighbour: the neighbour's owners read nothing here.
func (h *crashes) closedToNeighbour(t *testing.T, namespace string) error {
	if strings.HasPrefix(namespace, "neighbour-") {
		return nil
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Resource: "secrets"}}}
	h.must(t, owner(t, h.config, "neighbour").Create(t.Context(), review))
	if review.Status.Allowed {
		return errors.New("the neighbour's owners may read its secrets")
	}
	return nil
}

// addQuota adds what admission may enforce: the larger of what is asked for and shown.
func (h *crashes) addQuota(t *testing.T, namespace string, sum map[corev1.ResourceName]resource.Quantity) error {
	var quotas corev1.ResourceQuotaList
	h.must(t, h.admin.List(t.Context(), &quotas, client.InNamespace(namespace)))
	for _, q := range quotas.Items {
		for name, hard := range q.Spec.Hard {
			if shown := q.Status.Hard[name]; shown.Cmp(hard) > 0 {
				hard = shown
			}
			total := sum[name]
			total.Add(hard)
			sum[name] = total
		}
	}
	return nil
}

func TestSteadyStateWritesNothing(t *testing.T) {
	config, c := cluster(t)
	h := &crashes{config: config, admin: c}
	h.restart(t)
	h.must(t, c.Create(t.Context(), shop(t, "calm")))
	eventually(t, ready(c, t, "calm"))
	before := versions(t, c, "calm")
	h.stop()
	h.restart(t) // a new operator looks at everything
	h.must(t, c.Create(t.Context(), shop(t, "calm2")))
	eventually(t, ready(c, t, "calm2")) // it has had its turn with calm by then
	if after := versions(t, c, "calm"); !equality.Semantic.DeepEqual(before, after) {
		t.Errorf("a restart wrote to a tenant that was as it should be:\n%v\n%v", before, after)
	}
}

// versions are the resource versions of everything a tenant has.
func versions(t *testing.T, c client.Client, tenant string) []string {
	t.Helper()
	var out []string
	for _, list := range []client.ObjectList{
		&corev1.NamespaceList{}, &v1alpha1.GuardList{}, &corev1.LimitRangeList{}, &networkingv1.NetworkPolicyList{},
		&rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{},
	} {
		if err := c.List(t.Context(), list, client.MatchingLabels{v1alpha1.LabelTenant: tenant}); err != nil {
			t.Fatal(err)
		}
		err := eachItem(list, func(o client.Object) {
			out = append(out, fmt.Sprintf("%T %s/%s %s", o, o.GetNamespace(), o.GetName(), o.GetResourceVersion()))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}
