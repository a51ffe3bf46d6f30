package istio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/snapshot"
)

// The oracle asks one concrete request at a time, in the words of Istio's page
// "Authorization Policy", and knows nothing of "sometimes".
type (
	askedRule struct {
		namespaces, notNamespaces, principals, ports, methods []string
	}
	askedPolicy struct {
		action string
		rules  []askedRule
	}
	request struct {
		namespace, account, port, method string
		plain                            bool
	}
)

func (r request) matches(rule askedRule) bool {
	namespace, principal := "", ""
	if !r.plain {
		namespace, principal = r.namespace, "cluster.local/ns/"+r.namespace+"/sa/"+r.account
	}
	one := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	return one(rule.namespaces, namespace) && !slices.Contains(rule.notNamespaces, namespace) &&
		one(rule.principals, principal) && one(rule.ports, r.port) && one(rule.methods, r.method)
}

func (r request) allowed(policies []askedPolicy) bool {
	matched := func(action string) bool {
		return slices.ContainsFunc(policies, func(p askedPolicy) bool { return p.action == action && slices.ContainsFunc(p.rules, r.matches) })
	}
	// 2. If there are any DENY policies that match the request, deny the request.
	if matched("DENY") {
		return false
	}
	// 3. If there are no ALLOW policies for the workload, allow the request.
	if !slices.ContainsFunc(policies, func(p askedPolicy) bool { return p.action == "ALLOW" }) {
		return true
	}
	// 4. If any of the ALLOW policies match the request, allow it. 5. Deny the request.
	return matched("ALLOW")
}

func randomPolicies(r *rand.Rand) []askedPolicy {
	some := func(values ...string) []string {
		var out []string
		for _, v := range values {
			if r.IntN(3) == 0 {
				out = append(out, v)
			}
		}
		return out
	}
	policies := make([]askedPolicy, r.IntN(4))
	for i := range policies {
		policies[i].action = []string{"ALLOW", "DENY"}[r.IntN(2)]
		for range r.IntN(3) {
			rule := askedRule{
				namespaces: some("b", "c"), notNamespaces: some("b", "c"), ports: some("80", "81"),
				principals: some("cluster.local/ns/b/sa/x", "cluster.local/ns/c/sa/y"),
			}
			if r.IntN(3) == 0 {
				rule.methods = some("GET", "POST")
			}
			policies[i].rules = append(policies[i].rules, rule)
		}
	}
	return policies
}

func (p askedPolicy) manifest(t *testing.T, i int) *unstructured.Unstructured {
	list := func(name string, values []string) string {
		if len(values) == 0 {
			return ""
		}
		return fmt.Sprintf("%s: ['%s'], ", name, strings.Join(values, "', '"))
	}
	var rules []string
	for _, r := range p.rules {
		text := "{"
		if source := list("namespaces", r.namespaces) + list("notNamespaces", r.notNamespaces) + list("principals", r.principals); source != "" {
			text += "from: [{source: {" + source + "}}], "
		}
		if operation := list("ports", r.ports) + list("methods", r.methods); operation != "" {
			text += "to: [{operation: {" + operation + "}}]"
		}
		rules = append(rules, text+"}")
	}
	return authorization(t, i, "a", fmt.Sprintf("{action: %s, rules: [%s]}", p.action, strings.Join(rules, ", ")))
}

// TestOracle: what is said to be allowed is allowed for every request, what is denied for
// none, and only what has to do with methods is conditional.
func TestOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[Decision]int{}
	for range 3000 {
		policies := randomPolicies(r)
		s := &snapshot.Snapshot{}
		byMethod := false
		for i, p := range policies {
			s = s.With(p.manifest(t, i))
			byMethod = byMethod || slices.ContainsFunc(p.rules, func(r askedRule) bool { return len(r.methods) > 0 })
		}
		m := In(s, Defaults())
		for _, peer := range []Peer{{"b", "x", nil, true}, {"b", "y", nil, true}, {"c", "y", nil, true}, {"d", "x", nil, false}} {
			for _, port := range []int32{80, 81, 82} {
				got := m.Authorised(peer, pod("a", "web", nil), port, true)
				allowed := 0
				methods := []string{"GET", "POST", "PUT"}
				for _, method := range methods {
					if (request{peer.Namespace, peer.Account, fmt.Sprint(port), method, !peer.Meshed}).allowed(policies) {
						allowed++
					}
				}
				seen[got.Decision]++
				wrong := got.Decision == Allowed && allowed < len(methods) || got.Decision == Denied && allowed > 0 ||
					got.Decision == Conditional && !byMethod || got.Decision == Unknown
				if wrong {
					t.Fatalf("%+v to port %d: %s, and %d of %d methods are allowed by %+v", peer, port, got.Decision, allowed, len(methods), policies)
				}
			}
		}
	}
	if seen[Allowed] == 0 || seen[Denied] == 0 || seen[Conditional] == 0 {
		t.Errorf("the random policies are too much alike: %v", seen)
	}
}
