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

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/snapshot/load"
)

// reachFlags are the flags of reach.
type reachFlags struct {
	folder, output, from, to string
	blocksMatchPods          bool
}

// newReachCommand prints who reaches whom under a folder's NetworkPolicies.
func newReachCommand(e *env) *cobra.Command {
	var flags reachFlags
	c := &cobra.Command{
		Use:   "reach -f DIR",
		Short: "Print what the NetworkPolicies of a folder let every pod reach",
		Long: `Print what the NetworkPolicies of a folder let every pod reach: other pods, and
addresses outside the cluster. Pairs that are not printed are closed.

The text form groups pods that no policy can tell apart; json and csv name every pod.
Exit code 2 means that something in the folder could not be read or judged.`,
		Example: `  watertight reach -f ./manifests
  watertight reach -f ./manifests --from shop/web --to shop/database -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReach(cmd, e, flags) },
	}
	c.Flags().StringVarP(&flags.folder, "filename", "f", "", "folder (or file) of manifests")
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text, json or csv")
	c.Flags().StringVar(&flags.from, "from", "", "only from this NAMESPACE/POD or NAMESPACE")
	c.Flags().StringVar(&flags.to, "to", "", "only to this NAMESPACE/POD, NAMESPACE or address")
	c.Flags().BoolVar(&flags.blocksMatchPods, "ip-blocks-match-pods", false,
		"let ipBlock rules match pods by their addresses, as some policy engines do")
	_ = c.MarkFlagRequired("filename") // fails only for a flag that does not exist
	return c
}

// reachWriters print connections in each output format.
var reachWriters = map[string]func(io.Writer, *netreach.Reach, reachFlags) error{
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
	r := netreach.New(s, netreach.Options{IPBlocksMatchPods: flags.blocksMatchPods})
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
	return nil
}

// reportUnread says what the answer leaves out, and how much of it matters.
func reportUnread(out io.Writer, s *snapshot.Snapshot, r *netreach.Reach) int {
	unread := 0
	for _, p := range s.Problems {
		level := "warning"
		if p.Stray {
			level = "note"
		} else {
			unread++
		}
		fmt.Fprintf(out, "%s: %s: %s\n", level, p.Source, p.Message)
	}
	for p, err := range r.Invalid {
		unread++
		fmt.Fprintf(out, "warning: NetworkPolicy %s/%s: %v\n", p.Namespace, p.Name, err)
	}
	for _, o := range netreach.Foreign(s) {
		unread++
		fmt.Fprintf(out, "warning: %s %s: policies of this kind are not judged yet\n", o.GetKind(), strings.Trim(o.GetNamespace()+"/"+o.GetName(), "/"))
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

// connections are those that the flags ask for.
func connections(r *netreach.Reach, flags reachFlags) func(func(netreach.Connection) bool) {
	return func(yield func(netreach.Connection) bool) {
		r.Connections(func(c netreach.Connection) bool {
			return !isEnd(c.From, flags.from) || !isEnd(c.To, flags.to) || yield(c)
		})
	}
}

// writeReachJSON prints one connection a line, so that large answers need no memory.
func writeReachJSON(out io.Writer, r *netreach.Reach, flags reachFlags) error {
	fmt.Fprint(out, `{"connections":[`)
	separator := "\n"
	for c := range connections(r, flags) {
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s%s", separator, line); err != nil {
			return err
		}
		separator = ",\n"
	}
	_, err := fmt.Fprintln(out, "\n]}")
	return err
}

// writeReachCSV prints a line per range of ports; every port of every protocol is "*".
func writeReachCSV(out io.Writer, r *netreach.Reach, flags reachFlags) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"from", "to", "protocol", "port", "endPort"}); err != nil {
		return err
	}
	for c := range connections(r, flags) {
		lines := [][]string{{c.From, c.To, "*", "1", "65535"}}
		if len(c.Ports) > 0 {
			lines = nil
		}
		for _, p := range c.Ports {
			lines = append(lines, []string{c.From, c.To, string(p.Protocol), fmt.Sprint(p.Port), fmt.Sprint(p.EndPort)})
		}
		if err := w.WriteAll(lines); err != nil {
			return err
		}
	}
	return w.Error()
}

// writeReachText prints a line per pair of classes.
func writeReachText(out io.Writer, r *netreach.Reach, flags reachFlags) error {
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tPORTS")
	for c := range r.Summary {
		if anyEnd(c.From, flags.from) && anyEnd(c.To, flags.to) {
			fmt.Fprintf(w, "%s\t%s\t%s\n", c.From.Name, c.To.Name, c.Ports)
		}
	}
	return w.Flush()
}

func anyEnd(group netreach.Group, wanted string) bool {
	for _, m := range group.Members {
		if isEnd(m, wanted) {
			return true
		}
	}
	return false
}
