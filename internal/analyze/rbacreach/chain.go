package rbacreach

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// chargedRule is a rule that a binding gives: a chain is not told as a finding of its own
// where its first step is charged already.
type chargedRule struct {
	binding *binding
	rule    int
}

// leads gathers the chains of a tenant by what they begin with.
type leads struct {
	*closure
	order []leadKey
	best  map[leadKey][]link
}

type leadKey struct {
	id      guarantee.ID
	step    string
	binding snapshot.ObjectKey
	object  snapshot.ObjectKey
}

func (c *closure) leads(roots []link) *leads {
	l := &leads{closure: c, best: map[leadKey][]link{}}
	for _, r := range roots {
		key := leadKey{id: guarantee.API3, object: r.why.object}
		if r.why.step.Guarantee == guarantee.API5 {
			key.id, key.step = guarantee.API5, r.why.step.ID
		}
		if r.why.binding != nil {
			key.binding = r.why.binding.key
		}
		chain := c.chain(r)
		if _, seen := l.best[key]; !seen {
			l.order = append(l.order, key)
			l.best[key] = chain
		} else if c.worse(chain, l.best[key]) {
			l.best[key] = chain
		}
	}
	return l
}

// worse compares what chains end in, then how short they are.
func (c *closure) worse(a, b []link) bool {
	if x, y := c.prize(a), c.prize(b); x != y {
		return x > y
	}
	return len(a) < len(b)
}

// prize ranks what a chain ends in; what gives no right is worth nothing.
func (c *closure) prize(chain []link) int {
	end := chain[len(chain)-1].to
	switch c.places[end].Kind {
	case analyze.PlaceCluster:
		return 3
	case analyze.PlaceNode:
		return 2
	}
	if c.gives(end) {
		return 1
	}
	return 0
}

// report notes the chains that no rule on its own was charged with, and returns the rest:
// how the charges of a binding go on.
func (l *leads) report(ledger *analyze.Ledger, charged map[chargedRule][]fault) map[snapshot.ObjectKey][]link {
	tails := map[snapshot.ObjectKey][]link{}
	for _, key := range l.order {
		chain := l.best[key]
		root := chain[0]
		switch {
		case key.id == guarantee.API5:
			l.reportDeputy(ledger, chain)
		case root.why.binding != nil && judged(charged[chargedRule{root.why.binding, root.why.rule}]):
			if len(chain) > 1 {
				tails[key.binding] = chain
			}
		case l.prize(chain) == 0: // Secrets are judged under API-1, unless a token is among them
		default:
			evidence := l.evidence(chain)
			if root.why.binding == nil && root.why.object.Kind == "" { // by its name alone
				evidence = append([]guarantee.Evidence{analyze.AboutTenant(l.s, ledger.Tenant, "spec.owners", "names "+words(l.places[root.from]))}, evidence...)
			}
			ledger.Break(guarantee.API3, "EscalationChain", fmt.Sprintf("%s: cut the chain; at its first step, %s", l.tell(chain), root.why.step.Fix), evidence...)
		}
	}
	return tails
}

// judged reports whether a rule was charged with escalation on its own.
func judged(faults []fault) bool {
	return slices.ContainsFunc(faults, func(f fault) bool { return f.id == guarantee.API3 })
}

// reportDeputy notes a controller that acts on what the tenant writes, if it may do more
// than the tenant.
func (l *leads) reportDeputy(ledger *analyze.Ledger, chain []link) {
	root := chain[0]
	if len(chain) == 1 && !l.actsOutside(root.to, ledger.Tenant) {
		return
	}
	ledger.Break(guarantee.API5, root.why.step.ID, fmt.Sprintf("%s, which may do more than the tenant: %s", l.tell(chain), root.why.step.Fix), l.evidence(chain)...)
}

// actsOutside reports whether an identity may read or write anything outside a tenant.
func (l *leads) actsOutside(id placeID, tenant string) bool {
	for _, b := range l.grants[id] {
		for k, rule := range b.rules {
			if len((grant{b, rule, k}).faults(l.s, tenant)) > 0 {
				return true
			}
		}
	}
	return false
}

// tell puts a chain into words: each place, and how it is reached.
func (w *world) tell(chain []link) string {
	var b strings.Builder
	b.WriteString(words(w.places[chain[0].from]))
	for _, k := range chain {
		fmt.Fprintf(&b, " → %s (%s", words(w.places[k.to]), k.why.words())
		if k.why.binding != nil {
			fmt.Fprintf(&b, ", by %s and %s", k.why.binding.key, k.why.binding.role)
		}
		b.WriteString(")")
	}
	return b.String()
}

// evidence is a fact for each step of a chain.
func (w *world) evidence(chain []link) []guarantee.Evidence {
	var out []guarantee.Evidence
	for _, k := range chain {
		if b := k.why.binding; b != nil {
			out = append(out, analyze.AboutKey(w.s, b.key, "roleRef", "names "+b.role.String()))
		}
		if e := w.proof(k.why); e.Object.Kind != "" {
			out = append(out, e)
		}
	}
	return slices.CompactFunc(out, func(a, b guarantee.Evidence) bool { return a == b })
}

// proof is the object and field that give a step.
func (w *world) proof(why *cause) guarantee.Evidence {
	switch {
	case why.binding != nil:
		return analyze.AboutKey(w.s, why.binding.role, fmt.Sprintf("rules[%d]", why.rule),
			fmt.Sprintf("%s, bound by %s (%s)", why.words(), why.binding.key, why.step.Reference))
	case why.object.Kind != "":
		return analyze.AboutKey(w.s, why.object, why.field, fmt.Sprintf("%s (%s)", why.words(), why.step.Reference))
	}
	return guarantee.Evidence{}
}

func (c *cause) words() string { return cmp.Or(c.effect, c.step.Effect) }

// words names a place for people.
func words(p analyze.Place) string {
	switch {
	case p.Kind == analyze.PlaceIdentity && p.Namespace != "":
		return "ServiceAccount " + p.Namespace + "/" + p.Name
	case p.Kind == analyze.PlaceIdentity:
		return p.Name
	case p.Kind == analyze.PlaceNamespace && p.Namespace == "":
		return "every namespace"
	case p.Kind == analyze.PlaceSecrets && p.Namespace == "":
		return "all Secrets"
	case p.Kind == analyze.PlaceSecrets:
		return "the Secrets of namespace " + p.Namespace
	}
	return p.String()
}

// tail tells how a charged binding goes on.
func (c *closure) tail(chain []link) (string, []guarantee.Evidence) {
	if len(chain) < 2 {
		return "", nil
	}
	return "; step by step, " + c.tell(chain), c.evidence(chain[1:])
}

// doubtTokens says that Secrets of others are within reach, which may hold tokens.
func (c *closure) doubtTokens(l *analyze.Ledger, own []placeID) {
	if !c.tokens.unseen || l.Judged(guarantee.API3) {
		return
	}
	for _, from := range own {
		for _, a := range c.out[from] {
			if c.places[a.to].Kind != analyze.PlaceSecrets || c.own[a.to] == c.epoch {
				continue
			}
			r := link{from, a}
			l.Doubt(guarantee.API3, "TokensNotSeen", fmt.Sprintf("%s: cannot tell whether ServiceAccount tokens are among them, for Secrets are not read; %s", c.tell([]link{r}), r.why.step.Fix), c.evidence([]link{r})...)
			return
		}
	}
}
