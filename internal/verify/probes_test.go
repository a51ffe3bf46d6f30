package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
)

// answering is an API server that always says the same.
type answering probe.Answer

func (a answering) Do(context.Context, probe.Request) probe.Answer { return probe.Answer(a) }

// targets are a tenant of the plainest class, and one of the strictest.
func targets(t *testing.T) map[string]probe.Target {
	t.Helper()
	plain, err := probe.NewTarget(asApplied(t, nil), "acme")
	if err != nil {
		t.Fatal(err)
	}
	strict := plain
	strict.Class.Kernel.Sandbox, strict.Class.Kernel.Registries = "GVisor", []string{"registry.example/acme"}
	strict.Class.Kernel.Nodes.Selector = map[string]string{"pool": "tenants"}
	strict.Class.Network.Hostnames, strict.Class.Network.IngressClasses = []string{"*.{tenant}.example"}, []string{"nginx"}
	strict.Class.Capacity.StorageClasses = []string{"fast"}
	return map[string]probe.Target{"plain": plain, "strict": strict}
}

// TestProbesAreNotFooled: a server that accepts everything breaks every guarantee that is
// probed; one that refuses everything, the controls too, or says nothing, shows nothing.
func TestProbesAreNotFooled(t *testing.T) {
	rbac := probe.Answer{Code: 403, Reason: "Forbidden", Message: `pods is forbidden: User "x" cannot create resource "pods"`}
	servers := []struct {
		name   string
		answer probe.Answer
		want   guarantee.Verdict
	}{
		{"accepts everything", probe.Answer{Code: 201, Body: []byte(`{"spec":{"containers":[{"name":"a"}]}}`)}, guarantee.Broken},
		{"refuses everything", rbac, guarantee.Unknown},
		{"finds nothing", probe.Answer{Code: 404, Reason: "NotFound"}, guarantee.Unknown},
		{"has an expired token", probe.Answer{Code: 401, Reason: "Unauthorized"}, guarantee.Unknown},
		{"says nothing", probe.Answer{Err: errors.New("connection refused")}, guarantee.Unknown},
		{"says nothing in time", probe.Answer{Err: context.DeadlineExceeded}, guarantee.Unknown},
	}
	for kind, target := range targets(t) {
		for _, server := range servers {
			for _, p := range Probes() {
				d := p.Describe()
				if kind == "plain" && d.Guarantee == guarantee.KRN2 {
					continue // nothing is promised
				}
				findings := probe.Run(t.Context(), probe.NewSession(target, answering(server.answer), 4), []probe.Probe{p})
				for _, f := range findings {
					if f.Verdict != server.want {
						t.Errorf("%s, a server that %s: %s is %s: %s", kind, server.name, d.ID, f.Verdict, f.Message)
					}
				}
			}
		}
	}
}

// TestProbesAreWellMade: each says what it is, and each try has its control, which is
// something else, and its fix.
func TestProbesAreWellMade(t *testing.T) {
	seen := map[string]bool{}
	for kind, target := range targets(t) {
		for _, p := range Probes() {
			d := p.Describe()
			if d.ID == "" || d.Technique == "" || d.SideEffects == "" || d.Needs == "" || d.Control == "" {
				t.Errorf("%q does not say what it is: %+v", d.ID, d)
			}
			if _, ok := guarantee.Get(d.Guarantee); !ok || seen[kind+d.ID] {
				t.Errorf("%q observes no guarantee, or is there twice", d.ID)
			}
			seen[kind+d.ID] = true
			table, ok := p.(probe.Table)
			if !ok {
				continue
			}
			tries, _ := table.Tries(target)
			whats := map[string]bool{}
			for _, try := range tries {
				if try.What == "" || try.Mend == "" || len(try.By) == 0 || try.Control.Verb == "" {
					t.Errorf("%s: an unfinished try: %+v", d.ID, try)
				}
				if whats[try.What] {
					t.Errorf("%s: two tries are called %q", d.ID, try.What)
				}
				whats[try.What] = true
				if fmt.Sprint(try.Attack) == fmt.Sprint(try.Control) && fmt.Sprint(try.Attack.Body) == fmt.Sprint(try.Control.Body) {
					t.Errorf("%s: the control of %q is the attack", d.ID, try.What)
				}
				if !strings.HasPrefix(try.Control.Namespace, target.Tenant+"-") {
					t.Errorf("%s: the control of %q is not in the tenant's own namespace", d.ID, try.What)
				}
			}
		}
	}
}
