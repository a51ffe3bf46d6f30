package engine

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/internal/snapshot"
)

// rewritten writes every object as JSON, changes it and reads it again.
func rewritten(s *snapshot.Snapshot, change func(*unstructured.Unstructured)) []snapshot.Object {
	var out []snapshot.Object
	for _, o := range objectsOf(s) {
		data, err := json.Marshal(o)
		u := &unstructured.Unstructured{Object: tree{}}
		if err == nil {
			err = json.Unmarshal(data, &u.Object)
		}
		if err != nil {
			panic(err)
		}
		for _, k := range snapshot.Kinds() {
			if slices.Contains(k.Of(s), o) {
				u.SetAPIVersion(strings.TrimPrefix(k.Group+"/"+k.Version, "/"))
				u.SetKind(k.Kind)
			}
		}
		change(u)
		out = append(out, u)
	}
	return out
}

// renames gives namespaces, pods, policies, labels and their values other names.
var renames = strings.NewReplacer(
	`"x"`, `"qx"`, `"z"`, `"az"`, `"w"`, `"mw"`, `"p0"`, `"zp0"`, `"p1"`, `"bp1"`, `"a"`, `"yes"`, `"b"`, `"Bee"`, `"1"`, `"odd"`,
	`"app"`, `"role"`, `"k8s:app"`, `"k8s:role"`, `labels.parity"`, `labels.even"`, `"parity"`, `"even"`, `"np0"`, `"zz"`, `"cnp0"`, `"later"`, `"cilium0"`, `"d"`)

// TestLawRename: names mean nothing, as long as they are changed everywhere.
func TestLawRename(t *testing.T) {
	names := strings.NewReplacer("x/p0", "qx/zp0", "x/p1", "qx/bp1", "x/", "qx/", "z/p0", "az/zp0", "z/p1", "az/bp1", "z/", "az/",
		"w/p0", "mw/zp0", "w/p1", "mw/bp1", "w/", "mw/")
	law{same: names.Replace, change: func(_ generator, s *snapshot.Snapshot) *snapshot.Snapshot {
		return pictured(rewritten(s, func(u *unstructured.Unstructured) {
			data, err := json.Marshal(u.Object)
			if err == nil {
				u.Object = tree{}
				err = json.Unmarshal([]byte(renames.Replace(string(data))), &u.Object)
			}
			if err != nil {
				panic(err)
			}
		}))
	}}.check(t)
}

// TestLawOrder: the order of objects means nothing, nor does that of rules, peers and
// ports where the first match does not decide.
func TestLawOrder(t *testing.T) {
	law{change: func(g generator, s *snapshot.Snapshot) *snapshot.Snapshot {
		objects := rewritten(s, func(u *unstructured.Unstructured) {
			u.Object["spec"] = g.shuffled(u.Object["spec"], u.GetKind() == "ClusterNetworkPolicy")
		})
		g.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
		return pictured(objects)
	}}.check(t)
}

// shuffled shuffles every list, but the rules of a tier with priorities.
func (g generator) shuffled(value any, ordered bool) any {
	switch v := value.(type) {
	case tree:
		for _, k := range sortedKeys(v) {
			if list, ok := v[k].([]any); ok && ordered && (k == "ingress" || k == "egress") {
				for i := range list {
					list[i] = g.shuffled(list[i], ordered)
				}
				continue
			}
			v[k] = g.shuffled(v[k], ordered)
		}
	case []any:
		g.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
		for i := range v {
			v[i] = g.shuffled(v[i], ordered)
		}
	}
	return value
}

func sortedKeys(v tree) []string {
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestLawSplitBlocks: two halves are as good as the whole, in every kind of policy.
func TestLawSplitBlocks(t *testing.T) {
	law{change: func(_ generator, s *snapshot.Snapshot) *snapshot.Snapshot {
		found := false
		objects := rewritten(s, func(u *unstructured.Unstructured) { u.Object["spec"] = halved(u.Object["spec"], &found) })
		if !found {
			return nil
		}
		return pictured(objects)
	}}.check(t)
}

// halved writes each block in a list as two.
func halved(value any, found *bool) any {
	switch v := value.(type) {
	case tree:
		for k, e := range v {
			v[k] = halved(e, found)
		}
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, halvesOf(e, found)...)
		}
		return out
	}
	return value
}

// halvesOf are what to write for an element of a list: a CIDR, a peer with an ipBlock, or
// a CIDR with exceptions.
func halvesOf(e any, found *bool) []any {
	if text, ok := e.(string); ok {
		whole, err := netip.ParsePrefix(text)
		if err != nil || whole.IsSingleIP() {
			return []any{e}
		}
		*found = true
		low, high := halves(whole)
		return []any{low.String(), high.String()}
	}
	m, ok := e.(tree)
	block := m
	if inner, isPeer := m["ipBlock"].(tree); isPeer {
		block = inner
	}
	text, isBlock := block["cidr"].(string)
	if !ok || !isBlock {
		return []any{halved(e, found)}
	}
	*found = true
	var out []any
	low, high := halves(netip.MustParsePrefix(text))
	for _, half := range []netip.Prefix{low, high} {
		part, gone := tree{"cidr": half.String()}, false
		var except []any
		list, _ := block["except"].([]any)
		for _, x := range list {
			p := netip.MustParsePrefix(x.(string))
			gone = gone || p.Bits() <= half.Bits() && p.Contains(half.Addr())
			if p.Bits() > half.Bits() && half.Contains(p.Addr()) {
				except = append(except, x)
			}
		}
		if len(except) > 0 {
			part["except"] = except
		}
		if gone { // nothing is left of it; a peer that matches nobody keeps the list from being empty
			part["except"] = []any{half.String()}
		}
		if m["ipBlock"] != nil {
			part = tree{"ipBlock": part}
		}
		out = append(out, part)
	}
	return out
}

func halves(p netip.Prefix) (low, high netip.Prefix) {
	low = netip.PrefixFrom(p.Addr(), p.Bits()+1)
	text := p.Addr().AsSlice()
	text[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	a, _ := netip.AddrFromSlice(text)
	return low, netip.PrefixFrom(a, p.Bits()+1)
}
