package cilium

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	ipcachetypes "github.com/cilium/cilium/pkg/ipcache/types"
	"github.com/cilium/cilium/pkg/k8s"
	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slim "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	k8sutils "github.com/cilium/cilium/pkg/k8s/utils"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/labelsfilter"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	policyutils "github.com/cilium/cilium/pkg/policy/utils"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// clusterName is the name that Cilium has unless it is given another.
const clusterName = "default"

// Cluster is what both engines are asked about.
type Cluster struct {
	Namespaces []*corev1.Namespace
	Pods       []*corev1.Pod
	Policies   []*networkingv1.NetworkPolicy
	// Cilium are CiliumNetworkPolicies and CiliumClusterwideNetworkPolicies.
	Cilium []*unstructured.Unstructured
}

// Opinion is Cilium's policy engine with the policies and identities of a cluster.
type Opinion struct {
	repository *policy.Repository
	manager    identitymanager.IDManager
	logger     *slog.Logger
	pods       map[*corev1.Pod]*identity.Identity
	addresses  map[netip.Addr]*identity.Identity
	named      map[*corev1.Pod]types.NamedPortMap
	// Refused are the policies that Cilium does not take, with its reasons.
	Refused map[*unstructured.Unstructured]error
}

// setUp does once what an agent does when it starts: it fills tables of the process.
var setUp = sync.OnceValue(func() error {
	api.InitEntities(clusterName)
	return labelsfilter.ParseLabelPrefixCfg(slog.New(slog.DiscardHandler), nil, nil, "")
})

// NewOpinion gives a cluster to Cilium. The addresses are those outside the cluster that
// will be asked about.
func NewOpinion(c *Cluster, addresses []netip.Addr) (*Opinion, error) {
	if err := setUp(); err != nil {
		return nil, fmt.Errorf("set up Cilium: %w", err)
	}
	o := &Opinion{
		logger: slog.New(slog.DiscardHandler), Refused: map[*unstructured.Unstructured]error{},
		pods: map[*corev1.Pod]*identity.Identity{}, addresses: map[netip.Addr]*identity.Identity{}, named: map[*corev1.Pod]types.NamedPortMap{},
	}
	o.manager = identitymanager.NewIDManager(o.logger)
	o.repository = policy.NewPolicyRepository(o.logger, nil, nil, envoypolicy.NewEnvoyL7RulesTranslator(o.logger, nil), o.manager, noMetrics{})
	if err := o.identities(c, addresses); err != nil {
		return nil, err
	}
	return o, o.policies(c)
}

// identities gives each pod and each address one of its own.
func (o *Opinion) identities(c *Cluster, addresses []netip.Addr) error {
	namespaces := map[string]*corev1.Namespace{}
	for _, n := range c.Namespaces {
		namespaces[n.Name] = n
	}
	all := identity.IdentityMap{}
	ports := types.NewNamedPortMultiMap()
	for i, p := range c.Pods {
		id, err := o.identity(namespaces[p.Namespace], p, identity.NumericIdentity(1000+i))
		if err != nil {
			return err
		}
		o.pods[p] = id
		all[id.ID] = id.LabelArray
		o.named[p] = types.NamedPortMap{}
		for _, c := range p.Spec.Containers {
			for _, port := range c.Ports {
				if err := o.named[p].AddPort(port.Name, int(port.ContainerPort), string(port.Protocol)); err != nil {
					return fmt.Errorf("add named port of %s: %w", p.Name, err)
				}
			}
		}
		ports.Update(id.ID, nil, o.named[p])
	}
	for i, a := range addresses {
		id := identity.NewIdentity(identity.IdentityScopeLocal+identity.NumericIdentity(i+1),
			labels.GetCIDRLabels(netip.PrefixFrom(a, a.BitLen())))
		o.addresses[a] = id
		all[id.ID] = id.LabelArray
	}
	o.repository.SetNamedPortsGetter(namedPorts{ports})
	var done sync.WaitGroup
	o.repository.GetSelectorCache().UpdateIdentities(all, nil, &done)
	o.repository.GetSubjectSelectorCache().UpdateIdentities(all, nil, &done)
	done.Wait()
	return nil
}

// identity is a pod's: its labels, as the agent makes them; that of a pod on the host's
// network is its node's. All pods live on one node, and those on the host's network on
// another.
func (o *Opinion) identity(ns *corev1.Namespace, p *corev1.Pod, id identity.NumericIdentity) (*identity.Identity, error) {
	if ns == nil {
		return nil, fmt.Errorf("pod %s/%s has no namespace", p.Namespace, p.Name)
	}
	if p.Spec.HostNetwork {
		return identity.NewIdentity(identity.IdentityScopeRemoteNode+id,
			labels.Labels{labels.IDNameRemoteNode: labels.NewLabel(labels.IDNameRemoteNode, "", labels.LabelSourceReserved)}), nil
	}
	all := k8sutils.SanitizePodLabels(p.Labels, ns, p.Spec.ServiceAccountName, clusterName)
	kept, _ := labelsfilter.Filter(labels.Map2Labels(all, labels.LabelSourceK8s))
	return identity.NewIdentity(id, kept), nil
}

// policies gives all policies to the repository.
func (o *Opinion) policies(c *Cluster) error {
	for i, p := range c.Policies {
		in := &slim.NetworkPolicy{}
		if err := convert(p, in); err != nil {
			return err
		}
		entries, err := k8s.ParseNetworkPolicy(o.logger, clusterName, in)
		if err != nil {
			return fmt.Errorf("parse NetworkPolicy %s: %w", p.Name, err)
		}
		o.repository.ReplaceByResource(entries, ipcachetypes.ResourceID(fmt.Sprintf("np-%d", i)))
	}
	for i, u := range c.Cilium {
		entries, err := o.parse(u)
		if err != nil {
			o.Refused[u] = err
			continue
		}
		o.repository.ReplaceByResource(entries, ipcachetypes.ResourceID(fmt.Sprintf("cnp-%d", i)))
	}
	return nil
}

// parse reads a policy of Cilium's as its agent does.
func (o *Opinion) parse(u *unstructured.Unstructured) (policytypes.PolicyEntries, error) {
	in := &v2.CiliumNetworkPolicy{} // the agent reads cluster-wide ones as this, too
	if err := convert(u, in); err != nil {
		return nil, err
	}
	rules, err := in.Parse(o.logger, clusterName)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", u.GetName(), err)
	}
	return policyutils.RulesToPolicyEntries(rules), nil
}

func convert(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("write policy: %w", err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	return nil
}

// Flow is a connection to be judged: one end is a pod, the other a pod or an address.
type Flow struct {
	From, To       *corev1.Pod
	Source, Target netip.Addr
	Protocol       corev1.Protocol
	Port           int32
}

// Verdict is what each end's policies say.
type Verdict struct{ Egress, Ingress bool }

// Ask asks about one flow.
func (o *Opinion) Ask(f Flow) (Verdict, error) {
	proto, err := u8proto.ParseProtocol(string(f.Protocol))
	if err != nil {
		return Verdict{}, fmt.Errorf("parse protocol: %w", err)
	}
	flow := policytypes.Flow{From: o.end(f.From, f.Source), To: o.end(f.To, f.Target), Proto: proto, Dport: uint16(f.Port)}
	if flow.From == nil || flow.To == nil {
		return Verdict{}, errors.New("the flow has an end that Cilium was not told of")
	}
	flow.NamedPortsTCP, flow.NamedPortsUDP = map[string]uint16{}, map[string]uint16{}
	for name, p := range o.named[f.To] {
		switch p.Proto {
		case u8proto.TCP:
			flow.NamedPortsTCP[name] = p.Port
		case u8proto.UDP:
			flow.NamedPortsUDP[name] = p.Port
		}
	}
	result, _, _, err := policy.LookupFlow(o.logger, o.repository, o.manager, flow)
	if err != nil {
		return Verdict{}, fmt.Errorf("look up flow: %w", err)
	}
	return Verdict{result.Egress == policytypes.DecisionAllowed, result.Ingress == policytypes.DecisionAllowed}, nil
}

func (o *Opinion) end(p *corev1.Pod, a netip.Addr) *identity.Identity {
	if p != nil {
		return o.pods[p]
	}
	return o.addresses[a]
}

// namedPorts lends the repository the ports of all pods.
type namedPorts struct{ all types.NamedPortMultiMap }

// GetNamedPorts is policy.NamedPortsGetter.
func (n namedPorts) GetNamedPorts() types.NamedPortMultiMap { return n.all }

// noMetrics counts nothing.
type noMetrics struct{}

// AddRule is policytypes.PolicyMetrics.
func (noMetrics) AddRule(policytypes.PolicyEntry) {}

// DelRule is policytypes.PolicyMetrics.
func (noMetrics) DelRule(policytypes.PolicyEntry) {}
