// Package v1alpha1 holds the types of the watertight.dev API: Tenant and
// TenantClass, which people write, and Guard, the parameters of the admission
// policies, which only the operator writes. It holds no logic beyond the names
// that are part of the API contract.
//
// +kubebuilder:object:generate=true
// +groupName=watertight.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every type in this package.
var GroupVersion = schema.GroupVersion{Group: "watertight.dev", Version: "v1alpha1"}

// AddToScheme registers this package's types.
var AddToScheme = func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&Tenant{}, &TenantList{}, &TenantClass{}, &TenantClassList{}, &Guard{}, &GuardList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
