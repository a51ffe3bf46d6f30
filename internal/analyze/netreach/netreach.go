package netreach

import (
	"fmt"
	"slices"
	"strings"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/analyze/netreach/engine"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{
	guarantee.NET1, guarantee.NET3, guarantee.NET4, guarantee.NET5, guarantee.NET6, guarantee.NET8,
}

// needed are the kinds without which none of them can be judged.
var needed = []string{
	"Tenant", "TenantClass", "Namespace", "NetworkPolicy", "Pod", "Deployment", "StatefulSet",
	"DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController", "AdminNetworkPolicy",
	"BaselineAdminNetworkPolicy", "ClusterNetworkPolicy", "CiliumNetworkPolicy",
	"CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy",
}

// Needed are the kinds without which it cannot be told who reaches whom.
func Needed() []string { return append(slices.Clone(needed), "Node") }

// Analyzer judges NET-1, NET-3, NET-4, NET-5, NET-6 and NET-8.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "netreach", Guarantees: slices.Clone(answered), Run: Run, Edges: Edges}
}

// judge holds what the judgements share.
type judge struct {
	snapshot     *snapshot.Snapshot
	plugin       Plugin
	engine       *engine.Engine
	declarations map[string]*declaration
	ledgers      map[string]*analyze.Ledger
	culprits     *culprits
	crowds       map[*engine.Crowd]*crowd
	charges      map[charged]int
	// undeclared are namespaces with pods that no manifest declares; nil until asked for.
	undeclared []string
	// reopening are the rules that NET-5 names.
	reopening map[*rules.Rule]bool
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	j := newJudge(s)
	for _, t := range s.Tenants {
		j.judgeFloor(t)
	}
	j.judgeFlows()
	j.judgeHosts()
	j.judgeOutside()
	j.judgeNodes()
	j.judgeLatent()
	j.culprits.report(j)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		l := j.ledgers[t.Name]
		j.doubts(l, t)
		j.grounds(l, t)
		findings = append(findings, l.Close(answered)...)
	}
	return findings
}

func newJudge(s *snapshot.Snapshot) *judge {
	plugin := DetectPlugin(s)
	j := &judge{
		snapshot: s, plugin: plugin, declarations: map[string]*declaration{}, ledgers: map[string]*analyze.Ledger{},
		culprits: newCulprits(), reopening: map[*rules.Rule]bool{}, crowds: map[*engine.Crowd]*crowd{},
		charges: map[charged]int{},
	}
	for _, t := range s.Tenants {
		j.declarations[t.Name] = declare(s, t)
		j.ledgers[t.Name] = analyze.NewLedger(s, t.Name)
	}
	options := plugin.Options
	options.Hypothetical, options.Keys = j.ghosts(), keys(s)
	j.engine = engine.New(s, options)
	return j
}

// doubts notes what keeps the judgements from being certain.
func (j *judge) doubts(l *analyze.Ledger, t *v1alpha1.Tenant) {
	closed := slices.DeleteFunc(slices.Clone(answered), func(id guarantee.ID) bool { return id == guarantee.NET6 })
	l.Needs(closed, needed...)
	l.Needs([]guarantee.ID{guarantee.NET6}, append(slices.Clone(needed), "Node")...)
	l.NeedsNamespaces(answered)
	if class := j.snapshot.ClassOf(t); class == nil {
		message := fmt.Sprintf("TenantClass %s of tenant %s does not exist: what it declares (DNS, ingress controllers, bounds) is unknown; create it or correct spec.className", t.Spec.ClassName, t.Name)
		for _, id := range answered {
			l.Doubt(id, "ClassNotFound", message, analyze.AboutTenant(j.snapshot, t.Name, "spec.className", t.Spec.ClassName))
		}
	}
	if why := j.plugin.Ignores; why != "" {
		for _, id := range answered {
			l.Doubt(id, "PluginIgnoresPolicies", why+": what the policies say is not what happens; a probe must try it")
		}
	}
	j.doubtUnread(l, t)
	j.doubtUndeclared(l)
	j.doubtSecondary(l)
}

// doubtUnread notes the policies that could not be read, wholly or in part.
func (j *judge) doubtUnread(l *analyze.Ledger, t *v1alpha1.Tenant) {
	var kinds []string
	var evidence []guarantee.Evidence
	for _, u := range j.engine.Unread {
		namespace := u.Object.GetNamespace()
		if namespace != "" && j.snapshot.TenantOf(namespace) != t.Name {
			continue
		}
		key := snapshot.KeyOf(u.Object)
		about := analyze.About(j.snapshot, u.Object, u.Field, u.Why)
		switch {
		case u.Field != "":
			for _, id := range answered {
				l.Doubt(id, "PolicyPartlyRead", fmt.Sprintf("%s has a part that is not understood (%s: %s): what it opens or closes is unknown", key, u.Field, u.Why), about)
			}
		case namespace != "" && key.Kind == "NetworkPolicy" && key.Group == "networking.k8s.io":
			for _, id := range answered {
				l.Doubt(id, "PolicyInvalid", fmt.Sprintf("%s cannot be read (%s): correct it", key, u.Why), about)
			}
		case !slices.Contains(kinds, key.Kind):
			kinds = append(kinds, key.Kind)
			evidence = append(evidence, about)
		}
	}
	if len(kinds) == 0 {
		return
	}
	for _, id := range answered {
		l.Doubt(id, "UnknownPolicyKind", fmt.Sprintf("policies of kind %s are there and could not be read (%s): what they open or close is unknown", strings.Join(kinds, ", "), evidence[0].Detail), evidence...)
	}
}

// grounds says what a guarantee rests on where nothing speaks against it.
func (j *judge) grounds(l *analyze.Ledger, t *v1alpha1.Tenant) {
	var evidence []guarantee.Evidence
	pods, policies := 0, 0
	for _, ns := range j.snapshot.NamespacesOf(t.Name) {
		pods += len(j.snapshot.PodsIn(ns))
		in := j.engine.PoliciesIn(ns)
		policies += len(in)
		for _, p := range in {
			if p.Subject.Labels.Empty() && p.Isolates[rules.Ingress] && p.Isolates[rules.Egress] {
				evidence = append(evidence, analyze.About(j.snapshot, p.Object, "spec.podSelector", "isolates every pod of "+ns))
				break
			}
		}
	}
	rests := fmt.Sprintf("by the %d network policies of its %d namespaces, for its %d pods", policies, len(j.snapshot.NamespacesOf(t.Name)), pods)
	if pods == 0 {
		rests += " (none exist yet) and for any that it may create"
	}
	rests += j.plugin.clause()
	l.Hold(guarantee.NET1, "Isolated", "no undeclared traffic between tenant "+t.Name+" and another is possible "+rests, evidence...)
	l.Hold(guarantee.NET3, "DeclaredOnly", "between its namespaces only declared flows are open "+rests, evidence...)
	l.Hold(guarantee.NET4, "DeclaredOnly", "egress is open only as declared, and not to metadata addresses, "+rests, evidence...)
	l.Hold(guarantee.NET5, "FloorInPlace", "every namespace denies by default, no rule reopens it, and the guard refuses such rules", evidence...)
	l.Hold(guarantee.NET6, "NodesClosed", "no rule lets its pods open connections to nodes "+rests, evidence...)
	l.Hold(guarantee.NET8, "NoLatentAllow", "every rule that admits or reaches another namespace has its other half "+rests, evidence...)
}
