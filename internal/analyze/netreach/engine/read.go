package engine

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// readOther reads a policy of a kind that is not Kubernetes' own.
func (e *Engine) readOther(u *unstructured.Unstructured) ([]*rules.Policy, error) {
	var p *rules.Policy
	var err error
	if !readable(u) {
		return nil, fmt.Errorf("policies of kind %s (%s) are not read: what they open or close is unknown", u.GetKind(), u.GetAPIVersion())
	}
	switch u.GetKind() {
	case "AdminNetworkPolicy", "BaselineAdminNetworkPolicy":
		p, err = e.reader.AdminNetworkPolicy(u)
	case "ClusterNetworkPolicy":
		p, err = e.reader.ClusterNetworkPolicy(u)
	default:
		return e.reader.Cilium(u)
	}
	if err != nil {
		return nil, err
	}
	return []*rules.Policy{p}, nil
}
