package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/examples"
)

// shopTenants are the tenants of examples/shop.
var shopTenants = []string{"acme", "globex"}

// shop applies the example: first the tenants, then, once they are isolated, what runs
// in them.
func (d *Demo) shop(ctx context.Context, cluster Cluster) error {
	c, err := connect(cluster.Config)
	if err != nil {
		return err
	}
	list, err := manifests(examples.Files, "shop")
	if err != nil {
		return err
	}
	began := time.Now()
	for _, m := range tenantsOf(list) {
		if err := put(ctx, c, m); err != nil {
			return err
		}
	}
	for _, name := range shopTenants {
		if err := d.awaitReady(ctx, c, name, began); err != nil {
			return err
		}
	}
	began = time.Now()
	for _, m := range list {
		if !m.isTenant() {
			if err := put(ctx, c, m); err != nil {
				return err
			}
		}
	}
	if err := awaitDeployments(ctx, c); err != nil {
		return err
	}
	d.done(began, "the shop is deployed into both tenants")
	if err := d.showTenants(ctx, c); err != nil {
		return err
	}
	return d.showPods(ctx, c)
}

// awaitReady waits until a tenant's isolation is in force and its namespaces are opened.
func (d *Demo) awaitReady(ctx context.Context, c client.Client, name string, began time.Time) error {
	var t v1alpha1.Tenant
	err := until(ctx, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKey{Name: name}, &t)
		return t.Status.Phase == v1alpha1.PhaseReady && t.Status.ObservedGeneration == t.Generation && !t.Status.Sealed, err
	})
	if err != nil {
		return fmt.Errorf("wait for tenant %s: it is %s: %s: %w", name, t.Status.Phase, brief(t.Status.Message, 0), err)
	}
	d.done(began, "tenant %s is Ready: %d namespaces, sealed until every guard was in force", name, len(t.Status.Namespaces))
	return nil
}

func until(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(ctx, pollEvery, patience, true, condition)
}

// awaitDeployments waits until every Deployment of the tenants has its pods.
func awaitDeployments(ctx context.Context, c client.Client) error {
	late := ""
	err := until(ctx, func(ctx context.Context) (bool, error) {
		late = ""
		var list appsv1.DeploymentList
		if err := c.List(ctx, &list); err != nil {
			return false, err
		}
		for i := range list.Items {
			o := &list.Items[i]
			if ours(o.Namespace) && o.Status.ReadyReplicas < *o.Spec.Replicas {
				late = o.Namespace + "/" + o.Name
			}
		}
		return late == "", nil
	})
	if err != nil {
		return fmt.Errorf("wait for the pods of Deployment %s: %w", late, err)
	}
	return nil
}

// ours says whether a namespace belongs to one of the shop's tenants.
func ours(namespace string) bool {
	return slices.ContainsFunc(shopTenants, func(t string) bool { return strings.HasPrefix(namespace, t+"-") })
}

// verdictPatience is how long the demo waits for the operator's first verification.
const verdictPatience = 30 * time.Second

// showTenants prints what "kubectl get tenants" would.
func (d *Demo) showTenants(ctx context.Context, c client.Client) error {
	d.say("\n  %-10s%-12s%-8s%-8s%-7s%-8s%s", "TENANT", "CLASS", "PHASE", "SEALED", "HOLDS", "BROKEN", "UNKNOWN")
	for _, name := range shopTenants {
		var t v1alpha1.Tenant
		_ = wait.PollUntilContextTimeout(ctx, pollEvery, verdictPatience, true, func(ctx context.Context) (bool, error) {
			return c.Get(ctx, client.ObjectKey{Name: name}, &t) == nil && t.Status.Guarantees != nil, nil
		}) // without its verdicts the rest is shown all the same
		holds, broken, unknown := "-", "-", "-"
		if g := t.Status.Guarantees; g != nil {
			holds, broken, unknown = fmt.Sprint(g.Holds), fmt.Sprint(g.Broken), fmt.Sprint(g.Unknown)
		} else {
			d.surprise("the operator has not verified tenant %s within %s", name, verdictPatience)
		}
		d.say("  %-10s%-12s%-8s%-8t%-7s%-8s%s", t.Name, t.Spec.ClassName, t.Status.Phase, t.Status.Sealed, holds, broken, unknown)
	}
	d.say("  (the operator's count, out of what is compiled and predicted; probes come below)\n")
	return ctx.Err()
}

// showPods says what runs and, honestly, what running means here.
func (d *Demo) showPods(ctx context.Context, c client.Client) error {
	var pods corev1.PodList
	if err := c.List(ctx, &pods); err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	running, waiting := map[string]int{}, []string{}
	for i := range pods.Items {
		p := &pods.Items[i]
		tenant, _, _ := strings.Cut(p.Namespace, "-")
		switch {
		case !ours(p.Namespace):
		case p.Status.Phase == corev1.PodRunning:
			running[tenant]++
		default:
			waiting = append(waiting, p.Namespace+"/"+p.Name)
		}
	}
	for _, name := range shopTenants {
		d.say("  %d pods of %s run, on simulated nodes: scheduled and reported running, but no container is", running[name], name)
	}
	if len(waiting) > 0 {
		d.say("  Pending: %s: their claims wait for a volume provisioner,\n  which this cluster does not have yet", strings.Join(waiting, ", "))
	}
	return nil
}
