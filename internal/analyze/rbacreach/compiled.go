package rbacreach

import rbacv1 "k8s.io/api/rbac/v1"

// compiled is the rules of a role, matched once against the tables: many bindings share
// a role, and many tenants a binding's shape.
type compiled struct {
	rules []rbacv1.PolicyRule
	// dangers of each rule.
	dangers  [][]dangerHit
	hits     []hit
	deputies []deputyHit
}

// nothing is what a role that does not exist allows.
var nothing = &compiled{}

// dangerHit is what of a danger a rule allows.
type dangerHit struct {
	danger           *danger
	verbs, resources []string
}

// hit is a rule that allows a right, for some names or, without any, for all.
type hit struct {
	right rightID
	rule  int
	names []string
}

// deputyHit is a rule that lets its holder write what a controller acts on.
type deputyHit struct {
	deputy int // its place in the table
	rule   int
	// named is false where only a wildcard covers the group.
	named bool
}

func compileRules(rules []rbacv1.PolicyRule) *compiled {
	c := &compiled{rules: rules, dangers: make([][]dangerHit, len(rules))}
	for i := range rules {
		rule := &rules[i]
		if len(rule.NonResourceURLs) > 0 && len(rule.Resources) == 0 {
			continue
		}
		for d := range dangers {
			if verbs, resources := dangers[d].match(*rule); len(verbs) > 0 {
				c.dangers[i] = append(c.dangers[i], dangerHit{&dangers[d], verbs, resources})
			}
		}
		for r := range rights {
			if names, ok := rights[r].allowedBy(rule); ok {
				c.hits = append(c.hits, hit{rightID(r), i, names})
			}
		}
		for d := range deputies {
			if named, ok := deputies[d].writtenBy(rule); ok {
				c.deputies = append(c.deputies, deputyHit{d, i, named})
			}
		}
	}
	return c
}
