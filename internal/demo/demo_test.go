package demo

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/examples"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
	"watertight.dev/watertight/internal/verify"
)

func TestManifests(t *testing.T) {
	list, err := manifests(examples.Files, "shop")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range tenantsOf(list) {
		names = append(names, m.object.GetName())
	}
	if !slices.Equal(names, shopTenants) || len(list) != 16 {
		t.Errorf("%d manifests, tenants %v", len(list), names)
	}
}

func refusal(code int, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Code: int32(code), Reason: metav1.StatusReasonForbidden, Message: message}}
}

// TestJudge: only a refusal by the right one is as it should be.
func TestJudge(t *testing.T) {
	const quota = `pods "x" is forbidden: exceeded quota: watertight-budget, requested: limits.cpu=64`
	const guard = `pods "x" is forbidden: ValidatingAdmissionPolicy 'watertight-pods' with binding 'watertight-pods' denied request: spec.nodeName must be empty`
	cases := []struct {
		name     string
		by       probe.Refusal
		answer   error
		says     string
		surprise bool
	}{
		{"refused by the quota", probe.Quota, refusal(http.StatusForbidden, quota), "exceeded quota: watertight-budget", false},
		{"refused by the guard", probe.Guard, refusal(http.StatusForbidden, guard), " watertight-pods: spec.nodeName", false},
		{"refused by RBAC", probe.RBAC, refusal(http.StatusForbidden, `secrets is forbidden: User "u" cannot list resource "secrets"`), " RBAC: cannot list", false},
		{"refused by another", probe.Quota, refusal(http.StatusForbidden, guard), "a guard policy refuses it", true},
		{"let in", probe.Quota, nil, "may try", true},
		{"no answer", probe.Quota, errors.New("connection refused"), "cannot be told", true},
		{"not found is no refusal", probe.Quota, refusal(http.StatusNotFound, "not found"), "not a ResourceQuota", true},
	}
	for _, c := range cases {
		var out bytes.Buffer
		d := Demo{Out: &out}
		d.judge(attempt{what: "try", by: c.by}, c.answer)
		if !strings.Contains(out.String(), c.says) || (len(d.surprises) > 0) != c.surprise {
			t.Errorf("%s: said %q, surprises %q", c.name, out.String(), d.surprises)
		}
	}
}

func report(findings ...guarantee.Finding) verify.Report {
	row := verify.Row{Guarantee: guarantee.CAP2, Verdict: guarantee.Broken, Predicted: verify.Cell{Verdict: guarantee.Broken, Findings: findings}}
	return verify.Report{Tenants: []verify.TenantReport{{Tenant: "initech", Rows: []verify.Row{row}}}}
}

func broken(kind, namespace, name, field string) guarantee.Finding {
	return guarantee.Finding{Guarantee: guarantee.CAP2, Tenant: "initech", Verdict: guarantee.Broken, Evidence: []guarantee.Evidence{
		{Object: guarantee.Ref{Kind: kind, Namespace: namespace, Name: name}, Field: field}}}
}

// TestCompare: a pod stands for its workload, what is missing is a surprise, what the
// server refused is not, and what is broken besides is said.
func TestCompare(t *testing.T) {
	planted := breaks(report(
		broken("Deployment", "a", "batch", "spec.template"), broken("Namespace", "", "a", ""),
		broken("Service", "a", "open", "spec.type"), broken("Role", "a", "lost", "rules[0]")))
	found := breaks(report(
		broken("Pod", "a", "batch-5f-x", "spec"), broken("Namespace", "", "a", ""), broken("Role", "a", "more", "rules[0]")))
	var out bytes.Buffer
	d := Demo{Out: &out}
	d.compare(planted, found, []string{"Service a/open"})
	for _, want := range []string{"2 of the 4 breaches", "did not take it: initech CAP-2: Service a/open", "not found: initech CAP-2: Role a/lost", "+ broken here and not in the folder: initech CAP-2: Role a/more"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in:\n%s", want, out.String())
		}
	}
	if len(d.surprises) != 1 {
		t.Errorf("surprises: %q", d.surprises)
	}
}

// TestProof: a broken row is a surprise.
func TestProof(t *testing.T) {
	r := report(broken("Pod", "a", "x", "spec"))
	r.Tenants[0].Tenant = "acme"
	var out bytes.Buffer
	d := Demo{Out: &out, Verify: func(context.Context, string, bool) (verify.Report, error) { return r, nil }}
	if err := d.proof(t.Context(), Cluster{}); err != nil || len(d.surprises) != 1 {
		t.Errorf("error %v, surprises %q", err, d.surprises)
	}
	if err := d.conclude(0); !errors.Is(err, ErrSurprised) {
		t.Errorf("got %v", err)
	}
}

// TestBrief: no text of a cluster drives the terminal or breaks the line.
func TestBrief(t *testing.T) {
	got := brief("a\x1b[2J\r\n"+strings.Repeat("b", 200), 10)
	if strings.ContainsAny(got, "\x1b\r\n") || len([]rune(got)) != lineWidth-10 {
		t.Errorf("%q", got)
	}
}
