// Package capability reads what a cluster offers, as far as a compilation depends on it.
// It believes what it saw, not what is installed.
package capability

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/internal/compile"
)

// Read reads the capabilities through a client, which may be a cached one.
func Read(ctx context.Context, c client.Client) (compile.Capabilities, error) {
	var out compile.Capabilities
	_, err := c.RESTMapper().RESTMapping(admissionv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy").GroupKind(), "v1")
	if err != nil && !meta.IsNoMatchError(err) {
		return out, fmt.Errorf("ask for MutatingAdmissionPolicy: %w", err)
	}
	out.MutatingAdmissionPolicy = err == nil

	var runtimes nodev1.RuntimeClassList
	var priorities schedulingv1.PriorityClassList
	var nodes corev1.NodeList
	for _, list := range []client.ObjectList{&runtimes, &priorities, &nodes} {
		if err := c.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return out, fmt.Errorf("list %T: %w", list, err)
		}
	}
	for i := range runtimes.Items {
		out.RuntimeClasses = append(out.RuntimeClasses, runtimes.Items[i].Name)
	}
	for i := range priorities.Items {
		if priorities.Items[i].GlobalDefault {
			out.DefaultPriorityClass = priorities.Items[i].Name
		}
	}
	for i := range nodes.Items {
		out.ClusterCIDRs = append(out.ClusterCIDRs, nodes.Items[i].Spec.PodCIDRs...)
	}
	slices.Sort(out.RuntimeClasses)
	slices.Sort(out.ClusterCIDRs)
	out.ClusterCIDRs = slices.Compact(out.ClusterCIDRs)
	return out, nil
}
