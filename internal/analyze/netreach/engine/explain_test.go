package engine

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze/netreach/netset"
	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/snapshot"
)

// TestFlipsFlip makes the edits that an explanation names, and asks again.
func TestFlipsFlip(t *testing.T) {
	ports := netset.PortsOf(corev1.ProtocolTCP, 80, 80)
	opened, closed := 0, 0
	for seed := range uint64(400) {
		s := newGenerator(seed).cluster()
		e := New(s, Options{BlocksMatchPods: No})
		for _, src := range s.Pods {
			for _, dst := range s.Pods {
				if src == dst {
					continue
				}
				x := e.Explain(src, dst, ports)
				edits := x.Flip(ports)
				if len(edits) == 0 {
					if !x.NodeLocal {
						t.Fatalf("seed %d: nothing would flip %s -> %s", seed, podName(src), podName(dst))
					}
					continue
				}
				host := src.Spec.HostNetwork || dst.Spec.HostNetwork // no selector names it
				if edits[0].Kind == LeaveHostNetwork || host && edits[0].Kind == AddRule {
					continue
				}
				after := New(edited(s, edits, src, dst), Options{BlocksMatchPods: No})
				open := !after.PodReach(src, dst).Sure.Intersect(ports).Empty()
				if was := !x.Reach.Sure.Empty(); open == was {
					t.Fatalf("seed %d: %s -> %s is still open=%t after %s", seed, podName(src), podName(dst), open, told(edits))
				}
				if open {
					opened++
				} else {
					closed++
				}
			}
		}
	}
	if opened == 0 || closed == 0 {
		t.Errorf("opened %d, closed %d: one way was never tried", opened, closed)
	}
}

// edited is the cluster after the edits.
func edited(s *snapshot.Snapshot, edits []Change, src, dst *corev1.Pod) *snapshot.Snapshot {
	changed := map[string]*networkingv1.NetworkPolicy{}
	get := func(p *rules.Policy) *networkingv1.NetworkPolicy {
		name := p.Object.GetNamespace() + "/" + p.Object.GetName()
		if changed[name] == nil {
			changed[name] = p.Object.(*networkingv1.NetworkPolicy).DeepCopy()
		}
		return changed[name]
	}
	for _, c := range edits {
		farther := dst
		if c.Side.Direction == rules.Ingress {
			farther = src
		}
		peer := networkingv1.NetworkPolicyPeer{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: farther.Namespace}},
			PodSelector:       &metav1.LabelSelector{},
		}
		switch c.Kind {
		case RemovePeer:
			remove(get(c.Policy), c.Field)
		case AddRule:
			if p := get(c.Policy); c.Side.Direction == rules.Ingress {
				p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{peer}})
			} else {
				p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{peer}})
			}
		case AddIsolation:
			p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: c.Side.Pod.Namespace, Name: "isolation"}}
			p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
			if c.Side.Direction == rules.Egress {
				p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
			}
			changed["isolation"] = p
		}
	}
	for _, p := range changed {
		s = s.With(p)
	}
	return s
}

// remove empties a peer, or a rule without peers, so that the places of the others stay.
func remove(p *networkingv1.NetworkPolicy, field string) {
	nobody := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "nobody"}}}
	for i := range p.Spec.Ingress {
		at := fmt.Sprintf("spec.ingress[%d]", i)
		if field == at {
			p.Spec.Ingress[i].From = []networkingv1.NetworkPolicyPeer{nobody}
		}
		for k := range p.Spec.Ingress[i].From {
			if field == fmt.Sprintf("%s.from[%d]", at, k) {
				p.Spec.Ingress[i].From[k] = nobody
			}
		}
	}
	for i := range p.Spec.Egress {
		at := fmt.Sprintf("spec.egress[%d]", i)
		if field == at {
			p.Spec.Egress[i].To = []networkingv1.NetworkPolicyPeer{nobody}
		}
		for k := range p.Spec.Egress[i].To {
			if field == fmt.Sprintf("%s.to[%d]", at, k) {
				p.Spec.Egress[i].To[k] = nobody
			}
		}
	}
}

func told(edits []Change) string {
	var out []string
	for _, c := range edits {
		name := ""
		if c.Policy != nil {
			name = c.Policy.Object.GetName()
		}
		out = append(out, fmt.Sprintf("kind %d of %s %s on %s", c.Kind, name, c.Field, c.Side.Direction))
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}
