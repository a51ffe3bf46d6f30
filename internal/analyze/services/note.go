package services

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// mostNotes is how often one object is charged with one rule; a list of ten thousand
// wrong host names is one mistake.
const mostNotes = 8

// note charges an object with a rule. The first other evidence may follow.
func (j *judge) note(r Rule, o snapshot.Object, field, fact string, more ...guarantee.Evidence) {
	key := noteKey{snapshot.KeyOf(o), r.ID}
	j.noted[key]++
	if j.noted[key] > mostNotes {
		return
	}
	message := fmt.Sprintf("%s, %s, %s; %s: %s", key.object, clip(field), fact, r.Effect, r.Fix)
	j.say(r, message, append([]guarantee.Evidence{about(j.snapshot, o, clip(field), fact+" ("+r.Reference+")")}, more...))
}

func (j *judge) say(r Rule, message string, evidence []guarantee.Evidence) {
	if r.Verdict == broken {
		j.ledger.Break(guarantee.NET2, r.ID, message, evidence...)
		return
	}
	j.ledger.Doubt(guarantee.NET2, r.ID, message, evidence...)
}

// rest says how much was left out.
func (j *judge) rest() {
	keys := slices.SortedFunc(maps.Keys(j.noted), func(a, b noteKey) int {
		return cmp.Or(a.object.Compare(b.object), cmp.Compare(a.rule, b.rule))
	})
	for _, k := range keys {
		if left := j.noted[k] - mostNotes; left > 0 {
			r := ruleOf(k.rule)
			j.say(r, fmt.Sprintf("%s does so in %d more places: %s", k.object, left, r.Fix),
				[]guarantee.Evidence{analyze.AboutKey(j.snapshot, k.object, "", fmt.Sprintf("%d more places (%s)", left, r.Reference))})
		}
	}
}

func ruleOf(id string) Rule {
	rules := Rules()
	return rules[slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })]
}

// about is evidence; an untyped object says itself in which version it is held.
func about(s *snapshot.Snapshot, o snapshot.Object, field, detail string) guarantee.Evidence {
	e := analyze.About(s, o, field, detail)
	if u, ok := o.(*unstructured.Unstructured); ok {
		e.Object.APIVersion = u.GetAPIVersion()
	}
	return e
}

// clip shortens what a tenant wrote; reports clean it.
func clip(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
