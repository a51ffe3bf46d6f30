package compile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
)

// generator makes tenants that share a class and talk to each other.
type generator struct{ *rand.Rand }

func (g generator) class() *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: "standard"},
		Spec: v1alpha1.TenantClassSpec{
			Network: v1alpha1.NetworkClass{IngressFrom: []v1alpha1.PeerSelector{{Namespace: "ingress"}}},
			Capacity: v1alpha1.CapacityClass{Max: corev1.ResourceList{
				"pods": resource.MustParse("1k"), "requests.cpu": resource.MustParse("100"), "requests.memory": resource.MustParse("1Ti")}},
		},
	}
}

func (g generator) tenants(n int) []*v1alpha1.Tenant {
	out := make([]*v1alpha1.Tenant, n)
	for i := range out {
		t := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("t%d", i), UID: types.UID(fmt.Sprint(i)), CreationTimestamp: metav1.Unix(int64(i), 0)}}
		t.Spec.ClassName = "standard"
		for j := range 1 + g.IntN(4) {
			t.Spec.Namespaces = append(t.Spec.Namespaces, v1alpha1.TenantNamespace{Name: fmt.Sprintf("n%d", j)})
		}
		t.Spec.Owners = []v1alpha1.Owner{{Kind: "Group", Name: t.Name + "-admins"}}
		t.Spec.Capacity = corev1.ResourceList{
			"pods":            *resource.NewQuantity(int64(g.IntN(1000)), resource.DecimalSI),
			"requests.cpu":    *resource.NewMilliQuantity(int64(g.IntN(100000)), resource.DecimalSI),
			"requests.memory": *resource.NewQuantity(g.Int64N(1<<40), resource.BinarySI),
		}
		for range g.IntN(6) {
			t.Spec.Network.Flows = append(t.Spec.Network.Flows, g.flow(t, n))
		}
		out[i] = t
	}
	return out
}

func (g generator) flow(t *v1alpha1.Tenant, tenants int) v1alpha1.Flow {
	own := func() v1alpha1.FlowEnd {
		e := v1alpha1.FlowEnd{Namespace: t.Spec.Namespaces[g.IntN(len(t.Spec.Namespaces))].Name}
		if g.IntN(3) == 0 {
			e.Pods = map[string]string{"app": string(rune('a' + g.IntN(3)))}
		}
		return e
	}
	f := v1alpha1.Flow{From: own(), To: own()}
	foreign := v1alpha1.FlowEnd{Tenant: fmt.Sprintf("t%d", g.IntN(tenants+1)), Namespace: fmt.Sprintf("n%d", g.IntN(3))}
	switch g.IntN(5) {
	case 0:
		f.From = v1alpha1.FlowEnd{Ingress: true}
	case 1:
		f.To = v1alpha1.FlowEnd{CIDR: "203.0.113.0/24"}
	case 2:
		f.From = foreign
	case 3:
		f.To = foreign
	}
	if g.IntN(2) == 0 {
		last := int32(100 + g.IntN(50))
		f.Ports = []v1alpha1.FlowPort{{Port: int32(1 + g.IntN(100)), EndPort: &last}}
	}
	return f
}

// TestProperties compiles many sets of tenants and checks what must hold of any.
func TestProperties(t *testing.T) {
	for seed := range uint64(300) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		class, tenants := g.class(), g.tenants(1+g.IntN(5))
		owner := map[string]string{}
		for i, tenant := range tenants {
			var peers []*v1alpha1.Tenant
			peers = append(append(peers, tenants[:i]...), tenants[i+1:]...)
			in := Input{Tenant: tenant, Class: class, Peers: peers}
			first, err := Tenant(in)
			if rejected := (*Rejected)(nil); errors.As(err, &rejected) {
				continue // a flow to itself
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			second, _ := Tenant(in)
			if diff := cmp.Diff(first, second); diff != "" {
				t.Fatalf("seed %d: not deterministic:\n%s", seed, diff)
			}
			for _, o := range first.Objects {
				key := fmt.Sprintf("%T %s/%s", o, o.GetNamespace(), o.GetName())
				if other, taken := owner[key]; taken {
					t.Errorf("seed %d: %s belongs to %s and %s", seed, key, other, tenant.Name)
				}
				owner[key] = tenant.Name
				checkObject(t, seed, tenant, o)
			}
			checkSplit(t, seed, tenant, class, first.Objects)
		}
	}
}

// checkObject: everything says whose it is, and no policy has a rule without peers.
func checkObject(t *testing.T, seed uint64, tenant *v1alpha1.Tenant, o Object) {
	t.Helper()
	if o.GetLabels()[v1alpha1.LabelTenant] != tenant.Name || o.GetLabels()[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
		t.Errorf("seed %d: %T %s is not labelled as %s's", seed, o, o.GetName(), tenant.Name)
	}
	switch x := o.(type) {
	case *networkingv1.NetworkPolicy:
		for _, r := range x.Spec.Ingress {
			if len(r.From) == 0 {
				t.Errorf("seed %d: %s admits everybody", seed, x.Name)
			}
		}
		for _, r := range x.Spec.Egress {
			if len(r.To) == 0 {
				t.Errorf("seed %d: %s reaches everything", seed, x.Name)
			}
		}
	case *rbacv1.RoleBinding:
		for _, s := range x.Subjects {
			if s.Name != tenant.Name+"-admins" && s.Name != v1alpha1.OwnerServiceAccount(tenant.Name) {
				t.Errorf("seed %d: %s binds %s", seed, x.Namespace, s.Name)
			}
		}
	}
}

// checkSplit: the quotas add up to the budget exactly.
func checkSplit(t *testing.T, seed uint64, tenant *v1alpha1.Tenant, class *v1alpha1.TenantClass, objects []Object) {
	t.Helper()
	sum := corev1.ResourceList{}
	for _, o := range objects {
		q, ok := o.(*corev1.ResourceQuota)
		if !ok {
			continue
		}
		for name, hard := range q.Spec.Hard {
			total := sum[name]
			total.Add(hard)
			sum[name] = total
		}
	}
	if budget := Budget(tenant, class); !sameList(sum, budget) {
		t.Errorf("seed %d: quotas add up to %v, the budget is %v", seed, sum, budget)
	}
}

// world is a cluster's view of quotas, for a walk of Rebalance.
type world struct {
	*rand.Rand
	names []string
	usage map[string]Usage
}

// most is the largest that admission could enforce now or after it catches up.
func (w *world) most(name corev1.ResourceName) (sum int64) {
	for _, n := range w.names {
		u := w.usage[n]
		sum += max(value(name, u.Spec[name]), value(name, u.Hard[name]))
	}
	return sum
}

// step is something that happens: admission catches up, pods come or go, somebody is
// refused, or the operator makes some of its writes and crashes.
func (w *world) step(budget corev1.ResourceList) {
	n := w.names[w.IntN(len(w.names))]
	u := w.usage[n]
	switch w.IntN(4) {
	case 0:
		if u.Exists {
			u.Hard = u.Spec
		}
	case 1:
		if hard := value("pods", u.Hard["pods"]); hard > 0 {
			u.Used = corev1.ResourceList{"pods": *resource.NewQuantity(w.Int64N(hard+1), resource.DecimalSI)}
		}
	case 2:
		u.Demand = corev1.ResourceList{"pods": *resource.NewQuantity(w.Int64N(20), resource.DecimalSI)}
	case 3:
		move := Rebalance(budget, w.names, w.usage)
		for _, m := range w.names[:1+w.IntN(len(w.names))] {
			v := w.usage[m]
			v.Exists, v.Spec = true, move.Shares[m]
			w.usage[m] = v
		}
		return
	}
	w.usage[n] = u
}

// TestRebalanceNeverOverruns walks quotas at random: the budget is never exceeded, and
// once things calm down it is all handed out and nothing moves any more.
func TestRebalanceNeverOverruns(t *testing.T) {
	budget := corev1.ResourceList{"pods": resource.MustParse("100")}
	for seed := range uint64(500) {
		w := &world{Rand: rand.New(rand.NewPCG(seed, 2)), names: []string{"a", "b", "c"}, usage: map[string]Usage{}}
		for i := range 200 {
			w.step(budget)
			if got := w.most("pods"); got > 100 {
				t.Fatalf("seed %d: after step %d the quotas may come to %d: %+v", seed, i, got, w.usage)
			}
		}
		settled := false
		for range 10 {
			move := Rebalance(budget, w.names, w.usage)
			settled = move.Settled
			for _, n := range w.names {
				u := w.usage[n]
				u.Exists, u.Spec, u.Hard = true, move.Shares[n], move.Shares[n]
				w.usage[n] = u
			}
		}
		if !settled || w.most("pods") != 100 {
			t.Errorf("seed %d: does not settle: %+v", seed, w.usage)
		}
	}
}

// TestRebalanceFollowsDemand: a namespace that is refused gets what others do not use.
func TestRebalanceFollowsDemand(t *testing.T) {
	budget := corev1.ResourceList{"pods": resource.MustParse("60")}
	pods := func(s string) corev1.ResourceList { return corev1.ResourceList{"pods": resource.MustParse(s)} }
	usage := map[string]Usage{
		"a": {Exists: true, Spec: pods("30"), Hard: pods("30"), Used: pods("30"), Demand: Refused(
			"exceeded quota: watertight-budget, requested: pods=10, used: pods=30, limited: pods=30")},
		"b": {Exists: true, Spec: pods("30"), Hard: pods("30"), Used: pods("2")},
	}
	names := []string{"a", "b"}
	first := Rebalance(budget, names, usage)
	if got := first.Shares["a"]["pods"]; got.Value() != 30 || first.Settled {
		t.Errorf("a grew to %s before b shrank", got.String())
	}
	b := usage["b"]
	b.Spec = first.Shares["b"]
	usage["b"] = b
	if got := Rebalance(budget, names, usage).Shares["a"]["pods"]; got.Value() != 30 {
		t.Errorf("a grew to %s before admission enforced b's new quota", got.String())
	}
	b.Hard = b.Spec
	usage["b"] = b
	if got := Rebalance(budget, names, usage).Shares["a"]["pods"]; got.Value() < 40 {
		t.Errorf("a has %s, asked for 40", got.String())
	}
}

// FuzzTenant compiles whatever YAML says: a rejection or objects, never a panic, and
// never a policy that opens everything.
func FuzzTenant(f *testing.F) {
	f.Add("className: standard\nnamespaces: [{name: a}]\n", "capacity: {max: {pods: '10'}}\n")
	f.Add("namespaces: [{name: a}]\nnetwork: {flows: [{from: {ingress: true}, to: {namespace: a}}]}\n", "network: {ingressFrom: [{namespace: x}]}\n")
	f.Add("namespaces: [{name: a}]\nnetwork: {flows: [{from: {namespace: a}, to: {cidr: '::/0', except: ['fe80::/10']}}]}\n", "kernel: {sandbox: GVisor}\n")
	f.Add("namespaces: [{name: a}]\ncapacity: {pods: 9223372036854775807, requests.cpu: 1e30}\n", "capacity: {max: {pods: 1e40, requests.cpu: 1e40}}\n")
	f.Fuzz(func(t *testing.T, tenantText, classText string) {
		tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}
		class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}}
		if yaml.Unmarshal([]byte(tenantText), &tenant.Spec) != nil || yaml.Unmarshal([]byte(classText), &class.Spec) != nil {
			t.Skip()
		}
		if len(tenant.Spec.Namespaces) == 0 {
			t.Skip() // the CRD wants one
		}
		result, err := Tenant(Input{Tenant: tenant, Class: class, Capabilities: Capabilities{RuntimeClasses: []string{"gvisor"}}})
		if rejected := (*Rejected)(nil); err != nil && !errors.As(err, &rejected) {
			t.Fatalf("neither objects nor a rejection: %v", err)
		}
		for _, o := range result.Objects {
			if p, ok := o.(*networkingv1.NetworkPolicy); ok {
				checkObject(t, 0, tenant, p)
			}
		}
	})
}
