package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/netreach"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
	"watertight.dev/watertight/internal/verify"
)

// flowFlags are the flags of explain flow.
type flowFlags struct {
	port     int32
	protocol string
	output   string
}

// newExplainFlowCommand makes "watertight explain flow".
func newExplainFlowCommand(e *env) *cobra.Command {
	s := subject{err: e.err}
	var flags flowFlags
	c := &cobra.Command{
		Use:   "flow FROM TO",
		Short: "Say why one pod may, or may not, open connections to another",
		Long: `Say which policies select each end, which rule allows or denies, or that none does, tier
by tier, and the smallest change that would turn the answer into its opposite.

An end is NAMESPACE/POD (or the name of a workload, or NAMESPACE where it has one pod), or
an address outside the cluster. A folder is explained together with what Watertight makes
of the Tenants in it.

The exit code is 0 where the answer is certain, and 2 where it cannot be told.`,
		Example: `  watertight explain flow acme-frontend/frontend acme-backend/backend -f examples/shop
  watertight explain flow acme-backend/backend acme-database/database --port 5432 -f examples/shop
  watertight explain flow shop/web 169.254.169.254`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ports, err := flags.ports()
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return err
			}
			return runExplainFlow(cmd.Context(), e, &s, flowQuestion{args[0], args[1], ports, flags.output})
		},
	}
	s.addPictureFlags(c.Flags())
	c.Flags().Int32Var(&flags.port, "port", 0, "port of the receiver (default: every port)")
	c.Flags().StringVar(&flags.protocol, "protocol", "TCP", "TCP, UDP or SCTP; it counts with --port")
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text or json")
	return c
}

// ports are those that the flags ask about.
func (f *flowFlags) ports() (netset.Ports, error) {
	protocol := corev1.Protocol(strings.ToUpper(f.protocol))
	switch {
	case f.output != "text" && f.output != "json":
		return netset.Ports{}, fmt.Errorf("-o %s is unknown; it is one of text, json", f.output)
	case f.port < 0 || f.port > netset.LastPort:
		return netset.Ports{}, fmt.Errorf("--port %d is none: give one from 1 to %d", f.port, netset.LastPort)
	case protocol != corev1.ProtocolTCP && protocol != corev1.ProtocolUDP && protocol != corev1.ProtocolSCTP:
		return netset.Ports{}, fmt.Errorf("--protocol %s is unknown; it is one of TCP, UDP, SCTP", f.protocol)
	case f.port == 0:
		return netset.AllPorts(), nil
	}
	return netset.PortsOf(protocol, f.port, f.port), nil
}

// flowQuestion is what is asked.
type flowQuestion struct {
	from, to string
	ports    netset.Ports
	output   string
}

func runExplainFlow(ctx context.Context, e *env, s *subject, q flowQuestion) error {
	in, err := s.input(ctx)
	if err != nil {
		return err
	}
	picture, err := verify.Picture(in)
	if err != nil {
		return cannotTell(err)
	}
	told, err := explainFlow(picture, q)
	if err != nil {
		return err
	}
	if q.output == "json" {
		encoder := json.NewEncoder(e.out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(told.document())
	} else {
		err = told.write(e.out)
	}
	switch {
	case err != nil:
		return cannotTell(err)
	case told.plugin.Ignores != "":
		return cannotTell(errors.New(told.plugin.Ignores + ": what the policies say is not what happens"))
	case !told.Reach.Sure.Equal(told.Reach.Possible):
		return &exitError{code: exitUnknown}
	case len(told.unread) > 0:
		return cannotTell(fmt.Errorf("%d policies could not be read (named above): what they would open or close is not in the answer", len(told.unread)))
	}
	return nil
}

// explainedFlow is an answer with what was asked.
type explainedFlow struct {
	engine.Explanation
	question flowQuestion
	plugin   netreach.Plugin
	unread   []engine.Unread
	flip     []engine.Change
}

func explainFlow(s *snapshot.Snapshot, q flowQuestion) (explainedFlow, error) {
	from, fromAddress, err := flowEnd(s, q.from)
	if err != nil {
		return explainedFlow{}, err
	}
	to, toAddress, err := flowEnd(s, q.to)
	if err != nil {
		return explainedFlow{}, err
	}
	plugin := netreach.DetectPlugin(s)
	answers := engine.New(s, plugin.Options)
	out := explainedFlow{question: q, plugin: plugin, unread: answers.Unread}
	switch {
	case from == nil && to == nil:
		return out, errors.New("both ends are addresses outside the cluster: name a pod (NAMESPACE/POD) for one of them")
	case from == nil:
		out.Explanation = answers.ExplainAddress(rules.Ingress, to, fromAddress, q.ports)
	case to == nil:
		out.Explanation = answers.ExplainAddress(rules.Egress, from, toAddress, q.ports)
	case from == to:
		return out, fmt.Errorf("%s is both ends, and a pod always reaches itself", q.from)
	default:
		out.Explanation = answers.Explain(from, to, q.ports)
	}
	out.flip = out.Flip(q.ports)
	return out, nil
}

// flowEnd finds a pod, or reads an address.
func flowEnd(s *snapshot.Snapshot, text string) (*corev1.Pod, netip.Addr, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return nil, a, nil
	}
	namespace, name, named := strings.Cut(text, "/")
	var near []string
	var found []*corev1.Pod
	for _, p := range s.PodsIn(namespace) {
		near = append(near, namespace+"/"+p.Name)
		switch {
		case named && p.Name == name:
			return p, netip.Addr{}, nil
		case !named, strings.HasPrefix(p.Name, name+"-") || snapshot.KeyOf(p).Name == name:
			found = append(found, p)
		}
	}
	switch {
	case named && len(found) > 0 || len(found) == 1:
		return found[0], netip.Addr{}, nil
	case len(near) == 0:
		return nil, netip.Addr{}, fmt.Errorf("find %q: namespace %q has no pods here (ends are NAMESPACE/POD, or addresses)", text, namespace)
	case len(found) > 1:
		return nil, netip.Addr{}, fmt.Errorf("%q has several pods: name one of %s", text, list(near))
	}
	return nil, netip.Addr{}, fmt.Errorf("find %q: no such pod; namespace %s has %s", text, namespace, list(near))
}

// list names the first few.
func list(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
