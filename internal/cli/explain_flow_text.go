package cli

import (
	"fmt"
	"io"
	"strings"

	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/verify"
)

// flowVerdict is the answer in a word or two.
func flowVerdict(r engine.Reach, asked netset.Ports) string {
	perhaps := r.Possible.Minus(r.Sure)
	switch {
	case r.Possible.Empty():
		return "denied"
	case r.Sure.Equal(asked):
		return "allowed"
	case perhaps.Empty():
		return "allowed on " + r.Sure.String() + ", denied otherwise"
	case r.Sure.Empty():
		return "cannot be told on " + perhaps.String() + ", denied otherwise"
	}
	return "allowed on " + r.Sure.String() + ", cannot be told on " + perhaps.String() + ", denied otherwise"
}

// write prints the answer, its reasons, and how to turn it round.
func (x explainedFlow) write(out io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintln(&b, verify.Clean(fmt.Sprintf(format, args...))) }
	line("%s -> %s on %s: %s", x.question.from, x.question.to, x.question.ports, flowVerdict(x.Reach, x.question.ports))
	if x.plugin.Name != "" {
		line("network plugin: %s", x.plugin.Name)
	}
	if x.NodeLocal {
		line("%s is the node of %s to the network, and a node reaches the pods that it runs, whatever policies say", x.question.from, x.question.to)
	}
	for i := range x.Sides {
		line("")
		x.writeSide(&x.Sides[i], line)
	}
	if len(x.flip) > 0 {
		line("")
		verb := "open"
		if !x.Reach.Possible.Empty() {
			verb = "close"
		}
		line("the smallest change that would %s it:", verb)
		for _, c := range x.flip {
			line("  %s", x.edit(c))
		}
	}
	for _, u := range x.unread {
		line("not read: %s", strings.TrimSpace(snapshot.KeyOf(u.Object).String()+" "+u.Field+": "+u.Why))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (x explainedFlow) writeSide(s *engine.Side, line func(string, ...any)) {
	line("%s of %s: %s", s.Direction, podText(s), flowVerdict(s.Reach, x.question.ports))
	if s.HostNetwork {
		line("  it uses the node's network, which policies do not govern")
		return
	}
	if len(s.Policies) == 0 {
		line("  no policy selects it: everything is allowed")
		return
	}
	for _, p := range s.Policies {
		line("  selected by %s%s", snapshot.KeyOf(p.Object), isolation(p, s.Direction))
	}
	for _, step := range s.Steps {
		sure := ""
		if !step.Sure {
			sure = " perhaps" + because(step)
		}
		line("  %s: %s, %s, %s%s %s", tierName(step.Policy), snapshot.KeyOf(step.Policy.Object), fields(step), verbs[step.Rule.Action], sure, step.Ports)
	}
	rest := x.question.ports.Minus(s.Reach.Possible)
	decided := netset.Ports{}
	for _, step := range s.Steps {
		if step.Rule.Action == rules.Deny {
			decided = decided.Union(step.Ports)
		}
	}
	switch rest = rest.Minus(decided); {
	case s.Isolated && !rest.Empty():
		line("  NetworkPolicy tier: no rule takes %s in on %s, so that the isolation denies it", x.otherEnd(s), rest)
	case !s.Isolated && len(s.Steps) == 0:
		line("  none of them isolates it or decides: everything is allowed")
	}
}

var verbs = map[rules.Action]string{rules.Allow: "allows", rules.Deny: "denies", rules.Pass: "passes on"}

// because says why a rule only may match.
func because(s engine.Step) string {
	if s.Rule.Unsure != "" {
		return " (" + s.Rule.Unsure + ")"
	}
	for _, p := range s.Peers {
		if p.Unknown != "" {
			return " (" + p.Unknown + ")"
		}
	}
	return " (whether the block matches pods is not known)"
}

func fields(s engine.Step) string {
	var out []string
	for _, p := range s.Peers {
		out = append(out, p.Field)
	}
	return strings.Join(out, " and ")
}

func tierName(p *rules.Policy) string {
	switch p.Tier {
	case rules.TierAdmin:
		return fmt.Sprintf("Admin tier, priority %d", p.Priority)
	case rules.TierBaseline:
		return fmt.Sprintf("Baseline tier, priority %d", p.Priority)
	}
	return "NetworkPolicy tier"
}

func isolation(p *rules.Policy, d rules.Direction) string {
	switch {
	case p.Tier != rules.TierNamespace:
		return " (" + tierName(p) + ")"
	case p.Isolates[d]:
		return ", which isolates it"
	}
	return ""
}

func podText(s *engine.Side) string { return s.Pod.Namespace + "/" + s.Pod.Name }

func (x explainedFlow) otherEnd(s *engine.Side) string {
	if s.Direction == rules.Egress {
		return x.question.to
	}
	return x.question.from
}

// edit is a change in words.
func (x explainedFlow) edit(c engine.Change) string {
	switch c.Kind {
	case engine.RemovePeer:
		return fmt.Sprintf("remove %s from %s", c.Field, snapshot.KeyOf(c.Policy.Object))
	case engine.RemoveRule:
		return fmt.Sprintf("remove %s, which denies %s, from %s", c.Field, c.Ports, snapshot.KeyOf(c.Policy.Object))
	case engine.AddRule:
		to := "a NetworkPolicy in namespace " + c.Side.Pod.Namespace
		if c.Policy != nil {
			to = snapshot.KeyOf(c.Policy.Object).String() + " (or to another that selects " + podText(c.Side) + ")"
		}
		preposition := "from"
		if c.Side.Direction == rules.Egress {
			preposition = "to"
		}
		return fmt.Sprintf("add to %s an %s rule %s %s on %s", to, c.Side.Direction, preposition, x.otherEnd(c.Side), c.Ports)
	case engine.AddIsolation:
		return fmt.Sprintf("add a NetworkPolicy in namespace %s that selects %s, with policyTypes [%s] and no rule for it", c.Side.Pod.Namespace, podText(c.Side), title(c.Side.Direction))
	}
	return fmt.Sprintf("take %s off the node's network (spec.hostNetwork)", podText(c.Side))
}

func title(d rules.Direction) string {
	if d == rules.Egress {
		return "Egress"
	}
	return "Ingress"
}

// flowDocument is the answer as JSON.
type flowDocument struct {
	From    string         `json:"from"`
	To      string         `json:"to"`
	Ports   string         `json:"ports"`
	Verdict string         `json:"verdict"`
	Allowed string         `json:"allowed"`
	Perhaps string         `json:"perhaps,omitempty"`
	Sides   []sideDocument `json:"sides"`
	Change  []string       `json:"change,omitempty"`
	NotRead []string       `json:"notRead,omitempty"`
}

type sideDocument struct {
	Direction   string         `json:"direction"`
	Pod         string         `json:"pod"`
	HostNetwork bool           `json:"hostNetwork,omitempty"`
	Isolated    bool           `json:"isolated"`
	Policies    []string       `json:"policies,omitempty"`
	Steps       []stepDocument `json:"steps,omitempty"`
	Verdict     string         `json:"verdict"`
}

type stepDocument struct {
	Tier   string `json:"tier"`
	Policy string `json:"policy"`
	Fields string `json:"fields"`
	Action string `json:"action"`
	Ports  string `json:"ports"`
	Sure   bool   `json:"sure"`
}

func (x explainedFlow) document() flowDocument {
	out := flowDocument{
		From: x.question.from, To: x.question.to, Ports: x.question.ports.String(),
		Verdict: flowVerdict(x.Reach, x.question.ports), Allowed: x.Reach.Sure.String(),
	}
	if perhaps := x.Reach.Possible.Minus(x.Reach.Sure); !perhaps.Empty() {
		out.Perhaps = perhaps.String()
	}
	for i := range x.Sides {
		s := &x.Sides[i]
		side := sideDocument{
			Direction: s.Direction.String(), Pod: podText(s), HostNetwork: s.HostNetwork, Isolated: s.Isolated,
			Verdict: flowVerdict(s.Reach, x.question.ports),
		}
		for _, p := range s.Policies {
			side.Policies = append(side.Policies, snapshot.KeyOf(p.Object).String())
		}
		for _, step := range s.Steps {
			side.Steps = append(side.Steps, stepDocument{
				tierName(step.Policy), snapshot.KeyOf(step.Policy.Object).String(), fields(step),
				step.Rule.Action.String(), step.Ports.String(), step.Sure,
			})
		}
		out.Sides = append(out.Sides, side)
	}
	for _, c := range x.flip {
		out.Change = append(out.Change, x.edit(c))
	}
	for _, u := range x.unread {
		out.NotRead = append(out.NotRead, strings.TrimSpace(snapshot.KeyOf(u.Object).String()+" "+u.Field+": "+u.Why))
	}
	return out
}
