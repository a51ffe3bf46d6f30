package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watertight.dev/watertight/internal/snapshot"
)

// account fails unless a harvest accounts for what it was given: objects that can be
// found again, or problems that say where and what, and no parser that gave up.
func account(t *testing.T, s *snapshot.Snapshot) {
	t.Helper()
	for _, p := range s.Problems {
		if p.Message == "" || p.Source == "" || strings.Contains(p.Message, gaveUp) {
			t.Errorf("problem %+v", p)
		}
	}
	for _, k := range snapshot.Kinds() {
		for _, o := range k.Of(s) {
			key := snapshot.KeyOf(o)
			if key.Name == "" || s.Source(key) == "" {
				t.Errorf("%s has no name or source", key)
			}
		}
	}
}

// FuzzFolder reads a folder of two files, of any name and content, and must name or load
// every one; a good file beside them is never lost.
func FuzzFolder(f *testing.F) {
	f.Add("a.yaml", []byte("a: [\n"), "b.json", []byte(`{"apiVersion":"v1","kind":"List","items":[null]}`))
	f.Add("x/y.yml", []byte("\xff\xfea\x00"), "Chart.yaml", []byte("apiVersion: v2\n"))
	f.Add("c.YAML", []byte("{{ if }}"), ".hidden.yaml", []byte("kind: Pod"))
	f.Fuzz(func(t *testing.T, first string, a []byte, second string, b []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{first: a, second: b, "zz-good.yaml": []byte(strings.ReplaceAll(goodPod, "shop", "kept"))} {
			path := filepath.Join(dir, filepath.Clean("/"+name))
			if os.MkdirAll(filepath.Dir(path), 0o700) != nil || os.WriteFile(path, data, 0o600) != nil {
				return // no such name on this file system
			}
		}
		s, err := Folder(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		account(t, s)
		if len(s.PodsIn("kept")) == 0 && !strings.Contains(fmt.Sprint(s.Problems), "kept") {
			t.Errorf("the good pod is lost: %+v", s.Problems)
		}
	})
}

// policyShells are the kinds of policies, with the fields that differ filled in by the
// fuzzer.
var policyShells = []string{
	"networking.k8s.io/v1 NetworkPolicy", "policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1 BaselineAdminNetworkPolicy",
	"policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy", "cilium.io/v2 CiliumNetworkPolicy", "cilium.io/v2 CiliumClusterwideNetworkPolicy",
}

// FuzzPolicies reads half-written policies of every kind: each is an object or a problem
// of its own kind, whatever its spec.
func FuzzPolicies(f *testing.F) {
	for _, seed := range []string{
		"{}", "null", "[]", "7", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [x]}}]}]}",
		"{podSelector: {matchExpressions: [{key: a, operator: In}]}, egress: [{ports: [{port: -1, endPort: 70000}]}]}",
		"{subject: {pods: {}}, priority: 5000, ingress: [{action: Deny, from: [{namespaces: {}}]}]}",
		"{tier: Admin, priority: -1, subject: {namespaces: null}, egress: [{action: Accept, to: [{networks: [\"::/129\"]}]}]}",
		"{endpointSelector: {matchLabels: 3}, ingressDeny: [{fromEntities: [everyone]}], egress: [{toCIDRSet: [{cidr: a}]}]}",
		"{nodeSelector: {}, endpointSelector: {}, egress: [{toFQDNs: [{matchPattern: \"**\"}]}]}", "{ingress: null, policyTypes: [In, Egress, 3]}", "{podSelector: &a {x: *a}}",
	} {
		for kind := range policyShells {
			f.Add(uint8(kind), seed, "p")
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, spec, name string) {
		version, kindName, _ := strings.Cut(policyShells[int(kind)%len(policyShells)], " ")
		text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %q, namespace: shop}\nspec: %s\n", version, kindName, name, spec)
		var h harvest
		h.decodeFile("policy.yaml", []byte(text))
		s := h.snapshot()
		account(t, s)
		if len(s.NetworkPolicies)+len(s.Others)+len(s.Problems) == 0 {
			t.Errorf("nothing came of %q", text)
		}
		group, _, _ := strings.Cut(version, "/")
		for _, o := range s.OthersOf(group, kindName) {
			if o.GetName() == "" {
				t.Errorf("a policy without a name: %v", o)
			}
		}
		var out bytes.Buffer
		if err := writeBundle(&out, s); err != nil {
			t.Fatal(err)
		}
	})
}
