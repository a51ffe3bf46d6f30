package engine

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// readOther reads a policy of a kind that is not Kubernetes' own.
func (e *Engine) readOther(u *unstructured.Unstructured) ([]*rules.Policy, error) {
	return nil, fmt.Errorf("policies of kind %s are not read: what they open or close is unknown", u.GetKind())
}
