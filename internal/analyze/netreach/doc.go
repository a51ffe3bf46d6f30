// Package netreach works out who reaches whom under NetworkPolicy v1, and judges it by
// what tenants declare. It is no packet filter: what an engine makes of the policies is
// for probes to see, and roads round them (Services, node ports, hostnames) are another
// package's question.
package netreach
