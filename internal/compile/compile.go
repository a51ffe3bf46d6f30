// Package compile turns a Tenant, its TenantClass and the cluster's capabilities into
// the objects that isolate it. It is pure: the same input gives the same objects, in
// the same order, and nothing is read or written on the way. It applies nothing.
package compile

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is any Kubernetes object.
type Object interface {
	runtime.Object
	metav1.Object
}
