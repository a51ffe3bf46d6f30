package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"watertight.dev/watertight/internal/snapshot"
)

// foreign is an API server with groups of others: what it serves, by group version, and
// what it answers with an error.
type foreign struct {
	served map[string][]string // "group/version" → kinds
	refuse map[string]int      // by path
}

func (f foreign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	path := strings.Trim(r.URL.Path, "/")
	parts := strings.Split(path, "/")
	if code := f.refuse[path]; code != 0 {
		(&cluster{}).refuse(w, parts[len(parts)-1], code)
		return
	}
	switch {
	case path == "version":
		fmt.Fprint(w, `{"major":"1","minor":"37"}`)
	case path == "api":
		fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
	case path == "apis":
		f.groups(w)
	case len(parts) == 3 && f.served[parts[1]+"/"+parts[2]] != nil:
		list := metav1.APIResourceList{GroupVersion: parts[1] + "/" + parts[2]}
		for _, kind := range f.served[parts[1]+"/"+parts[2]] {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: strings.ToLower(kind), Kind: kind, Verbs: metav1.Verbs{"list"}})
		}
		_ = json.NewEncoder(w).Encode(list)
	case len(parts) == 4 && f.kind(parts) != "":
		fmt.Fprintf(w, `{"apiVersion":"%[1]s/%[2]s","kind":"List","metadata":{},"items":[{"apiVersion":"%[1]s/%[2]s","kind":%[3]q,"metadata":{"name":"x","managedFields":[{"manager":"m"}]},`+
			`"spec":{"group":"example.com","names":{"kind":"X"},"versions":[{"name":"v1","schema":{"openAPIV3Schema":{}}}]}}]}`, parts[1], parts[2], f.kind(parts))
	default:
		fmt.Fprint(w, `{"metadata":{},"items":[]}`)
	}
}

func (f foreign) groups(w io.Writer) {
	groups := map[string]*metav1.APIGroup{}
	var list metav1.APIGroupList
	for _, gv := range slices.Backward(slices.Sorted(maps.Keys(f.served))) { // the newest is preferred
		name, version, _ := strings.Cut(gv, "/")
		v := metav1.GroupVersionForDiscovery{GroupVersion: gv, Version: version}
		if groups[name] == nil {
			groups[name] = &metav1.APIGroup{Name: name, PreferredVersion: v}
		}
		groups[name].Versions = append(groups[name].Versions, v)
	}
	for _, g := range groups {
		list.Groups = append(list.Groups, *g)
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (f foreign) kind(parts []string) string {
	for _, k := range f.served[parts[1]+"/"+parts[2]] {
		if strings.ToLower(k) == parts[3] {
			return k
		}
	}
	return ""
}

func liveForeign(t *testing.T, f foreign) *snapshot.Snapshot {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s, err := Live(context.Background(), &rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLiveForeign lists every kind of the foreign groups once, in whatever version serves
// it, and nothing of groups that bear on no verdict.
func TestLiveForeign(t *testing.T) {
	s := liveForeign(t, foreign{served: map[string][]string{
		"policy.networking.k8s.io/v1alpha1": {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy"},
		"policy.networking.k8s.io/v1alpha2": {"ClusterNetworkPolicy", "AdminNetworkPolicy"},
		"networking.istio.io/v1":            {"ServiceEntry"},
		"policy.linkerd.io/v1beta3":         {"Server"},
		"resource.k8s.io/v1":                {"ResourceClaim", "ResourceSlice"},
		"apiextensions.k8s.io/v1":           {"CustomResourceDefinition"},
		"cilium.io/v2":                      {"CiliumNetworkPolicy", "CiliumEndpoint", "CiliumIdentity"},
		"crd.antrea.io/v1beta1":             {"NetworkPolicy", "ClusterNetworkPolicy", "AntreaAgentInfo"},
		"networking.k8s.io/v1":              {"IngressClass", "IPAddress", "Ingress"},
		"gateway.networking.x-k8s.io/v1":    {"XListenerSet"},
		"flowcontrol.apiserver.k8s.io/v1":   {"FlowSchema", "PriorityLevelConfiguration"},
		"capsule.clastix.io/v1beta2":        {"Tenant", "CapsuleConfiguration"},
		"example.com/v1":                    {"Irrelevant"},
	}})
	var got []string
	for _, o := range s.Others {
		got = append(got, o.GetAPIVersion()+" "+o.GetKind())
		if o.GetManagedFields() != nil {
			t.Errorf("%s keeps its managed fields", o.GetKind())
		}
	}
	slices.Sort(got)
	want := []string{
		"apiextensions.k8s.io/v1 CustomResourceDefinition", "capsule.clastix.io/v1beta2 Tenant", "cilium.io/v2 CiliumNetworkPolicy",
		"crd.antrea.io/v1beta1 ClusterNetworkPolicy", "crd.antrea.io/v1beta1 NetworkPolicy",
		"flowcontrol.apiserver.k8s.io/v1 FlowSchema", "flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration",
		"gateway.networking.x-k8s.io/v1 XListenerSet", "networking.istio.io/v1 ServiceEntry", "networking.k8s.io/v1 IngressClass",
		"policy.linkerd.io/v1beta3 Server", "policy.networking.k8s.io/v1alpha1 BaselineAdminNetworkPolicy",
		"policy.networking.k8s.io/v1alpha2 AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy",
		"resource.k8s.io/v1 ResourceClaim", "resource.k8s.io/v1 ResourceSlice",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(s.Problems) != 0 {
		t.Errorf("%s problems %+v", diff, s.Problems)
	}
	for _, crd := range s.OthersOf("apiextensions.k8s.io", "CustomResourceDefinition") {
		if text := fmt.Sprint(crd.Object); strings.Contains(text, "openAPIV3Schema") || !strings.Contains(text, "example.com") {
			t.Errorf("the definition is %s", text)
		}
	}
}

// TestLiveForeignMissing names each policy kind that may not be listed, or whose group
// cannot be looked into: such a policy could open what all others close.
func TestLiveForeignMissing(t *testing.T) {
	s := liveForeign(t, foreign{
		served: map[string][]string{
			"policy.networking.k8s.io/v1alpha1": {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy"},
			"policy.networking.k8s.io/v1alpha2": {"ClusterNetworkPolicy"},
			"cilium.io/v2":                      {"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"},
			"cilium.io/v2alpha1":                {"CiliumCIDRGroup"},
		},
		refuse: map[string]int{
			"apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicy": 403, "apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicy": 403,
			"apis/cilium.io/v2": 403,
		},
	})
	for kind, text := range map[string]string{
		"AdminNetworkPolicy": "(403): allow the verb list on", "ClusterNetworkPolicy": "(403): allow the verb list on",
		"CiliumNetworkPolicy": "(403)", "CiliumClusterwideNetworkPolicy": "(403)",
	} {
		if m := s.Missing(kind); len(m) != 1 || !strings.Contains(m[0].Message, text) {
			t.Errorf("%s: %+v", kind, m)
		}
	}
	if m := s.Missing("BaselineAdminNetworkPolicy"); len(m) != 0 || len(s.OthersOf("cilium.io", "CiliumCIDRGroup")) != 1 {
		t.Errorf("missing %+v, others %v", m, s.Others)
	}
}

// TestLiveForeignNames: what is missed has a name that an analyzer asks for: a group's own
// where it may have kinds that nobody knows yet, and for Capsule's Tenants another than
// that of ours, without which nothing can be judged.
func TestLiveForeignNames(t *testing.T) {
	s := liveForeign(t, foreign{
		served: map[string][]string{
			"gateway.networking.k8s.io/v1": {"Gateway"}, "networking.k8s.io/v1": {"IngressClass"},
			"security.istio.io/v1": {"PeerAuthentication"}, "capsule.clastix.io/v1beta2": {"Tenant"},
		},
		refuse: map[string]int{
			"apis/gateway.networking.k8s.io/v1": 403, "apis/security.istio.io/v1": 503,
			"apis/networking.k8s.io/v1/ingressclass": 403, "apis/capsule.clastix.io/v1beta2/tenant": 403,
		},
	})
	for kind, text := range map[string]string{
		"gateway.networking.k8s.io": "allow the verb get on /apis/gateway.networking.k8s.io/v1",
		"UDPRoute":                  "allow the verb get on /apis/gateway.networking.k8s.io/v1",
		"security.istio.io":         "security.istio.io cannot be looked for: discover security.istio.io/v1",
		"IngressClass":              "allow the verb list on ingressclass.networking.k8s.io",
		"Tenant.capsule.clastix.io": "allow the verb list on tenant.capsule.clastix.io",
	} {
		if m := s.Missing(kind); len(m) != 1 || !strings.Contains(m[0].Message, text) {
			t.Errorf("%s: %+v", kind, m)
		}
	}
	for _, kind := range []string{"Tenant", "Ingress", "networking.k8s.io"} {
		if m := s.Missing(kind); len(m) != 0 {
			t.Errorf("%s was read, and %+v", kind, m)
		}
	}
}
