// Package capability reads what a cluster offers, as far as a compilation depends on it.
// It believes what it saw, not what is installed.
package capability

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
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
	var classes v1alpha1.TenantClassList
	var services networkingv1.ServiceCIDRList
	for _, list := range []client.ObjectList{&runtimes, &priorities, &nodes, &classes, &services} {
		err := c.List(ctx, list, client.UnsafeDisableDeepCopy)
		if meta.IsNoMatchError(err) {
			continue // below 1.33 there are no ServiceCIDRs
		}
		if err != nil {
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
		out.ClusterCIDRs = append(out.ClusterCIDRs, compile.NodeCIDRs(&nodes.Items[i])...)
	}
	for i := range services.Items {
		out.ClusterCIDRs = append(out.ClusterCIDRs, services.Items[i].Spec.CIDRs...)
	}
	for i := range classes.Items {
		out.PlatformNamespaces = append(out.PlatformNamespaces, compile.PlatformNamespaces(&classes.Items[i])...)
	}
	for _, list := range []*[]string{&out.RuntimeClasses, &out.ClusterCIDRs, &out.PlatformNamespaces} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return out, nil
}
