package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/internal/compile"
)

// try is one request, as a dry-run, that a guard must refuse.
type try struct {
	guard   string
	attempt func(context.Context, client.Client) error
}

// tries has at least one for every guard (a test counts).
var tries = []try{
	{"watertight-seal", create(pod(compile.CanarySealedNamespace))},
	{"watertight-namespaces", labelNamespace},
	{"watertight-protected", deleteQuota},
	{"watertight-networkpolicy", create(&networkingv1.NetworkPolicy{
		ObjectMeta: named("open"),
		Spec:       networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}})},
	{"watertight-pods", create(placedPod())},
	{"watertight-binding", create(&corev1.Binding{ObjectMeta: named("canary"), Target: corev1.ObjectReference{Kind: "Node", Name: "canary"}})},
	{"watertight-services", create(&corev1.Service{ObjectMeta: named("canary"), Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Port: 80}}, ExternalIPs: []string{"192.0.2.1"}}})},
	{"watertight-endpoints", create(&corev1.Endpoints{ObjectMeta: named("canary")})}, //nolint:staticcheck // the old kind is what is guarded
	{"watertight-ingress", create(&networkingv1.Ingress{ObjectMeta: named("canary"), Spec: networkingv1.IngressSpec{
		DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
			Name: "canary", Port: networkingv1.ServiceBackendPort{Number: 80}}}}})},
	{"watertight-routes", createOther("gateway.networking.k8s.io/v1", "HTTPRoute")},
	{"watertight-gateways", createOther("gateway.networking.k8s.io/v1", "Gateway")},
	{"watertight-storage", create(volumeClaim())},
	{"watertight-snapshots", createOther("snapshot.storage.k8s.io/v1", "VolumeSnapshot")},
	{"watertight-secrets", create(legacyToken())},
	{"watertight-disruption", create(&policyv1.PodDisruptionBudget{ObjectMeta: named("canary"), Spec: policyv1.PodDisruptionBudgetSpec{
		MaxUnavailable: &intstr.IntOrString{}, Selector: &metav1.LabelSelector{}}})},
	{"watertight-finalizers", create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: compile.CanaryNamespace, Name: "canary", Finalizers: []string{"canary.invalid/never"}}})},
}

// check makes every try and returns what is wrong: a guard that did not refuse, or an
// answer that says nothing. A control that must be accepted comes first, since a refusal
// proves nothing where everything is refused.
func check(ctx context.Context, c client.Client) error {
	control := &corev1.ConfigMap{ObjectMeta: named("control")}
	if err := c.Create(ctx, control, client.DryRunAll); err != nil {
		return fmt.Errorf("the canary's control was refused, so its tries prove nothing: %w", err)
	}
	var wrong []error
	for _, t := range tries {
		if err := t.verdict(t.attempt(ctx, c)); err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// verdict judges the answer to a try: only the guard's own refusal counts. A kind that
// the cluster does not serve has nothing to refuse.
func (t try) verdict(answer error) error {
	switch {
	case answer == nil:
		return fmt.Errorf("guard %s did not refuse what it must refuse", t.guard)
	case strings.Contains(answer.Error(), "'"+t.guard+"'"):
		return nil
	case meta.IsNoMatchError(answer):
		return nil
	default:
		return fmt.Errorf("guard %s was not heard: %w", t.guard, answer)
	}
}

func create(o client.Object) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		fresh, ok := o.DeepCopyObject().(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", o)
		}
		return c.Create(ctx, fresh, client.DryRunAll)
	}
}

func createOther(apiVersion, kind string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		u := &unstructured.Unstructured{}
		u.SetAPIVersion(apiVersion)
		u.SetKind(kind)
		u.SetNamespace(compile.CanaryNamespace)
		u.SetName("canary")
		u.Object["spec"] = map[string]any{
			"gatewayClassName": "canary",
			"listeners":        []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}},
			"source":           map[string]any{"volumeSnapshotContentName": "canary"},
		}
		err := c.Create(ctx, u, client.DryRunAll)
		if apierrors.IsNotFound(err) {
			return &meta.NoKindMatchError{}
		}
		return err
	}
}

func labelNamespace(ctx context.Context, c client.Client) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: compile.CanaryNamespace}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"watertight.dev/canary":"opened"}}}`))
	return c.Patch(ctx, ns, patch, client.DryRunAll)
}

func deleteQuota(ctx context.Context, c client.Client) error {
	return c.Delete(ctx, &corev1.ResourceQuota{ObjectMeta: named(compile.QuotaName)}, client.DryRunAll)
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: compile.CanaryNamespace, Name: name}
}

// pod satisfies everything but the guard that it is for.
func pod(namespace string) *corev1.Pod {
	yes, no := true, false
	limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi")}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "canary"},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{
				Name: "canary", Image: "canary.invalid/canary", Resources: corev1.ResourceRequirements{Limits: limits},
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
		},
	}
}

func placedPod() *corev1.Pod {
	p := pod(compile.CanaryNamespace)
	p.Spec.NodeName = "canary"
	return p
}

func volumeClaim() *corev1.PersistentVolumeClaim {
	class := "watertight-canary"
	return &corev1.PersistentVolumeClaim{ObjectMeta: named("canary"), Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, VolumeName: "canary", StorageClassName: &class,
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
}

func legacyToken() *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: named("canary"), Type: corev1.SecretTypeServiceAccountToken}
	s.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
	return s
}

// Tried are the names of the guards that the canary tries.
func Tried() map[string]bool {
	out := map[string]bool{}
	for _, t := range tries {
		out[t.guard] = true
	}
	return out
}
