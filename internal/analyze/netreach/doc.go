// Package netreach judges who reaches whom, as its engine works it out from all network
// policies, by what tenants declare. It is no packet filter: what a network plugin makes
// of the policies is for probes to see, and roads round them (Services, hostnames) are
// another package's question.
package netreach
