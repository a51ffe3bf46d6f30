package probe

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"watertight.dev/watertight/internal/guarantee"
)

// fake answers by what a request says.
type fake func(ctx context.Context, r Request) Answer

func (f fake) Do(ctx context.Context, r Request) Answer { return f(ctx, r) }

var (
	ok        = Answer{Code: 201}
	forbidden = Answer{Code: 403, Reason: "Forbidden", Message: `secrets is forbidden: User "system:serviceaccount:watertight-system:owner-acme" cannot list resource "secrets" in API group "" in the namespace "globex-backend"`}
	sealed    = Answer{Code: 403, Reason: "Forbidden", Message: `pods "isolation-probe" is forbidden: ValidatingAdmissionPolicy 'watertight-seal' with binding 'watertight-seal' denied request: the namespace is sealed`}
	podSec    = Answer{Code: 403, Reason: "Forbidden", Message: `pods "isolation-probe" is forbidden: violates PodSecurity "restricted:latest": privileged`}
)

// TestVerdictOfTry says what an attack's answer and its control's are worth together.
func TestVerdictOfTry(t *testing.T) {
	cases := []struct {
		name            string
		attack, control Answer
		by              []Refusal
		verdict         guarantee.Verdict
		reason          string
	}{
		{"refused beside a control that succeeds", forbidden, ok, []Refusal{RBAC}, guarantee.Holds, "Refused"},
		{"accepted", ok, ok, []Refusal{RBAC}, guarantee.Broken, "AttackAccepted"},
		{"accepted while the control fails is still a hole", ok, forbidden, []Refusal{RBAC}, guarantee.Broken, "AttackAccepted"},
		{"refused, and so is the control", forbidden, forbidden, []Refusal{RBAC}, guarantee.Unknown, "ControlFailed"},
		{"refused by the seal, as is the control", sealed, sealed, []Refusal{PodSecurity, Guard}, guarantee.Unknown, "ControlFailed"},
		{"refused, and the control times out", podSec, Answer{Err: context.DeadlineExceeded}, []Refusal{PodSecurity}, guarantee.Unknown, "ControlFailed"},
		{"refused for another reason", forbidden, ok, []Refusal{Quota}, guarantee.Unknown, "RefusedByOther"},
		{"refused by a policy that is not ours", Answer{Code: 422, Message: `ValidatingAdmissionPolicy 'acme-corp' with binding 'x' denied request: no`}, ok, []Refusal{Guard}, guarantee.Unknown, "RefusedByOther"},
		{"refused by a webhook", Answer{Code: 403, Message: `admission webhook "x" denied the request: no`}, ok, []Refusal{Guard}, guarantee.Unknown, "RefusedByOther"},
		{"not found is no refusal", Answer{Code: 404, Reason: "NotFound", Message: `secrets "x" not found`}, ok, []Refusal{RBAC}, guarantee.Unknown, "NoRefusal"},
		{"invalid is no refusal", Answer{Code: 422, Reason: "Invalid", Message: `Pod "x" is invalid`}, ok, []Refusal{Guard}, guarantee.Unknown, "NoRefusal"},
		{"refused by a flag of the API server", Answer{Code: 422, Reason: "Invalid", Message: `Pod "x" is invalid: spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy`}, ok, []Refusal{Server}, guarantee.Holds, "Refused"},
		{"an expired token is no refusal", Answer{Code: 401, Reason: "Unauthorized", Message: "Unauthorized"}, ok, []Refusal{RBAC}, guarantee.Unknown, "NoRefusal"},
		{"throttled is no refusal", Answer{Code: 429, Message: "too many requests"}, ok, []Refusal{RBAC}, guarantee.Unknown, "NoRefusal"},
		{"a server error is no refusal, whatever it says", Answer{Code: 500, Message: forbidden.Message}, ok, []Refusal{RBAC}, guarantee.Unknown, "NoRefusal"},
		{"time-out", Answer{Err: context.DeadlineExceeded}, ok, []Refusal{RBAC}, guarantee.Unknown, "TimedOut"},
		{"connection lost", Answer{Err: errors.New("connection refused")}, ok, []Refusal{RBAC}, guarantee.Unknown, "NoRefusal"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			findings := runTable(t, fake(func(_ context.Context, r Request) Answer {
				if r.Resource == "v1/secrets" {
					return c.attack
				}
				return c.control
			}), c.by)
			if len(findings) != 1 || findings[0].Verdict != c.verdict || findings[0].Reason != c.reason {
				t.Errorf("got %+v, want one finding %s %s", findings, c.verdict, c.reason)
			}
			if findings[0].Tenant != "acme" || len(findings[0].Evidence) == 0 {
				t.Errorf("a finding without tenant or evidence: %+v", findings[0])
			}
		})
	}
}

func runTable(t *testing.T, api API, by []Refusal) []guarantee.Finding {
	t.Helper()
	table := Table{
		Description: Description{ID: "test/try", Guarantee: guarantee.API1},
		Tries: func(Target) ([]Try, string) {
			return []Try{{
				What: "read secrets", By: by, Mend: "remove the right",
				Attack:  Request{Verb: "list", Resource: "v1/secrets", Namespace: "globex-backend"},
				Control: Request{Verb: "list", Resource: "v1/configmaps", Namespace: "acme-backend"},
			}}, ""
		},
	}
	return Run(t.Context(), NewSession(Target{Tenant: "acme"}, api, 2), []Probe{table})
}

// TestControlsAreAskedOnce keeps a hundred tries from sending a hundred controls.
func TestControlsAreAskedOnce(t *testing.T) {
	var controls atomic.Int32
	api := fake(func(_ context.Context, r Request) Answer {
		if r.Namespace == "acme" {
			controls.Add(1)
			return ok
		}
		return forbidden
	})
	table := Table{Description: Description{Guarantee: guarantee.API1}, Tries: func(Target) ([]Try, string) {
		var tries []Try
		for range 50 {
			tries = append(tries, Try{By: []Refusal{RBAC}, Attack: Request{Verb: "list", Resource: "v1/pods", Namespace: "x"}, Control: CreateConfigMap("acme")})
		}
		return tries, ""
	}}
	Run(t.Context(), NewSession(Target{}, api, 8), []Probe{table, table})
	if n := controls.Load(); n != 1 {
		t.Errorf("the control was sent %d times, want once", n)
	}
}

// TestBounded keeps the requests in flight within the session's bound.
func TestBounded(t *testing.T) {
	var now, most atomic.Int32
	api := fake(func(context.Context, Request) Answer {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(time.Millisecond)
		return ok
	})
	table := Table{Tries: func(Target) ([]Try, string) { return make([]Try, 40), "" }}
	Run(t.Context(), NewSession(Target{}, api, 3), []Probe{table})
	if most.Load() > 3 {
		t.Errorf("%d requests were in flight, want at most 3", most.Load())
	}
}

// messy leaves something behind, and may fail on the way.
type messy struct {
	run     func(ctx context.Context) []guarantee.Finding
	cleaned *atomic.Bool
}

func (messy) Describe() Description                                     { return Description{ID: "test/messy", Guarantee: guarantee.NET1} }
func (m messy) Run(ctx context.Context, _ *Session) []guarantee.Finding { return m.run(ctx) }
func (m messy) Clean(ctx context.Context, _ *Session) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.cleaned.Store(true)
	return nil
}

// TestCleanedOnEveryExit: a cancelled run and a failing probe are cleaned up after, and
// neither reads as an observation.
func TestCleanedOnEveryExit(t *testing.T) {
	exits := map[string]func(cancel func()) func(context.Context) []guarantee.Finding{
		"cancelled": func(cancel func()) func(context.Context) []guarantee.Finding {
			return func(ctx context.Context) []guarantee.Finding { cancel(); <-ctx.Done(); return nil }
		},
		"panic": func(func()) func(context.Context) []guarantee.Finding {
			return func(context.Context) []guarantee.Finding { panic("nil map") }
		},
		"silent": func(func()) func(context.Context) []guarantee.Finding {
			return func(context.Context) []guarantee.Finding { return nil }
		},
	}
	for name, exit := range exits {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var cleaned atomic.Bool
			findings := Run(ctx, NewSession(Target{Tenant: "acme"}, fake(nil), 1), []Probe{messy{exit(cancel), &cleaned}})
			if !cleaned.Load() {
				t.Error("nothing was cleaned up")
			}
			if len(findings) == 0 {
				t.Fatal("no finding: silence reads as nothing to report")
			}
			for _, f := range findings {
				if f.Verdict != guarantee.Unknown {
					t.Errorf("verdict %s, want unknown: %+v", f.Verdict, f)
				}
			}
		})
	}
}

// TestRequestsStoreNothing: whatever the verb, a write is a dry-run.
func TestRequestsStoreNothing(t *testing.T) {
	for verb := range methods {
		r := Request{Verb: verb, Resource: "apps/v1/deployments", Namespace: "a b", Name: "../x", Body: Manifest{"a": 1}}
		req, err := r.http("https://127.0.0.1:6443/")
		if err != nil {
			t.Fatal(err)
		}
		dry := req.URL.Query().Get("dryRun") == "All"
		if writes := req.Method != http.MethodGet; writes != dry {
			t.Errorf("%s is a %s with dryRun=%v", verb, req.Method, dry)
		}
		if !strings.HasPrefix(req.URL.EscapedPath(), "/apis/apps/v1/namespaces/a%20b/deployments") {
			t.Errorf("%s asks for %s: a name must not change the path", verb, req.URL.EscapedPath())
		}
	}
	if _, err := (Request{Verb: "watch"}).http("https://x"); err == nil {
		t.Error("an unknown verb must not be sent")
	}
}

// TestHarmless: an accepted write that admission made harmless is no hole.
func TestHarmless(t *testing.T) {
	for _, harmless := range []bool{true, false} {
		try := Try{Harmless: func([]byte) (bool, string) { return harmless, "seen" }}
		out := try.run(t.Context(), NewSession(Target{}, fake(func(context.Context, Request) Answer { return ok }), 1))
		if want := map[bool]guarantee.Verdict{true: guarantee.Holds, false: guarantee.Broken}[harmless]; out.verdict != want {
			t.Errorf("harmless=%v: %s, want %s", harmless, out.verdict, want)
		}
	}
}
