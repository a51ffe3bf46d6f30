package cli
import (
 _ "github.com/google/go-cmp/cmp"
 _ "github.com/prometheus/client_golang/prometheus"
 _ "github.com/rogpeppe/go-internal/testscript"
 _ "golang.org/x/term"
 _ "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
 _ "k8s.io/client-go/kubernetes"
 _ "k8s.io/component-base/version"
 _ "k8s.io/pod-security-admission/policy"
 _ "sigs.k8s.io/controller-runtime"
 _ "sigs.k8s.io/network-policy-api/apis/v1alpha2"
 _ "sigs.k8s.io/yaml"
 _ "k8s.io/api/core/v1"
)
