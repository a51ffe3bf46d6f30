package blast

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// city makes a cluster in which every pod shares a kernel with others and the network is
// open. Every 20th tenant has a privileged pod, every 50th a right in all namespaces,
// every 500th takes the control plane.
type city struct {
	tenants int
	edges   []analyze.Edge
}

func (c *city) add(from, to analyze.Place, id string, g guarantee.ID, weak bool) {
	c.edges = append(c.edges, analyze.Edge{
		From: from, To: to, ID: id, Guarantee: g, Weak: weak, Fix: "remove it",
		Evidence: guarantee.Evidence{Object: guarantee.Ref{Kind: "RoleBinding", Namespace: from.Namespace, Name: from.Name}, Field: id},
	})
}

func (c *city) snapshot() *snapshot.Snapshot {
	var objects []runtime.Object
	for i := range 100 {
		objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i)}})
	}
	for t := range c.tenants {
		tenant := &v1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("t", t)}}
		tenant.Spec.Owners = []v1alpha1.Owner{{Kind: "Group", Name: tenant.Name}}
		for n := range 3 {
			tenant.Spec.Namespaces = append(tenant.Spec.Namespaces, v1alpha1.TenantNamespace{Name: fmt.Sprint(n)})
			c.namespace(t, fmt.Sprintf("t%d-%d", t, n), 3*t+n)
		}
		objects = append(objects, tenant)
		c.mistakes(t)
	}
	return (&snapshot.Snapshot{}).With(objects...)
}

// namespace has three pods that run as one account.
func (c *city) namespace(t int, ns string, nth int) {
	sa, power := account(ns, "default"), analyze.Place{Kind: analyze.PlaceNamespace, Namespace: ns}
	secrets := analyze.Place{Kind: analyze.PlaceSecrets, Namespace: ns}
	hub := analyze.Place{Kind: analyze.PlaceNetwork, Name: "open"}
	c.add(power, sa, "PodRunsAs", "", false)
	c.add(power, secrets, "PodMounts", "", false)
	c.add(identity(fmt.Sprint("Group t", t)), secrets, "SecretsRead", "", false)
	for p := range 3 {
		pod := analyze.Place{Kind: analyze.PlaceWorkload, Namespace: ns, Name: fmt.Sprint("p", p)}
		node := analyze.Place{Kind: analyze.PlaceNode, Name: fmt.Sprint("n", (nth+p*7)%100)}
		c.add(pod, sa, "PodHoldsToken", "", false)
		c.add(pod, node, "SharedKernel", guarantee.KRN2, true)
		c.add(node, pod, "NodeHoldsPod", guarantee.KRN5, false)
		c.add(node, sa, "NodeHoldsToken", guarantee.KRN5, false)
		c.add(pod, hub, "PacketsSent", guarantee.NET1, true)
		c.add(hub, pod, "PacketsReach", guarantee.NET1, true)
	}
}

func (c *city) mistakes(t int) {
	sa := account(fmt.Sprintf("t%d-0", t), "default")
	if t%20 == 1 {
		pod := analyze.Place{Kind: analyze.PlaceWorkload, Namespace: fmt.Sprintf("t%d-0", t), Name: "p0"}
		c.add(pod, analyze.Place{Kind: analyze.PlaceNode, Name: fmt.Sprint("n", 3*t%100)}, "Privileged", guarantee.KRN1, false)
	}
	if t%500 == 3 {
		c.add(sa, analyze.Place{Kind: analyze.PlaceCluster}, "ClusterAdmin", guarantee.API3, false)
	}
	for other := range c.tenants {
		if t%50 == 2 {
			c.add(sa, analyze.Place{Kind: analyze.PlaceNamespace, Namespace: fmt.Sprintf("t%d-1", other)}, "PodsCreate", guarantee.API3, false)
		}
	}
}

// BenchmarkAll builds the graph of 1,000 tenants and answers for each of them.
func BenchmarkAll(b *testing.B) {
	c := city{tenants: 1000}
	s := c.snapshot()
	s.NamespaceNames()
	b.ReportMetric(float64(len(c.edges)), "edges")
	b.ReportAllocs()
	for b.Loop() {
		g := New(s, c.edges)
		zero := 0
		for _, t := range s.Tenants {
			r, err := g.Of(t.Name)
			if err != nil {
				b.Fatal(err)
			}
			if r.Radius.Zero() {
				zero++
			}
		}
		if zero == 0 || zero == len(s.Tenants) {
			b.Fatalf("%d tenants of %d with a radius of zero", zero, len(s.Tenants))
		}
	}
}

// BenchmarkNew builds the graph alone.
func BenchmarkNew(b *testing.B) {
	c := city{tenants: 1000}
	s := c.snapshot()
	s.NamespaceNames()
	for b.Loop() {
		New(s, c.edges)
	}
}
