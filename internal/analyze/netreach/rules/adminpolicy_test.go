package rules

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/yaml"
)

const (
	adminHead    = "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: p}\n"
	baselineHead = "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: default}\n"
)

func TestAdminSpec(t *testing.T) {
	runTierCases(t, (*Reader).AdminNetworkPolicy, adminHead, []tierCase{
		{name: "the whole of it", yaml: "spec: {priority: 3, subject: {pods: {namespaceSelector: {matchLabels: {team: a}}, podSelector: {}}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}",
			want: "admin 3 on every pod in namespaces team=a\ningress spec.ingress[0] pass {every pod in every namespace}"},
		{name: "no priority", yaml: "spec: {subject: {namespaces: {}}}", err: "spec.priority is missing"},
		{name: "a priority that is too low", yaml: "spec: {priority: 1001, subject: {namespaces: {}}}", err: "spec.priority is 1001"},
		{name: "a tier is of another kind", yaml: "spec: {priority: 3, tier: Baseline, subject: {namespaces: {}}}",
			want: "admin 3 on every pod in every namespace\ndoubt spec.tier: not known in AdminNetworkPolicy of policy.networking.k8s.io/v1alpha1"},
		{name: "an action of another kind", yaml: "spec: {priority: 3, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}", err: `spec.ingress[0].action is "Accept": use one of Allow, Deny, Pass`},
	})
	runTierCases(t, (*Reader).AdminNetworkPolicy, baselineHead, []tierCase{
		{name: "the baseline has no priority", yaml: "spec: {subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}",
			want: "baseline 0 on every pod in every namespace\negress spec.egress[0] deny {0.0.0.0/0 and its pods}"},
		{name: "and does not take one", yaml: "spec: {priority: 3, subject: {namespaces: {}}}",
			want: "baseline 0 on every pod in every namespace\ndoubt spec.priority: not known in BaselineAdminNetworkPolicy of policy.networking.k8s.io/v1alpha1"},
		{name: "and nowhere to pass to", yaml: "spec: {subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}", err: `spec.ingress[0].action is "Pass": use one of Allow, Deny`},
		{name: "and no domain names", yaml: "spec: {subject: {namespaces: {}}, egress: [{action: Allow, to: [{domainNames: [a.example]}]}]}",
			want: "baseline 0 on every pod in every namespace\negress spec.egress[0] allow {unknown spec.egress[0].to[0].domainNames: not known in BaselineAdminNetworkPolicy of policy.networking.k8s.io/v1alpha1} unsure: spec.egress[0].to[0].domainNames: not known in BaselineAdminNetworkPolicy of policy.networking.k8s.io/v1alpha1"},
	})
}

func TestAdminHeads(t *testing.T) {
	spec := "spec: {priority: 3, subject: {namespaces: {}}}"
	for _, c := range []struct{ name, yaml, err string }{
		{"a newer version", strings.Replace(adminHead, "v1alpha1", "v1alpha2", 1) + spec, "AdminNetworkPolicy is read in policy.networking.k8s.io/v1alpha1"},
		{"a baseline of another name", strings.Replace(baselineHead, "default", "other", 1) + spec, `metadata.name is "other"`},
		{"another kind", strings.Replace(adminHead, "AdminNetworkPolicy", "ClusterNetworkPolicy", 1) + spec, `kind is "ClusterNetworkPolicy"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewReader().AdminNetworkPolicy(policyOf(t, c.yaml)); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one that says %q", err, c.err)
			}
		})
	}
}

func TestAdminPorts(t *testing.T) {
	in := func(ports string) string {
		return "spec: {priority: 3, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}], ports: [" + ports + "]}]}"
	}
	const rule = "ingress spec.ingress[0] allow {every pod in every namespace}"
	runTierCases(t, (*Reader).AdminNetworkPolicy, adminHead, []tierCase{
		{name: "the protocol is TCP unless it is named", yaml: in("{portNumber: {port: 80}}, {portNumber: {protocol: UDP, port: 53}}, {portRange: {start: 1, end: 2}}, {portRange: {protocol: SCTP, start: 8, end: 9}}"),
			want: rule + " (TCP 80) (UDP 53) (TCP 1-2) (SCTP 8-9)"},
		{name: "a named port", yaml: in("{namedPort: web}"), want: rule + " (TCP web) (UDP web) (SCTP web)"},
		{name: "a protocol that no policy knows", yaml: in("{portNumber: {protocol: ICMP, port: 80}}"),
			want: rule + " unsure: spec.ingress[0].ports[0].portNumber.protocol: not known in AdminNetworkPolicy of policy.networking.k8s.io/v1alpha1"},
		{name: "a port without a field", yaml: in("{}"), want: rule + " unsure: spec.ingress[0].ports[0]: not known in AdminNetworkPolicy of policy.networking.k8s.io/v1alpha1"},
		{name: "no ports", yaml: in(""), err: "spec.ingress[0].ports is empty"},
		{name: "no number", yaml: in("{portNumber: {protocol: TCP}}"), err: "portNumber.port is missing"},
		{name: "a number that is a name", yaml: in("{portNumber: {port: web}}"), err: "portNumber.port is a string: write a whole number"},
		{name: "a range from high to low", yaml: in("{portRange: {start: 9, end: 8}}"), err: "starts at 9 and ends at 8"},
		{name: "two in one", yaml: in("{namedPort: web, portNumber: {port: 80}}"), err: "ports[0]: set only one of"},
	})
}

// Everything that the typed API can write is known: none of it is a doubt.
func TestAdminKnowsTheAPI(t *testing.T) {
	all := &metav1.LabelSelector{}
	pods, name := &policyv1alpha1.NamespacedPod{}, "web"
	ports := &[]policyv1alpha1.AdminNetworkPolicyPort{
		{PortNumber: &policyv1alpha1.Port{Protocol: corev1.ProtocolTCP, Port: 80}},
		{PortRange: &policyv1alpha1.PortRange{Protocol: corev1.ProtocolUDP, Start: 1, End: 2}},
	}
	named := &[]policyv1alpha1.AdminNetworkPolicyPort{{NamedPort: &name}}
	from := []policyv1alpha1.AdminNetworkPolicyIngressPeer{{Namespaces: all}, {Pods: pods}}
	admin := &policyv1alpha1.AdminNetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: adminVersion, Kind: "AdminNetworkPolicy"}, ObjectMeta: metav1.ObjectMeta{Name: "all"},
		Spec: policyv1alpha1.AdminNetworkPolicySpec{
			Priority: 9, Subject: policyv1alpha1.AdminNetworkPolicySubject{Pods: pods},
			Ingress: []policyv1alpha1.AdminNetworkPolicyIngressRule{{Name: "in", Action: policyv1alpha1.AdminNetworkPolicyRuleActionDeny, From: from, Ports: named}},
			Egress: []policyv1alpha1.AdminNetworkPolicyEgressRule{{Name: "out", Action: policyv1alpha1.AdminNetworkPolicyRuleActionAllow, Ports: ports,
				To: []policyv1alpha1.AdminNetworkPolicyEgressPeer{{Namespaces: all}, {Pods: pods}, {Nodes: all}, {Networks: []policyv1alpha1.CIDR{"::/0"}}, {DomainNames: []policyv1alpha1.DomainName{"a.example"}}}}},
		},
	}
	baseline := &policyv1alpha1.BaselineAdminNetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: adminVersion, Kind: "BaselineAdminNetworkPolicy"}, ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: policyv1alpha1.BaselineAdminNetworkPolicySpec{
			Subject: policyv1alpha1.AdminNetworkPolicySubject{Namespaces: all},
			Ingress: []policyv1alpha1.BaselineAdminNetworkPolicyIngressRule{{Name: "in", Action: policyv1alpha1.BaselineAdminNetworkPolicyRuleActionAllow, From: from, Ports: ports}},
			Egress: []policyv1alpha1.BaselineAdminNetworkPolicyEgressRule{{Name: "out", Action: policyv1alpha1.BaselineAdminNetworkPolicyRuleActionDeny, Ports: ports,
				To: []policyv1alpha1.BaselineAdminNetworkPolicyEgressPeer{{Namespaces: all}, {Pods: pods}, {Nodes: all}, {Networks: []policyv1alpha1.CIDR{"::/0"}}}}},
		},
	}
	const pod = "{every pod in every namespace} {every pod in every namespace}"
	for _, c := range []struct {
		object any
		want   string
	}{
		{admin, `admin 9 on every pod in every namespace
			ingress spec.ingress[0] deny ` + pod + ` (TCP web) (UDP web) (SCTP web)
			egress spec.egress[0] allow ` + pod + ` {nodes } {::/0 and its pods} {unknown spec.egress[0].to[4].domainNames: nobody knows which addresses ["a.example"] have} (TCP 80) (UDP 1-2)`},
		{baseline, `baseline 0 on every pod in every namespace
			ingress spec.ingress[0] allow ` + pod + ` (TCP 80) (UDP 1-2)
			egress spec.egress[0] deny ` + pod + ` {nodes } {::/0 and its pods} (TCP 80) (UDP 1-2)`},
	} {
		read, err := NewReader().AdminNetworkPolicy(untyped(t, c.object))
		if err != nil {
			t.Fatal(err)
		}
		if got := tidy(describe(read)); got != tidy(c.want) {
			t.Errorf("read\n%s\nwant\n%s", got, tidy(c.want))
		}
	}
}

func FuzzAdminNetworkPolicy(f *testing.F) {
	fuzzTier(f, (*Reader).AdminNetworkPolicy, adminHead, baselineHead)
}

// fuzzTier reads any JSON: nothing panics, what is read is well-formed, and reading it
// again says the same.
func fuzzTier(f *testing.F, read tierReadFunc, heads ...string) {
	for _, head := range heads {
		for _, spec := range []string{
			"spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}, {}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}",
			"spec: {priority: 1, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {a: b}}}}, egress: [{action: Pass, to: [{networks: [10.0.0.0/8]}, {nodes: {}}], ports: [{portRange: {start: 1, end: 2}}]}]}",
			"spec: {subject: {namespaces: {matchExpressions: [{key: a, operator: In, values: [b]}]}}, egress: [{action: Allow, to: [{domainNames: [a.b]}], ports: [{namedPort: web}]}], x: 1}",
		} {
			data, err := yaml.YAMLToJSON([]byte(head + spec))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		u := &unstructured.Unstructured{}
		if json.Unmarshal(data, &u.Object) != nil {
			return
		}
		p, err := read(NewReader(), u)
		again, errAgain := read(NewReader(), u)
		if err != nil {
			if errAgain == nil {
				t.Fatalf("first %v, then %v", err, errAgain)
			}
			return
		}
		if describe(p) != describe(again) {
			t.Fatalf("first\n%s\nthen\n%s", describe(p), describe(again))
		}
		for _, list := range p.Rules {
			for i := range list {
				wellFormed(t, &list[i])
			}
		}
	})
}

// wellFormed checks what the form promises to those that read it.
func wellFormed(t *testing.T, r *Rule) {
	if r.Field == "" || len(r.Peers) == 0 {
		t.Fatalf("rule without a field or peer: %+v", *r)
	}
	for i := range r.Peers {
		p, set := &r.Peers[i], 0
		for _, is := range []bool{p.Everyone, p.Pods != nil, p.Addresses != nil, p.Nodes != nil, p.Unknown != ""} {
			if is {
				set++
			}
		}
		if set != 1 || p.Field == "" {
			t.Fatalf("peer is %d things, in field %q: %+v", set, p.Field, *p)
		}
		if p.Unknown != "" && r.Action != Allow && r.Unsure == "" {
			t.Fatalf("a denial by an unknown peer is sure: %+v", *r)
		}
	}
	for i := range r.Ports {
		if p := &r.Ports[i]; (p.Name == "") == p.Ports.Empty() || !knownProtocol(p.Protocol) {
			t.Fatalf("port is neither a name nor numbers: %+v", *p)
		}
	}
}
