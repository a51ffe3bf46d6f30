package address

import "net/netip"

// Kind is what an address is that never is a tenant's.
type Kind string

// The kinds of special addresses.
const (
	// Ordinary addresses may be anybody's.
	Ordinary Kind = ""
	// Metadata addresses answer with credentials of the node or the pod's cloud identity.
	Metadata Kind = "metadata"
	// Local addresses are the loopback, link-local, unspecified and multicast ones: they
	// mean another machine to everybody who reads them.
	Local Kind = "local"
)

// special is a block of special addresses.
type special struct {
	block netip.Prefix
	kind  Kind
	name  string
	// reference is where the meaning of the block is documented.
	reference string
}

// specials are looked through in order.
var specials = []special{
	{netip.MustParsePrefix("169.254.169.254/32"), Metadata, "the metadata service of the node", "ATT&CK T1552.005"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), Metadata, "the metadata service of the node", "docs.aws.amazon.com EC2: instance metadata over IPv6"},
	{netip.MustParsePrefix("fd20:ce::254/128"), Metadata, "the metadata service of the node", "cloud.google.com Compute Engine: metadata server over IPv6"},
	{netip.MustParsePrefix("169.254.170.2/32"), Metadata, "the credentials service of tasks", "docs.aws.amazon.com ECS: task IAM role"},
	{netip.MustParsePrefix("169.254.170.23/32"), Metadata, "the pod identity agent", "docs.aws.amazon.com EKS: Pod Identity Agent"},
	{netip.MustParsePrefix("fd00:ec2::23/128"), Metadata, "the pod identity agent", "docs.aws.amazon.com EKS: Pod Identity Agent"},
	{netip.MustParsePrefix("100.100.100.200/32"), Metadata, "the metadata service of the node", "alibabacloud.com ECS: instance metadata"},
	{netip.MustParsePrefix("168.63.129.16/32"), Metadata, "the host agent of the node", "learn.microsoft.com: IP address 168.63.129.16"},
	{netip.MustParsePrefix("127.0.0.0/8"), Local, "a loopback address", "RFC 1122"},
	{netip.MustParsePrefix("::1/128"), Local, "a loopback address", "RFC 4291"},
	{netip.MustParsePrefix("169.254.0.0/16"), Local, "a link-local address", "RFC 3927"},
	{netip.MustParsePrefix("fe80::/10"), Local, "a link-local address", "RFC 4291"},
	{netip.MustParsePrefix("0.0.0.0/8"), Local, "an unspecified address", "RFC 1122"},
	{netip.MustParsePrefix("::/128"), Local, "an unspecified address", "RFC 4291"},
	{netip.MustParsePrefix("224.0.0.0/4"), Local, "a multicast address", "RFC 5771"},
	{netip.MustParsePrefix("ff00::/8"), Local, "a multicast address", "RFC 4291"},
	{netip.MustParsePrefix("255.255.255.255/32"), Local, "the broadcast address", "RFC 919"},
}

// Special says what an address is, with a name for people and a reference, where it is
// never a tenant's.
func Special(ip netip.Addr) (kind Kind, name, reference string) {
	for _, s := range specials {
		if s.block.Contains(ip) {
			return s.kind, s.name, s.reference
		}
	}
	return Ordinary, "", ""
}
