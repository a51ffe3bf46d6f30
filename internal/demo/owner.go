package demo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/internal/probe"
)

// attempt is something that a tenant's owner tries and must be refused.
type attempt struct {
	what string
	by   probe.Refusal
	try  func(context.Context, client.Client) error
}

// attempts are an owner's, in acme.
var attempts = []attempt{
	{"read globex's Secrets", probe.RBAC, func(ctx context.Context, c client.Client) error {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("v1")
		list.SetKind("SecretList")
		return c.List(ctx, list, client.InNamespace("globex-database"))
	}},
	{"raise its quota", probe.RBAC, func(ctx context.Context, c client.Client) error {
		quota := object("{apiVersion: v1, kind: ResourceQuota, metadata: {name: watertight-budget, namespace: acme-frontend}}")
		return c.Patch(ctx, quota, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"hard":{"pods":"9999"}}}`)))
	}},
	{"delete its default deny", probe.Guard, func(ctx context.Context, c client.Client) error {
		return c.Delete(ctx, object("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: watertight-default-deny, namespace: acme-frontend}}"))
	}},
	{"run a privileged pod", probe.PodSecurity, create(pod("privileged: true", "100m"))},
	{"request 64 CPUs", probe.Quota, create(pod("privileged: false", "64"))},
	{"allow all traffic in", probe.Guard, create(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: demo-allow-all, namespace: acme-backend}
spec: {podSelector: {}, ingress: [{}]}`)},
}

// owner deploys with a real owner's credential, and tries what it must not do.
func (d *Demo) owner(ctx context.Context, cluster Cluster) error {
	config, err := d.Owner(ctx, cluster.Config, "acme")
	if err != nil {
		return err
	}
	c, err := connect(config)
	if err != nil {
		return err
	}
	if err := d.deploy(ctx, c); err != nil {
		return err
	}
	for _, a := range attempts {
		d.judge(a, a.try(ctx, c))
	}
	return ctx.Err()
}

// deploy is the positive control: the credential works, and the namespace takes pods.
func (d *Demo) deploy(ctx context.Context, c client.Client) error {
	began := time.Now()
	deployment := object(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: newsletter, namespace: acme-frontend}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: newsletter}}
  template:
    metadata: {labels: {app.kubernetes.io/name: newsletter}}
    ` + podSpec("privileged: false", "50m"))
	if err := put(ctx, c, manifest{object: deployment}); err != nil {
		return fmt.Errorf("deploy as the owner: %w", err)
	}
	err := until(ctx, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)
		ready, _, _ := unstructured.NestedInt64(deployment.Object, "status", "readyReplicas")
		return ready == 1, err
	})
	if err != nil {
		return fmt.Errorf("wait for the owner's Deployment: %w", err)
	}
	d.done(began, "may deploy: Deployment acme-frontend/newsletter runs")
	return nil
}

// judge prints what became of an attempt: it must be refused, and by the right one.
func (d *Demo) judge(a attempt, err error) {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		d.say("  %s may %s", d.bad("✗"), a.what)
		d.surprise("acme's owner could %s", a.what)
		return
	case !errors.As(err, &status):
		d.say("  ? may %s: it cannot be told: %s", a.what, brief(err.Error(), 50))
		d.surprise("whether acme's owner can %s cannot be told: %v", a.what, err)
		return
	}
	s := status.Status()
	by := probe.Answer{Code: int(s.Code), Reason: string(s.Reason), Message: s.Message}.Refused()
	if by != a.by {
		d.say("  %s may not %-24s but %s refuses it, not %s: %s", d.bad("✗"), a.what, by, a.by, brief(s.Message, 70))
		d.surprise("acme's owner was refused to %s by %q, not by %s: %s", a.what, by, a.by, s.Message)
		return
	}
	d.say("  %s may not %-24s %s", d.good("✓"), a.what, brief(telling(by, s.Message), 37))
}

// told are the parts of a refusal that say who refuses and why.
var told = map[probe.Refusal]*regexp.Regexp{
	probe.RBAC:        regexp.MustCompile(`cannot .*`),
	probe.Guard:       regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request(: .*)`),
	probe.PodSecurity: regexp.MustCompile(`violates .*`),
	probe.Quota:       regexp.MustCompile(`exceeded quota.*`),
}

// telling is what the API server says, without its preamble.
func telling(by probe.Refusal, message string) string {
	m := told[by].FindStringSubmatch(message)
	switch {
	case m == nil:
		return message
	case len(m) > 1:
		return m[1] + m[2]
	case by == probe.RBAC:
		return "RBAC: " + m[0]
	default:
		return m[0]
	}
}

func create(text string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error { return c.Create(ctx, object(text)) }
}

// pod is one that is right in everything but what its arguments make wrong.
func pod(privileged, cpu string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: demo-attempt, namespace: acme-frontend}\n" + podSpec(privileged, cpu)
}

// podSpec is YAML without line breaks, so that it can stand at any depth.
func podSpec(privileged, cpu string) string {
	return `spec: {automountServiceAccountToken: false,` +
		`securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}},` +
		`containers: [{name: main, image: registry.example/shop/newsletter:1.0,` +
		`securityContext: {` + privileged + `, capabilities: {drop: [ALL]}` + escalation(privileged) + `},` +
		`resources: {requests: {cpu: "` + cpu + `"}, limits: {cpu: "` + cpu + `", memory: 64Mi, ephemeral-storage: 64Mi}}}]}`
}

// escalation is forbidden where it may be: a privileged container has it anyway.
func escalation(privileged string) string {
	if privileged == "privileged: true" {
		return ""
	}
	return ", allowPrivilegeEscalation: false"
}

// object parses YAML that is written in this package.
func object(text string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		panic(fmt.Sprintf("%v in:\n%s", err, text)) // a mistake of the program
	}
	return o
}
