package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// ciliumPeers are the peers of one rule, of either direction; a list that is not there is
// nil, and one that is there and empty selects nobody.
type ciliumPeers struct {
	field           string
	endpoints       []*ciliumLabels
	nodes           []*ciliumLabels
	entities, cidrs []string
	cidrSets        []*ciliumCIDR
	groups          []any
	services, fqdns []any
	requires        []any
	// names of the fields, for messages: "from" or "to".
	prefix string
}

// peerGroup is peers that are equally sure.
type peerGroup struct {
	peers  []Peer
	unsure string
}

// peerGroups collects peers by how sure they are.
type peerGroups []peerGroup

func (g *peerGroups) add(unsure string, peers ...Peer) {
	i := slices.IndexFunc(*g, func(o peerGroup) bool { return o.unsure == unsure })
	if i < 0 {
		i = len(*g)
		*g = append(*g, peerGroup{unsure: unsure})
	}
	(*g)[i].peers = append((*g)[i].peers, peers...)
}

// check refuses what Cilium refuses: peers of two kinds in one rule.
func (p *ciliumPeers) check() error {
	var kinds []string
	for _, k := range []struct {
		name string
		n    int
	}{
		{"Endpoints", len(p.endpoints)}, {"Nodes", len(p.nodes)}, {"Entities", len(p.entities)},
		{"CIDR", len(p.cidrs)}, {"CIDRSet", len(p.cidrSets)}, {"Groups", len(p.groups)},
		{"Services", len(p.services)}, {"FQDNs", len(p.fqdns)},
	} {
		if k.n > 0 {
			kinds = append(kinds, p.prefix+k.name)
		}
	}
	if len(kinds) > 1 {
		return fmt.Errorf("%s has %s: Cilium refuses the policy; write a rule for each", p.field, strings.Join(kinds, " and "))
	}
	return nil
}

// nobody reports whether a list is there and empty.
func (p *ciliumPeers) nobody() bool {
	return p.endpoints != nil && len(p.endpoints) == 0 || p.nodes != nil && len(p.nodes) == 0 ||
		p.entities != nil && len(p.entities) == 0 || p.cidrs != nil && len(p.cidrs) == 0 ||
		p.cidrSets != nil && len(p.cidrSets) == 0
}

// at is the path of an element.
func (p *ciliumPeers) at(kind string, i int) string {
	return p.field + "." + p.prefix + kind + "[" + strconv.Itoa(i) + "]"
}

// peers reads all peers of a rule. A rule without any is about everybody where it names
// ports, else about nobody: the caller says which.
func (c *ciliumReader) peers(p *ciliumPeers, withPorts bool) (peerGroups, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if len(p.requires) > 0 {
		c.doubt(p.field+"."+p.prefix+"Requires", "Cilium 1.20 has no such rules any more, and older versions restrict other rules by them")
	}
	var out peerGroups
	if p.nobody() {
		return nil, nil
	}
	for i, e := range p.endpoints {
		if err := c.endpoints(&out, p.at("Endpoints", i), e); err != nil {
			return nil, err
		}
	}
	for i, e := range p.nodes {
		if err := c.nodes(&out, p.at("Nodes", i), e); err != nil {
			return nil, err
		}
	}
	if err := c.entities(&out, p); err != nil {
		return nil, err
	}
	if err := c.blocks(&out, p); err != nil {
		return nil, err
	}
	for i := range p.groups {
		out.add("", Peer{Field: p.at("Groups", i), Outside: true, Unknown: "the addresses of a cloud's groups stand in no object"})
	}
	for i := range p.services {
		// A service that does not exist leaves the rule without peers, and with ports
		// that is everybody.
		out.add("", Peer{Field: p.at("Services", i), Unknown: "which pods and addresses are behind services is not worked out for Cilium's toServices"})
	}
	for i, name := range p.fqdns {
		if err := checkName(p.at("FQDNs", i), name); err != nil {
			return nil, err
		}
		out.add("", Peer{Field: p.at("FQDNs", i), Outside: true, Unknown: "the addresses behind a domain name are not known"})
	}
	if len(out) == 0 && withPorts {
		out.add("", Peer{Field: p.field, Everyone: true})
	}
	return out, nil
}

// endpoints reads one of fromEndpoints or toEndpoints. A namespaced policy means its own
// namespace, unless the selector asks for another; a cluster-wide one means all.
func (c *ciliumReader) endpoints(out *peerGroups, field string, in *ciliumLabels) error {
	s, err := readCiliumSelector(field, in)
	if err != nil {
		return err
	}
	if len(s.reserved) > 0 {
		c.reserved(out, field, s)
		return nil
	}
	s.namespaces = append(s.namespaces, s.overridden...)
	if c.namespace != "" && !s.named && !s.labelled {
		s.namespaces = append(s.namespaces, Requirement{metadataName, metav1.LabelSelectorOpIn, []string{c.namespace}})
	}
	pods, err := c.podsOf(s)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	out.add(s.unsure, Peer{Field: field, Pods: &pods})
	if s.clusters {
		out.add("", Peer{Field: field, Outside: true, Unknown: "pods of another cluster of the mesh"})
	}
	return nil
}

// reserved reads a selector of reserved labels: alone, such a label is an entity; with
// others, or denied, it is not worked out.
func (c *ciliumReader) reserved(out *peerGroups, field string, s *ciliumSelector) {
	r := s.reserved[0]
	alone := len(s.reserved) == 1 && len(s.pods)+len(s.namespaces)+len(s.overridden) == 0 && s.unsure == "" &&
		!s.clusters && (r.Operator == metav1.LabelSelectorOpExists ||
		r.Operator == metav1.LabelSelectorOpIn && len(r.Values) == 1 && r.Values[0] == "")
	switch {
	case alone && (r.Key == "world" || r.Key == "world-ipv4" || r.Key == "world-ipv6"):
		out.add("", Peer{Field: field, Outside: true, Unknown: "which addresses carry reserved:" + r.Key + " depends on the cluster's families"})
	case alone && r.Key != "all" && r.Key != "cluster" && r.Key != "cluster-mesh" && c.entity(out, field, r.Key):
	default:
		out.add("", Peer{Field: field, Unknown: "this selection by reserved labels is not worked out"})
	}
}

// nodes reads one of fromNodes or toNodes.
func (c *ciliumReader) nodes(out *peerGroups, field string, in *ciliumLabels) error {
	s, err := readCiliumSelector(field, in)
	if err != nil {
		return err
	}
	c.doubt(field, "Cilium refuses the whole policy unless it runs with --enable-node-selector-labels")
	peer := Peer{Field: field}
	if s.empty || s.clusters || s.unsure != "" || s.named || s.labelled || len(s.reserved) > 0 {
		peer.Unknown = "this selection of nodes is not worked out"
	} else if peer.Nodes, err = c.Select(s.pods); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	out.add("it never matches the pod's own node, and Cilium's --node-labels chooses which labels count", peer)
	return nil
}

// entities reads fromEntities or toEntities.
func (c *ciliumReader) entities(out *peerGroups, p *ciliumPeers) error {
	anyNode := slices.Contains(p.entities, "host") && slices.Contains(p.entities, "remote-node")
	for i, name := range p.entities {
		field := p.at("Entities", i)
		if anyNode && name == "host" {
			out.add("", Peer{Field: field, Nodes: c.anyNode()})
		}
		if anyNode && (name == "host" || name == "remote-node") {
			continue
		}
		if !c.entity(out, field, name) {
			return fmt.Errorf("%s: Cilium has no entity %q and refuses the policy", field, name)
		}
	}
	return nil
}

func (c *ciliumReader) anyNode() *Selector {
	s, _ := c.Select(nil)
	return s
}

// entity adds what an entity stands for (docs.cilium.io, "Entities Based"), and reports
// whether it is one.
func (c *ciliumReader) entity(out *peerGroups, field, name string) bool {
	outside := func(why string) Peer { return Peer{Field: field, Outside: true, Unknown: why} }
	switch name {
	case "all":
		out.add("", Peer{Field: field, Everyone: true})
	case "world":
		out.add("", Peer{Field: field, Addresses: netset.Everywhere, MatchesPods: Never})
	case "world-ipv4":
		out.add("", Peer{Field: field, Addresses: netset.Blocks("0.0.0.0/0"), MatchesPods: Never})
	case "world-ipv6":
		out.add("", Peer{Field: field, Addresses: netset.Blocks("::/0"), MatchesPods: Never})
	case "cluster":
		out.add("", Peer{Field: field, Pods: &Pods{}}, Peer{Field: field, Nodes: c.anyNode()},
			outside("the API server, where it runs on no node, and Cilium's Ingress"))
	case "cluster-mesh":
		out.add("", Peer{Field: field, Pods: &Pods{}}, Peer{Field: field, Nodes: c.anyNode()},
			outside("the other clusters of the mesh"))
	case "host":
		out.add("only the node that the pod itself runs on", Peer{Field: field, Nodes: c.anyNode()})
	case "remote-node":
		out.add("not the node that the pod itself runs on", Peer{Field: field, Nodes: c.anyNode()})
	case "kube-apiserver":
		out.add("only nodes that run an API server", Peer{Field: field, Nodes: c.anyNode()})
		out.add("", outside("where the API server is"))
	case "init":
		out.add("", Peer{Field: field, Unknown: "any pod, in the moment before it has its identity"})
	case "unmanaged":
		out.add("", Peer{Field: field, Unknown: "pods that Cilium does not manage, which no object tells"})
	case "ingress":
		out.add("", outside("Cilium's Ingress, which is no pod and passes on for others"))
	case "health", "none": // Cilium's own probes are no pods
		out.add("", Peer{Field: field, Addresses: netset.Addresses{}, MatchesPods: Never})
	default:
		return false
	}
	return true
}
