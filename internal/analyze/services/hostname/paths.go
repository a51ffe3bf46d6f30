package hostname

import "strings"

// mostSegments is how deep paths are compared; what is below is taken to meet.
const mostSegments = 64

// segments cuts a path; deep is set where it goes on below.
func segments(p Path) (list []string, deep bool) {
	rest := p.Text
	for rest != "" {
		var s string
		s, rest, _ = strings.Cut(rest, "/")
		if s == "" {
			continue
		}
		if len(list) == mostSegments {
			return list, true
		}
		list = append(list, s)
	}
	return list, false
}

func (c *Claims) addPath(claim *Claim) {
	at := child(&c.paths, claim.Host)
	list, deep := segments(claim.Path)
	if deep {
		claim.Path.Vague, claim.Path.Exact = true, false
	}
	at.under.add(claim)
	for _, s := range list {
		at = child(&at.children, s)
		at.under.add(claim)
	}
	if claim.Path.Exact {
		at.exact.add(claim)
	} else {
		at.prefix.add(claim)
	}
}

// onPath is the first foreign claims to the same host whose path overlaps.
func (c *Claims) onPath(claim *Claim) []*Claim {
	at := c.paths[claim.Host]
	if at == nil {
		return nil
	}
	list, _ := segments(claim.Path)
	met := []*Claim{at.prefix.other(claim)}
	for _, s := range list {
		if at = at.children[s]; at == nil {
			return met
		}
		met = append(met, at.prefix.other(claim))
	}
	if claim.Path.Exact {
		return append(met, at.exact.other(claim))
	}
	return append(met, at.under.other(claim))
}
