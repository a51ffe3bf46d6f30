package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"watertight.dev/watertight/internal/snapshot"
)

// tenancy is the flag that says who is a tenant where there are no Tenants.
type tenancy struct {
	texts []string
}

// addFlag adds --tenancy. Its help says what follows from it.
func (t *tenancy) addFlag(f *pflag.FlagSet) {
	var forms []string
	for _, form := range snapshot.Mappings() {
		forms = append(forms, fmt.Sprintf("%s (%s)", form[0], form[1]))
	}
	f.StringArrayVar(&t.texts, "tenancy", nil, "who is a tenant where there is no Tenant; may be given several times, and Tenants have the last word: "+
		strings.Join(forms, ", ")+". For such a tenant nothing is compiled and nothing declared, so flows, the floor, budgets and allowed classes are not promised (\"-\"); the rest is judged, pods by Pod Security baseline")
}

// mappings reads the flag.
func (t *tenancy) mappings() ([]snapshot.Mapping, error) {
	var out []snapshot.Mapping
	for _, text := range t.texts {
		m, err := snapshot.ParseMapping(text)
		if err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
		out = append(out, m)
	}
	return out, nil
}

// apply returns the snapshot with the tenants that the flag names; an error is a mistake
// of the command line.
func (t *tenancy) apply(s *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	mappings, err := t.mappings()
	if err != nil {
		return nil, err
	}
	return s.WithTenancy(mappings...), nil
}
