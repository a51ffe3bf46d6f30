package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
)

// blocks reads CIDRs. Cilium's never match pods or nodes by their addresses, unless
// somebody sets --policy-cidr-match-mode.
func (c *ciliumReader) blocks(out *peerGroups, p *ciliumPeers) error {
	for i, text := range p.cidrs {
		prefix, err := netip.ParsePrefix(text)
		if ip, failed := netip.ParseAddr(text); failed == nil {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.at("CIDR", i), err)
		}
		out.add("", Peer{Field: p.at("CIDR", i), Addresses: netset.AddressesOf(prefix), MatchesPods: Never})
	}
	for i, b := range p.cidrSets {
		field := p.at("CIDRSet", i)
		if err := b.check(); err != nil {
			return fmt.Errorf("%s.%w", field, err)
		}
		if b.CIDR == "" {
			out.add("", Peer{Field: field, Outside: true, Unknown: "the addresses of CiliumCIDRGroups are not looked up"})
			continue
		}
		block, err := Block(b.CIDR, b.Except)
		if err != nil {
			return fmt.Errorf("%s.%w", field, err)
		}
		out.add("", Peer{Field: field, Addresses: block, MatchesPods: Never})
	}
	return nil
}

// check refuses what Cilium refuses.
func (b *ciliumCIDR) check() error {
	if b == nil {
		return errors.New("cidr is missing")
	}
	set := 0
	for _, is := range []bool{b.CIDR != "", b.CIDRGroupRef != "", b.CIDRGroupSelector != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return errors.New("cidr, cidrGroupRef and cidrGroupSelector: Cilium wants one of them and refuses the policy")
	}
	if b.CIDR == "" {
		return nil
	}
	prefix, err := netip.ParsePrefix(b.CIDR)
	if err != nil {
		return fmt.Errorf("cidr: %w", err)
	}
	for _, e := range b.Except {
		cut, err := netip.ParsePrefix(e)
		if err != nil {
			return fmt.Errorf("except: %w", err)
		}
		if cut.Bits() < prefix.Bits() || !prefix.Contains(cut.Addr()) {
			return fmt.Errorf("except: %s is not inside %s: Cilium refuses the policy", e, b.CIDR)
		}
	}
	return nil
}

// dnsName is the form of names and patterns in toFQDNs.
var dnsName = regexp.MustCompile(`^([-a-zA-Z0-9_*]+[.]?)+$`)

// checkName refuses what Cilium refuses of toFQDNs.
func checkName(field string, value any) error {
	m, ok := value.(map[string]any)
	name, _ := m["matchName"].(string)
	pattern, _ := m["matchPattern"].(string)
	switch {
	case !ok || name == "" && pattern == "":
		return fmt.Errorf("%s needs matchName or matchPattern", field)
	case name != "" && pattern != "":
		return fmt.Errorf("%s has matchName and matchPattern: Cilium refuses the policy", field)
	case !dnsName.MatchString(name + pattern):
		return fmt.Errorf("%s: %q is no domain name", field, name+pattern)
	}
	return nil
}
