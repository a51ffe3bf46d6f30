package devices

import (
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
)

// adminLabels let claims of a namespace ask for adminAccess (KEP-5018): the name of
// today, and that of Kubernetes 1.33.
var adminLabels = []string{resourcev1.DRAAdminNamespaceLabelKey, "resource.k8s.io/admin-access"}

// adminNamespace judges GPU-3 for a namespace's labels.
func (j *judge) adminNamespace(name string) {
	ns := j.snapshot.Namespace(name)
	if ns == nil {
		if j.snapshot.Exists(name) {
			j.ledger.Doubt(guarantee.GPU3, "NamespaceNotSeen", fmt.Sprintf("namespace %s is not declared here: whether it is labelled for adminAccess is unknown", name),
				analyze.AboutNamespace(j.snapshot, name, "is not in the snapshot"))
		}
		return
	}
	for _, label := range adminLabels {
		if ns.Labels[label] == "true" {
			j.ledger.Break(guarantee.GPU3, "AdminNamespace", fmt.Sprintf("claims of namespace %s may ask for adminAccess to devices that others use: remove the label %s", name, label),
				analyze.About(j.snapshot, ns, "metadata.labels["+label+"]", "is true"))
		}
	}
}

// adminClaims judges GPU-3 for claims and templates, and for what was allocated.
func (j *judge) adminClaims() {
	for _, c := range j.claims.ordered {
		if j.snapshot.TenantOf(c.namespace) != j.tenant.Name {
			continue
		}
		broken := func(field string) {
			j.ledger.Break(guarantee.GPU3, "AdminAccess", fmt.Sprintf("%s %s/%s has adminAccess to devices that others use: remove adminAccess", c.object.GetKind(), c.namespace, c.object.GetName()),
				analyze.About(j.snapshot, c.object, field, "is true"))
		}
		for _, r := range c.requests {
			if r.admin {
				broken(r.field + ".adminAccess")
			}
		}
		for _, r := range c.results {
			if r.admin {
				broken(r.field + ".adminAccess")
			}
		}
	}
}
