package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/snapshot"
)

// networkPlugin is the flag that says which network plugin enforces policies, where its
// agents are not in the picture or mislead.
type networkPlugin struct {
	name string
}

func (p *networkPlugin) addFlag(f *pflag.FlagSet) {
	var forms []string
	for _, a := range netreach.PluginAnswers() {
		forms = append(forms, fmt.Sprintf("%s (%s)", a[0], a[1]))
	}
	f.StringVar(&p.name, "network-plugin", "", "network plugin that enforces policies, where plugins differ (default: the one whose agents are seen): "+
		strings.Join(forms, ", ")+". A node reaches the pods that it runs under each of them")
}

// check refuses a name that nothing is known of.
func (p *networkPlugin) check() error {
	if p.name == "" {
		return nil
	}
	var names []string
	for _, a := range netreach.PluginAnswers() {
		if a[0] == p.name {
			return nil
		}
		names = append(names, a[0])
	}
	return fmt.Errorf("--network-plugin %q is unknown; it is one of %s", p.name, strings.Join(names, ", "))
}

// apply returns the snapshot with what the flag says; without it a bundle keeps what was
// said when it was saved.
func (p *networkPlugin) apply(s *snapshot.Snapshot) *snapshot.Snapshot {
	if p.name == "" {
		return s
	}
	return s.WithNetworkPlugin(p.name)
}

// pluginNotes say what keeps the network plugin from being known, or policies from
// having an effect.
func pluginNotes(s *snapshot.Snapshot) []string {
	var notes []string
	plugin := netreach.DetectPlugin(s)
	if plugin.Note != "" {
		notes = append(notes, plugin.Note)
	}
	if plugin.Ignores != "" {
		notes = append(notes, plugin.Ignores+": what the policies say is not what happens")
	}
	return notes
}
