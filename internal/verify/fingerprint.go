package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
)

// Identity is the same for two findings that say the same, however they word it: their
// guarantee, tenant and reason, and the objects and fields that they rest on.
func Identity(f guarantee.Finding) string {
	places := make([]string, 0, len(f.Evidence))
	for _, e := range f.Evidence {
		places = append(places, strings.Join([]string{e.Object.Kind, e.Object.Namespace, e.Object.Name, e.Field}, "\x1f"))
	}
	slices.Sort(places)
	parts := append([]string{string(f.Guarantee), f.Tenant, f.Reason}, slices.Compact(places)...)
	return strings.Join(parts, "\x1e")
}

// fingerprint is an identity that fits into a report.
func fingerprint(f guarantee.Finding) string {
	sum := sha256.Sum256([]byte(Identity(f)))
	return hex.EncodeToString(sum[:16])
}
