package cli

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/verify"
)

// reachFlags are the flags of reach.
type reachFlags struct {
	subject
	output, from, to                 string
	blocksMatchPods, nodeLocalExempt bool
}

// newReachCommand prints who reaches whom under the network policies.
func newReachCommand(e *env) *cobra.Command {
	flags := reachFlags{subject: subject{err: e.err}}
	c := &cobra.Command{
		Use:   "reach [-f DIR]",
		Short: "Print what the network policies let every pod reach",
		Long: `Print what the network policies let every pod reach: other pods, and addresses outside
the cluster. Pairs that are not printed are closed. It reads NetworkPolicy,
AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy, CiliumNetworkPolicy
and CiliumClusterwideNetworkPolicy, as they are: not what Tenants would be compiled into.

What cannot be told is printed apart ("perhaps" in text, "unknown" in json and csv): a rule
about HTTP requests or domain names, a block that may match pods. Network plugins differ in
two questions. The plugin whose agents are seen answers them, or the one that
--network-plugin names, or a flag for each question, which counts before both.

The text form groups pods that no policy can tell apart; json and csv name every pod.
Exit code 2 means that something could not be read or told.`,
		Example: `  # the cluster of the current kubeconfig context
  watertight reach --from shop --to 169.254.169.254

  # everything that comes to a tenant
  watertight reach --to tenant=acme -f examples/shop

  watertight reach -f ./manifests --from shop/web --to shop/database -o json --network-plugin calico`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReach(cmd, e, flags) },
	}
	f := c.Flags()
	flags.addPictureFlags(f)
	f.StringVarP(&flags.output, "output", "o", "text", "text, json or csv")
	f.StringVar(&flags.from, "from", "", "only from this NAMESPACE/POD, NAMESPACE or tenant=NAME")
	f.StringVar(&flags.to, "to", "", "only to this NAMESPACE/POD, NAMESPACE, tenant=NAME or address")
	addPluginFlags(f, &flags)
	return c
}

// addPluginFlags adds the questions on which network plugins differ.
func addPluginFlags(f *pflag.FlagSet, flags *reachFlags) {
	f.BoolVar(&flags.blocksMatchPods, "ip-blocks-match-pods", false,
		"whether ipBlock rules match pods by their addresses, as many plugins have it and Cilium does not (default: by the plugin that is seen, else unknown)")
	f.BoolVar(&flags.nodeLocalExempt, "node-local-exempt", true,
		"whether a node always reaches the pods that it runs")
}

// choose answers those questions: by a flag that was given, or by the plugin.
func (flags *reachFlags) choose(f *pflag.FlagSet, plugin netreach.Plugin) engine.Options {
	options := plugin.Options
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
var reachWriters = map[string]func(io.Writer, *engine.Engine, reachEnds) error{
	"text": writeReachText,
	"json": writeReachJSON,
	"csv":  writeReachCSV,
}

func runReach(cmd *cobra.Command, e *env, flags reachFlags) error {
	write, ok := reachWriters[flags.output]
	if !ok {
		return fmt.Errorf("unknown output format %q: use text, json or csv", flags.output)
	}
	if err := flags.check(); err != nil {
		return err
	}
	in, err := flags.input(cmd.Context())
	if err != nil {
		return err
	}
	s := in.Snapshot
	ends, err := reachEndsOf(s, flags.from, flags.to, in.Source)
	if err != nil {
		return err
	}
	plugin := netreach.DetectPlugin(s)
	r := engine.New(s, flags.choose(cmd.Flags(), plugin))
	out := bufio.NewWriter(e.out)
	if err := write(out, r, ends); err != nil {
		return cannotTell(fmt.Errorf("write connections: %w", err))
	}
	if err := out.Flush(); err != nil {
		return cannotTell(fmt.Errorf("write connections: %w", err))
	}
	for _, note := range append(pluginNotes(s), s.TenancyNotes()...) {
		fmt.Fprintf(e.err, "note: %s\n", verify.Clean(note))
	}
	if unread := reportUnread(e.err, s, r); unread > 0 {
		return cannotTell(fmt.Errorf("%d inputs could not be read or judged (named above): what they would open or close is not in the answer", unread))
	}
	if plugin.Ignores != "" {
		return cannotTell(errors.New(plugin.Ignores + ": say --network-plugin where another does"))
	}
	for c := range ends.wanted(r.Perhaps) {
		return cannotTell(fmt.Errorf("of some connections it cannot be told whether they are allowed (the first: %s to %s); where that is for ipBlocks, say --ip-blocks-match-pods=true or =false, or --network-plugin", c.From, c.To))
	}
	return nil
}

// reportUnread says what the answer leaves out, and how much of it matters.
func reportUnread(out io.Writer, s *snapshot.Snapshot, r *engine.Engine) int {
	unread := 0
	matters := s.Missing(netreach.Needed()...)
	for _, p := range s.Problems {
		level := "warning"
		// Of a cluster it is known which kinds a problem hides.
		if p.Stray || s.Origin == snapshot.OriginLive && !slices.Contains(matters, p) {
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

// writeReachJSON prints one connection a line, so that large answers need no memory.
func writeReachJSON(out io.Writer, r *engine.Engine, ends reachEnds) error {
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
		for c := range ends.wanted(part.all) {
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
func writeReachCSV(out io.Writer, r *engine.Engine, ends reachEnds) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"from", "to", "protocol", "port", "endPort", "verdict"}); err != nil {
		return err
	}
	for c := range ends.wanted(r.Connections) {
		if err := w.WriteAll(csvLines(c, "allowed")); err != nil {
			return err
		}
	}
	for c := range ends.wanted(r.Perhaps) {
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
func writeReachText(out io.Writer, r *engine.Engine, ends reachEnds) error {
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tPORTS")
	for c := range r.Summary {
		if !ends.from.any(c.From) || !ends.to.any(c.To) {
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
