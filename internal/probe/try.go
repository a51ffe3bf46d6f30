package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"watertight.dev/watertight/internal/guarantee"
)

// Try is one request that must be refused, beside one that must be accepted.
type Try struct {
	// What is tried, in words that follow "the tenant's owner can".
	What    string
	Attack  Request
	Control Request
	// By lists who may have refused it for the refusal to count.
	By []Refusal
	// Mend is how to close it when it was accepted.
	Mend string
	// Harmless looks at the object an accepted write would have stored and tells
	// whether admission took the danger out of it. Nil: accepted is broken.
	Harmless func(object []byte) (bool, string)
}

// outcome is what came of a Try.
type outcome struct {
	try     Try
	verdict guarantee.Verdict
	reason  string
	// cause is equal for outcomes that are unknown for the same reason.
	cause  string
	detail string
}

// run makes the attempt and, where the answer needs one, the control.
func (t Try) run(ctx context.Context, s *Session) outcome {
	answer := s.do(ctx, t.Attack)
	out := outcome{try: t, detail: answer.String()}
	switch refusal := answer.Refused(); {
	case answer.Accepted():
		return t.accepted(answer, out)
	case answer.TimedOut():
		out.verdict, out.reason, out.cause = guarantee.Unknown, "TimedOut", "the API server did not answer in time"
	case refusal == NotRefused:
		out.verdict, out.reason = guarantee.Unknown, "NoRefusal"
		out.cause = "the answer was neither an acceptance nor a refusal (" + answer.String() + ")"
	case !slices.Contains(t.By, refusal):
		out.verdict, out.reason = guarantee.Unknown, "RefusedByOther"
		out.cause = fmt.Sprintf("it was refused by %s, which is not what keeps this promise (%s)", refusal, answer.Message)
	default:
		return t.refused(s.control(ctx, t.Control), out)
	}
	return out
}

// accepted judges an attack that the server let through.
func (t Try) accepted(answer Answer, out outcome) outcome {
	if t.Harmless != nil {
		ok, detail := t.Harmless(answer.Body)
		out.detail = detail
		if ok {
			out.verdict = guarantee.Holds
			return out
		}
	}
	out.verdict, out.reason = guarantee.Broken, "AttackAccepted"
	return out
}

// refused judges an attack that was refused for the right reason by its control.
func (t Try) refused(control Answer, out outcome) outcome {
	if control.Accepted() {
		out.verdict = guarantee.Holds
		return out
	}
	out.verdict, out.reason = guarantee.Unknown, "ControlFailed"
	out.cause = fmt.Sprintf("the refusal proves nothing, because the permitted control (%s) did not succeed either: %s", t.Control, control)
	return out
}

// Table is a Probe made of tries.
type Table struct {
	Description
	// Tries for a target; none when it has nothing to try, and why says so.
	Tries func(t Target) (tries []Try, why string)
}

// Describe implements Probe.
func (p Table) Describe() Description { return p.Description }

// Run implements Probe: it makes the tries at the same time, as far as the session
// has free slots.
func (p Table) Run(ctx context.Context, s *Session) []guarantee.Finding {
	tries, why := p.Tries(s.Target)
	if len(tries) == 0 {
		return []guarantee.Finding{p.finding(s.Target, guarantee.Unknown, "NothingToTry", why)}
	}
	slices.SortStableFunc(tries, func(a, b Try) int { return strings.Compare(a.What, b.What) })
	outcomes := make([]outcome, len(tries))
	var wg sync.WaitGroup
	for i, t := range tries {
		wg.Go(func() { outcomes[i] = t.run(ctx, s) })
	}
	wg.Wait()
	return p.findings(s.Target, outcomes)
}

func (p Table) finding(t Target, v guarantee.Verdict, reason, message string) guarantee.Finding {
	return guarantee.Finding{Guarantee: p.Guarantee, Tenant: t.Tenant, Verdict: v, Reason: reason, Message: message}
}

// findings makes one finding per hole, one per cause of ignorance, and one for all
// the tries that were refused as they should be.
func (p Table) findings(t Target, outcomes []outcome) []guarantee.Finding {
	var out []guarantee.Finding
	var refused []guarantee.Evidence
	unknown := map[string]int{}
	for _, o := range outcomes {
		evidence := o.evidence()
		switch o.verdict {
		case guarantee.Broken:
			f := p.finding(t, o.verdict, o.reason, fmt.Sprintf("the tenant's owner can %s; %s", o.try.What, o.try.Mend))
			f.Evidence = []guarantee.Evidence{evidence}
			out = append(out, f)
		case guarantee.Holds:
			refused = append(refused, evidence)
		default:
			i, ok := unknown[o.cause]
			if !ok {
				i = len(out)
				unknown[o.cause] = i
				out = append(out, p.finding(t, guarantee.Unknown, o.reason, "could not tell whether the tenant's owner can "+o.try.What+": "+o.cause))
			}
			out[i].Evidence = append(out[i].Evidence, evidence)
		}
	}
	if len(refused) > 0 {
		f := p.finding(t, guarantee.Holds, "Refused", fmt.Sprintf("%d of %d tries came to nothing, beside a control that succeeded (%s)", len(refused), len(outcomes), p.Control))
		f.Evidence = refused
		out = append(out, f)
	}
	return out
}

// evidence names the object that was asked for and what came of it.
func (o outcome) evidence() guarantee.Evidence {
	r := o.try.Attack
	group, resource, _ := cutLast(r.Resource)
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	name := r.Name
	if name == "" {
		name = "(any)"
		if meta, ok := r.Body["metadata"].(map[string]any); ok {
			name = fmt.Sprint(meta["name"])
		}
	}
	return guarantee.Evidence{
		Object: guarantee.Ref{APIVersion: strings.TrimPrefix(group, "/"), Kind: resource, Namespace: r.Namespace, Name: name},
		Detail: o.try.What + ": " + r.String() + ": " + o.detail,
	}
}
