package meshidentity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// crossing judges IDN-3.
func (j *judge) crossing() {
	for _, ns := range j.namespaces {
		if n := j.snapshot.Namespace(ns); n != nil {
			j.waypoint(n, n.Labels, ns)
		}
		for _, p := range j.snapshot.PodsIn(ns) {
			j.waypoint(p, p.Labels, ns)
		}
		for _, s := range j.services[ns] {
			j.waypoint(s, s.Labels, ns)
		}
	}
	for _, o := range j.ownOthers() {
		switch kind := o.GroupVersionKind(); kind.Group {
		case "networking.istio.io":
			j.networking(o)
		case "gateway.networking.k8s.io":
			if strings.HasSuffix(kind.Kind, "Route") {
				j.route(o)
				j.backends(o)
			}
		}
	}
}

func (j *judge) foreign(o snapshot.Object, reason, field, detail, fix string) {
	j.ledger.Break(guarantee.IDN3, reason, fmt.Sprintf("%s, %s, %s: %s", snapshot.KeyOf(o), field, detail, fix), analyze.About(j.snapshot, o, field, detail))
}

// The labels that send traffic to a waypoint (Istio: Configure waypoint proxies).
const (
	useWaypoint      = "istio.io/use-waypoint"
	useWaypointSpace = "istio.io/use-waypoint-namespace"
)

func (j *judge) waypoint(o snapshot.Object, labels map[string]string, namespace string) {
	to := labels[useWaypointSpace]
	if w := labels[useWaypoint]; w == "" || w == "none" || to == "" || to == namespace || j.own(to) {
		return
	}
	j.foreign(o, "ForeignWaypoint", "metadata.labels["+useWaypointSpace+"]", "sends traffic to a waypoint in "+to+", which is not the tenant's", "use a waypoint of one's own")
}

func (j *judge) own(namespace string) bool { return slices.Contains(j.namespaces, namespace) }

// shared reports whether a namespace is one where the class says ingress comes from.
func (j *judge) shared(namespace string) bool {
	return slices.ContainsFunc(j.class.Spec.Network.IngressFrom, func(p v1alpha1.PeerSelector) bool { return p.Namespace == namespace })
}

// networking judges an object of Istio's traffic management. A kind that is not known
// here may cross to others in ways nobody looked at.
func (j *judge) networking(o *unstructured.Unstructured) {
	switch o.GetKind() {
	case "VirtualService":
		j.virtualService(o)
	case "Gateway":
		j.gateway(o)
	case "ServiceEntry":
		j.serviceEntry(o)
	case "DestinationRule":
		host, _, _ := unstructured.NestedString(o.Object, "spec", "host")
		j.host(o, "spec.host", host)
	case "WorkloadEntry":
		address, _, _ := unstructured.NestedString(o.Object, "spec", "address")
		j.address(o, "spec.address", address)
	case "EnvoyFilter", "Sidecar", "ProxyConfig", "WorkloadGroup": // of the tenant's own proxies
	default:
		j.ledger.Doubt(guarantee.IDN3, "KindNotKnown", fmt.Sprintf("%s is of a kind that is not evaluated: remove it if it is not needed", snapshot.KeyOf(o)), analyze.About(j.snapshot, o, "kind", "is "+o.GetKind()))
	}
}

// exported reports whether an object counts in other namespaces: it does unless exportTo
// says "." or its own (Istio: VirtualService, "exportTo").
func exported(o *unstructured.Unstructured) bool {
	list, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "exportTo")
	return len(list) == 0 || slices.ContainsFunc(list, func(to string) bool { return to != "." && to != o.GetNamespace() && to != "~" })
}

// host judges a host that an object sets rules for: for others it sets them where it is
// exported and the host is not the tenant's, one outside the cluster included.
func (j *judge) host(o *unstructured.Unstructured, field, host string) {
	if !exported(o) || host == "" {
		return
	}
	if ns, ok := j.spaceOf(host, o.GetNamespace()); ok && j.own(ns) {
		return
	}
	j.foreign(o, "ForeignHost", field, "sets rules for "+host+" in every namespace", `set exportTo to ["."], or name a host of one's own`)
}

// spaceOf is the namespace of a host name of the cluster; a short name is of the
// object's own. A name outside the cluster has none.
func (j *judge) spaceOf(host, own string) (string, bool) {
	parts := strings.Split(host, ".")
	switch {
	case len(parts) == 1:
		return own, true
	case len(parts) == 2, len(parts) > 2 && parts[2] == "svc":
		return parts[1], len(parts) > 2 || j.snapshot.Exists(parts[1])
	}
	return "", false
}

func (j *judge) virtualService(o *unstructured.Unstructured) {
	gateways, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "gateways")
	for i, g := range gateways {
		ns, _, ok := strings.Cut(g, "/")
		if ok && ns != "." && !j.own(ns) && !j.shared(ns) {
			j.foreign(o, "ForeignGateway", fmt.Sprintf("spec.gateways[%d]", i), "binds to gateway "+g+", which is not the tenant's", "bind to a gateway of one's own, or of the class's ingress")
		}
	}
	if len(gateways) == 0 || slices.Contains(gateways, "mesh") { // else it is a gateway's only
		hosts, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "hosts")
		for i, h := range hosts {
			j.host(o, fmt.Sprintf("spec.hosts[%d]", i), h)
		}
	}
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	eachDestination(spec, "spec", func(field, host string) {
		if ns, ok := j.spaceOf(host, o.GetNamespace()); ok && !j.own(ns) {
			j.foreign(o, "ForeignDestination", field, "routes to "+host+", which is not the tenant's", "route to services of one's own")
		}
	})
	for i, h := range objects(spec["http"]) {
		if delegate, _ := h["delegate"].(map[string]any); delegate != nil {
			if ns, _ := delegate["namespace"].(string); ns != "" && !j.own(ns) {
				j.foreign(o, "ForeignDelegate", fmt.Sprintf("spec.http[%d].delegate", i), "hands its routes to namespace "+ns, "delegate inside one's own namespaces")
			}
		}
	}
}

// eachDestination visits every host under a "destination", or a mirror, of a spec.
func eachDestination(value any, at string, visit func(field, host string)) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			here := at + "." + key
			if body, ok := v[key].(map[string]any); ok && (key == "destination" || key == "mirror") {
				if host, _ := body["host"].(string); host != "" {
					visit(here+".host", host)
				}
			}
			eachDestination(v[key], here, visit)
		}
	case []any:
		for i, item := range v {
			eachDestination(item, fmt.Sprintf("%s[%d]", at, i), visit)
		}
	}
}

func objects(list any) []map[string]any {
	var out []map[string]any
	items, _ := list.([]any)
	for _, i := range items {
		o, _ := i.(map[string]any)
		out = append(out, o)
	}
	return out
}

// gateway judges which pods an Istio Gateway configures: its selector looks into every
// namespace (Istio: Gateway, "selector").
func (j *judge) gateway(o *unstructured.Unstructured) {
	selector, _, err := unstructured.NestedStringMap(o.Object, "spec", "selector")
	if err != nil {
		j.ledger.Doubt(guarantee.IDN3, "SelectorNotRead", fmt.Sprintf("%s has a selector that cannot be read: correct spec.selector", snapshot.KeyOf(o)), analyze.About(j.snapshot, o, "spec.selector", "cannot be read"))
		return
	}
	if i := slices.IndexFunc(j.snapshot.Pods, func(p *corev1.Pod) bool {
		return !j.own(p.Namespace) && !j.shared(p.Namespace) && within(selector, p.Labels)
	}); i >= 0 {
		p := j.snapshot.Pods[i]
		j.foreign(o, "ForeignGateway", "spec.selector", "configures "+snapshot.KeyOf(p).String()+", which is not the tenant's", "select gateway pods of one's own, or of the class's ingress")
	}
}

// serviceEntry judges what a tenant adds to the mesh's registry.
func (j *judge) serviceEntry(o *unstructured.Unstructured) {
	if exported(o) {
		j.foreign(o, "EntryExported", "spec.exportTo", "adds hosts to every namespace's registry", `set exportTo to ["."]`)
	}
	hosts, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "hosts")
	for i, h := range hosts {
		if ns, ok := j.spaceOf(h, o.GetNamespace()); ok && strings.Contains(h, ".") && !j.own(ns) {
			j.foreign(o, "ForeignEntry", fmt.Sprintf("spec.hosts[%d]", i), "takes the name "+h+", which is not the tenant's", "name hosts outside the cluster")
		}
	}
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	for i, e := range objects(spec["endpoints"]) {
		address, _ := e["address"].(string)
		j.address(o, fmt.Sprintf("spec.endpoints[%d].address", i), address)
	}
}

// address judges an address, or a host name, that stands for a workload.
func (j *judge) address(o *unstructured.Unstructured, field, address string) {
	if ns, ok := j.spaceOf(address, ""); ok && strings.Contains(address, ".svc") && !j.own(ns) {
		j.foreign(o, "ForeignEndpoint", field, "points at "+address+", which is not the tenant's", "point outside the cluster, or at pods of one's own")
		return
	}
	for _, p := range j.addresses[address] {
		if !j.own(p.Namespace) {
			j.foreign(o, "ForeignEndpoint", field, "points at "+snapshot.KeyOf(p).String()+", which is not the tenant's", "point outside the cluster, or at pods of one's own")
			return
		}
	}
}

// route judges the gateways, or services, that a route is for.
func (j *judge) route(o *unstructured.Unstructured) {
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	for i, ref := range objects(spec["parentRefs"]) {
		ns, _ := ref["namespace"].(string)
		if ns != "" && !j.own(ns) && !j.shared(ns) {
			kind, _ := ref["kind"].(string)
			j.foreign(o, "ForeignGateway", fmt.Sprintf("spec.parentRefs[%d].namespace", i), strings.TrimSpace("attaches to "+kind)+" in "+ns+", which is not the tenant's", "attach to a gateway of one's own, or of the class's ingress")
		}
	}
}

// backends judges where a route sends requests.
func (j *judge) backends(o *unstructured.Unstructured) {
	spec, _, _ := unstructured.NestedMap(o.Object, "spec")
	for i, rule := range objects(spec["rules"]) {
		for k, ref := range objects(rule["backendRefs"]) {
			if ns, _ := ref["namespace"].(string); ns != "" && !j.own(ns) {
				j.foreign(o, "ForeignDestination", fmt.Sprintf("spec.rules[%d].backendRefs[%d].namespace", i, k), "routes to namespace "+ns+", which is not the tenant's", "route to services of one's own")
			}
		}
	}
}
