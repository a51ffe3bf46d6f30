package cli

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
	"watertight.dev/watertight/internal/verify"
)

// reachFlags are the flags of reach.
type reachFlags struct {
	folder, output, from, to         string
	blocksMatchPods, nodeLocalExempt bool
	plugin                           netreach.Plugin
}

// newReachCommand prints who reaches whom under a folder's network policies.
func newReachCommand(e *env) *cobra.Command {
	var flags reachFlags
	c := &cobra.Command{
		Use:   "reach -f DIR",
		Short: "Print what the network policies of a folder let every pod reach",
		Long: `Print what the network policies of a folder let every pod reach: other pods, and
addresses outside the cluster. Pairs that are not printed are closed. It reads NetworkPolicy,
AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy, CiliumNetworkPolicy
and CiliumClusterwideNetworkPolicy.

What cannot be told is printed apart ("perhaps" in text, "unknown" in json and csv): a rule
about HTTP requests or domain names, a block that may match pods. Network plugins differ in
two questions, which flags answer where the plugin is not among the manifests.

The text form groups pods that no policy can tell apart; json and csv name every pod.
Exit code 2 means that something could not be read or told.`,
		Example: `  watertight reach -f ./manifests
  watertight reach -f ./manifests --from shop/web --to shop/database -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReach(cmd, e, flags) },
	}
	c.Flags().StringVarP(&flags.folder, "filename", "f", "", "folder (or file) of manifests")
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text, json or csv")
	c.Flags().StringVar(&flags.from, "from", "", "only from this NAMESPACE/POD or NAMESPACE")
	c.Flags().StringVar(&flags.to, "to", "", "only to this NAMESPACE/POD, NAMESPACE or address")
	addPluginFlags(c.Flags(), &flags)
	_ = c.MarkFlagRequired("filename") // fails only for a flag that does not exist
	return c
}

// addPluginFlags adds the questions on which network plugins differ.
func addPluginFlags(f *pflag.FlagSet, flags *reachFlags) {
	f.BoolVar(&flags.blocksMatchPods, "ip-blocks-match-pods", false,
		"whether ipBlock rules match pods by their addresses, as many plugins have it and Cilium does not (default: by the plugin that is seen, else unknown)")
	f.BoolVar(&flags.nodeLocalExempt, "node-local-exempt", true,
		"whether a node always reaches the pods that it runs")
}

// choose answers those questions: by a flag that was given, or by the plugin that is seen.
func (flags *reachFlags) choose(f *pflag.FlagSet, s *snapshot.Snapshot) engine.Options {
	flags.plugin = netreach.DetectPlugin(s)
	options := flags.plugin.Options
	for name, mode := range map[string]*engine.Mode{
		"ip-blocks-match-pods": &options.BlocksMatchPods, "node-local-exempt": &options.NodeLocalExempt,
	} {
		if !f.Changed(name) {
			continue
		}
		*mode = engine.No
		if yes, _ := f.GetBool(name); yes {
			*mode = engine.Yes
		}
	}
	return options
}

// reachWriters print connections in each output format.
var reachWriters = map[string]func(io.Writer, *engine.Engine, reachFlags) error{
	"text": writeReachText,
	"json": writeReachJSON,
	"csv":  writeReachCSV,
}

func runReach(cmd *cobra.Command, e *env, flags reachFlags) error {
	write, ok := reachWriters[flags.output]
	if !ok {
		return fmt.Errorf("unknown output format %q: use text, json or csv", flags.output)
	}
	s, err := load.Folder(cmd.Context(), flags.folder)
	if err != nil {
		return cannotTell(err)
	}
	r := engine.New(s, flags.choose(cmd.Flags(), s))
	for _, end := range []string{flags.from, flags.to} {
		if !knownEnd(s, end) {
			return fmt.Errorf("find %q: no such pod or namespace in %s", end, flags.folder)
		}
	}
	out := bufio.NewWriter(e.out)
	if err := write(out, r, flags); err != nil {
		return cannotTell(fmt.Errorf("write connections: %w", err))
	}
	if err := out.Flush(); err != nil {
		return cannotTell(fmt.Errorf("write connections: %w", err))
	}
	if unread := reportUnread(e.err, s, r); unread > 0 {
		return cannotTell(fmt.Errorf("%d inputs could not be read or judged (named above): what they would open or close is not in the answer", unread))
	}
	for c := range wanted(r.Perhaps, flags) {
		return cannotTell(fmt.Errorf("of some connections it cannot be told whether they are allowed (the first: %s to %s); where that is for ipBlocks, say --ip-blocks-match-pods=true or =false", c.From, c.To))
	}
	return nil
}

// reportUnread says what the answer leaves out, and how much of it matters.
func reportUnread(out io.Writer, s *snapshot.Snapshot, r *engine.Engine) int {
	unread := 0
	for _, p := range s.Problems {
		level := "warning"
		if p.Stray {
			level = "note"
		} else {
			unread++
		}
		fmt.Fprintf(out, "%s: %s: %s\n", level, verify.Clean(p.Source), verify.Clean(p.Message))
	}
	for _, u := range r.Unread {
		unread++
		at := strings.TrimSpace(snapshot.KeyOf(u.Object).String() + " " + u.Field)
		fmt.Fprintf(out, "warning: %s: %s\n", verify.Clean(at), verify.Clean(u.Why))
	}
	return unread
}

// knownEnd reports whether a filter names something: an address always does.
func knownEnd(s *snapshot.Snapshot, end string) bool {
	namespace, pod, isPod := strings.Cut(end, "/")
	if _, err := netip.ParseAddr(end); err == nil || end == "" {
		return true
	}
	if _, err := netip.ParsePrefix(end); err == nil {
		return true
	}
	for _, p := range s.PodsIn(namespace) {
		if !isPod || p.Name == pod {
			return true
		}
	}
	return false
}

// isEnd reports whether an end ("namespace/pod" or a CIDR) is the one that was asked for.
func isEnd(end, wanted string) bool {
	if wanted == "" || end == wanted || strings.HasPrefix(end, wanted+"/") {
		return true
	}
	address, err := netip.ParseAddr(wanted)
	block, blockErr := netip.ParsePrefix(end)
	return err == nil && blockErr == nil && block.Contains(address)
}

// wanted are those connections that the flags ask for.
func wanted(all func(func(engine.Connection) bool), flags reachFlags) func(func(engine.Connection) bool) {
	return func(yield func(engine.Connection) bool) {
		all(func(c engine.Connection) bool {
			return !isEnd(c.From, flags.from) || !isEnd(c.To, flags.to) || yield(c)
		})
	}
}

// writeReachJSON prints one connection a line, so that large answers need no memory.
func writeReachJSON(out io.Writer, r *engine.Engine, flags reachFlags) error {
	fmt.Fprint(out, "{")
	for i, part := range []struct {
		name string
		all  func(func(engine.Connection) bool)
	}{{"connections", r.Connections}, {"unknown", r.Perhaps}} {
		separator := "\n"
		if i > 0 {
			fmt.Fprint(out, ",\n")
		}
		fmt.Fprintf(out, "%q:[", part.name)
		for c := range wanted(part.all, flags) {
			line, err := json.Marshal(c)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s%s", separator, line); err != nil {
				return err
			}
			separator = ",\n"
		}
		fmt.Fprint(out, "\n]")
	}
	_, err := fmt.Fprintln(out, "}")
	return err
}

// writeReachCSV prints a line per range of ports; every port of every protocol is "*".
func writeReachCSV(out io.Writer, r *engine.Engine, flags reachFlags) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"from", "to", "protocol", "port", "endPort", "verdict"}); err != nil {
		return err
	}
	for c := range wanted(r.Connections, flags) {
		if err := w.WriteAll(csvLines(c, "allowed")); err != nil {
			return err
		}
	}
	for c := range wanted(r.Perhaps, flags) {
		if err := w.WriteAll(csvLines(c, "unknown")); err != nil {
			return err
		}
	}
	return w.Error()
}

func csvLines(c engine.Connection, verdict string) [][]string {
	if len(c.Ports) == 0 {
		return [][]string{{c.From, c.To, "*", "1", "65535", verdict}}
	}
	var lines [][]string
	for _, p := range c.Ports {
		lines = append(lines, []string{c.From, c.To, string(p.Protocol), fmt.Sprint(p.Port), fmt.Sprint(p.EndPort), verdict})
	}
	return lines
}

// writeReachText prints a line per pair of groups.
func writeReachText(out io.Writer, r *engine.Engine, flags reachFlags) error {
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tPORTS")
	for c := range r.Summary {
		if !anyEnd(c.From, flags.from) || !anyEnd(c.To, flags.to) {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", verify.Clean(c.From.Name), verify.Clean(c.To.Name), portsText(c.Reach))
	}
	return w.Flush()
}

// portsText prints ports, and those of which it cannot be told.
func portsText(r engine.Reach) string {
	perhaps := r.Possible.Minus(r.Sure)
	switch {
	case perhaps.Empty():
		return r.Sure.String()
	case r.Sure.Empty():
		return "perhaps " + perhaps.String()
	}
	return r.Sure.String() + ", perhaps " + perhaps.String()
}

func anyEnd(end engine.End, wanted string) bool {
	if wanted == "" {
		return true
	}
	for name := range end.Members {
		if isEnd(name, wanted) {
			return true
		}
	}
	return false
}
