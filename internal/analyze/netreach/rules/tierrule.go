package rules

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// tierRule is a rule as it is read; doubt is the path and the reason of the first thing in
// it that is not understood.
type tierRule struct {
	Rule
	doubt string
	// anyPeer and anyPort say that what is not understood may be about more peers or ports
	// than the rule names.
	anyPeer, anyPort bool
}

func (r *tierRule) unsure(path, why string) {
	if r.doubt == "" && path != "" {
		r.doubt = path + ": " + why
	}
}

// rule reads a rule and adds it to the policy.
func (t *tierReader) rule(d Direction, n tierNode) error {
	side := [...]string{Ingress: "from", Egress: "to"}[d]
	set, stranger, err := n.fields("name", "action", side, t.portsField)
	if err != nil {
		return err
	}
	out := tierRule{Rule: Rule{Field: n.path}}
	out.unsure(stranger, t.strange())
	out.anyPeer, out.anyPort = stranger != "", stranger != ""
	if err := t.action(&out, n, set); err != nil {
		return err
	}
	if list, ok := set[t.portsField]; ok {
		if err := t.rulePorts(&out, list); err != nil {
			return err
		}
	}
	peers, ok := set[side]
	if !ok {
		return fmt.Errorf("%s is missing: name at least one peer (namespaces: {} is every pod)", n.at(side))
	}
	items, err := peers.list(t.most)
	if err != nil {
		return err
	}
	for _, item := range items {
		p, err := t.peer(&out, d, item)
		if err != nil {
			return err
		}
		p.Field = item.path
		out.Peers = append(out.Peers, p)
	}
	out.mixedNames()
	t.policy.Rules[d] = append(t.policy.Rules[d], out.rules()...)
	return nil
}

// action reads a rule's action, and its name, which decides nothing.
func (t *tierReader) action(out *tierRule, n tierNode, set map[string]tierNode) error {
	if name, ok := set["name"]; ok {
		text, err := name.text()
		if err != nil {
			return err
		}
		if len([]rune(text)) > longestRuleName {
			return fmt.Errorf("%s is longer than %d characters: shorten it", name.path, longestRuleName)
		}
	}
	action := set["action"].orMissing(n, "action")
	text, err := action.text()
	if err != nil {
		return err
	}
	var ok bool
	if out.Action, ok = t.actions[text]; !ok {
		return fmt.Errorf("%s is %q: use one of %s", action.path, text, strings.Join(t.actionNames(), ", "))
	}
	return nil
}

func (t *tierReader) actionNames() []string {
	var names []string
	for _, a := range []Action{Allow, Deny, Pass} {
		for name, is := range t.actions {
			if is == a {
				names = append(names, name)
			}
		}
	}
	return names
}

func (t *tierReader) rulePorts(out *tierRule, list tierNode) error {
	items, err := list.list(t.most)
	if err != nil {
		return err
	}
	for _, item := range items {
		ports, doubt, err := t.readPort(t.Reader, item)
		if err != nil {
			return err
		}
		out.unsure(doubt, t.strange())
		out.anyPort = out.anyPort || doubt != ""
		out.Ports = append(out.Ports, ports...)
	}
	return nil
}

// peer reads a peer. Networks match pods, too: "cluster-internal traffic will be checked
// against the rule as well" (the API's comment on networks).
func (t *tierReader) peer(out *tierRule, d Direction, n tierNode) (Peer, error) {
	known := []string{"namespaces", "pods"}
	if d == Egress {
		known = t.egress
	}
	set, stranger, err := n.fields(known...)
	switch {
	case err != nil:
		return Peer{}, err
	case len(set) > 1:
		return Peer{}, fmt.Errorf("%s: set only one of %s", n.path, strings.Join(known, ", "))
	case len(set) == 0 || stranger != "":
		if stranger == "" {
			stranger = n.path
		}
		return out.unknownPeer(stranger, t.strange()), nil
	}
	var p Peer
	if list, ok := set["networks"]; ok {
		p.Addresses, err = networks(list)
		p.MatchesPods = Always
		return p, err
	}
	if list, ok := set["domainNames"]; ok {
		return out.domainNames(list)
	}
	if nodes, ok := set["nodes"]; ok {
		p.Nodes, stranger, err = nodes.selector(t.Reader)
	} else {
		p.Pods, stranger, err = t.pods(set)
	}
	if err == nil && stranger != "" {
		return out.unknownPeer(stranger, t.strange()), nil
	}
	return p, err
}

func (r *tierRule) unknownPeer(path, why string) Peer {
	r.unsure(path, why)
	return Peer{Unknown: path + ": " + why}
}

func networks(n tierNode) (netset.Addresses, error) {
	cidrs, err := n.texts(mostPeerItems)
	if err != nil {
		return nil, err
	}
	out := netset.Addresses{}
	for i, cidr := range cidrs {
		block, err := Block(cidr, nil)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", n.path, i, err)
		}
		out = out.Union(block)
	}
	return out, nil
}

// domainNames are addresses that only a resolver knows, at the time. They may be pods':
// "selecting Pods using their generated DNS record" and headless Services are supported
// (NPEP-133), and whoever serves a name decides where it points.
func (r *tierRule) domainNames(n tierNode) (Peer, error) {
	names, err := n.texts(mostPeerItems)
	if err != nil {
		return Peer{}, err
	}
	if r.Action != Allow {
		r.unsure(n.path, "domain names are for rules that accept only")
	}
	const shown = 3
	if len(names) > shown {
		names = append(names[:shown:shown], "…")
	}
	return Peer{Unknown: fmt.Sprintf("%s: nobody knows which addresses %q have", n.path, names)}, nil
}

// mixedNames marks a rule that asks for named ports of peers that have none: the API's
// experimental channel refuses it, the standard one leaves open what it means.
func (r *tierRule) mixedNames() {
	for i := range r.Ports {
		if r.Ports[i].Name == "" {
			continue
		}
		for k := range r.Peers {
			if r.Peers[k].Pods == nil {
				r.unsure(r.Peers[k].Field, "named ports cannot be asked of anything but pods")
			}
		}
	}
}

// rules are what the rule stands for. What is not understood must "fail closed" (the
// API's comment on peers): an Accept then matches nothing, a Deny or Pass becomes a
// "Deny all". Whether an engine does so, or understands more than we do, is not known;
// so the rule and its replacement both may hold, and neither proves anything.
func (r *tierRule) rules() []Rule {
	if r.doubt == "" {
		return []Rule{r.Rule}
	}
	r.Unsure = r.doubt
	everyone := []Peer{{Field: r.Field, Everyone: true}}
	if r.anyPeer {
		r.Peers = everyone
	}
	if r.anyPort {
		r.Ports = nil
	}
	if r.Action == Allow {
		return []Rule{r.Rule}
	}
	all := Rule{Field: r.Field, Action: Deny, Unsure: r.doubt, Peers: everyone}
	if r.Action == Deny {
		return []Rule{all}
	}
	return []Rule{r.Rule, all}
}

// everyProtocol is a named port, which "selects a port on a pod based on name": of
// whatever protocol it is there.
func everyProtocol(name string) []Port {
	var out []Port
	for _, protocol := range netset.Protocols {
		out = append(out, Port{Name: name, Protocol: protocol})
	}
	return out
}

// knownProtocol reports whether a protocol is one that policies speak of.
func knownProtocol(p corev1.Protocol) bool {
	return p == corev1.ProtocolTCP || p == corev1.ProtocolUDP || p == corev1.ProtocolSCTP
}
