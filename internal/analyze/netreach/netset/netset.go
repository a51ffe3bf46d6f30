// Package netset holds the two sets that network policies speak of: ports of the three
// protocols, and addresses of both families. Sets are values, never changed once made.
// It knows nothing of policies.
package netset
