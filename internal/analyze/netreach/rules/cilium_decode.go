package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// unknownField is the doubt about a field that this version does not know.
const unknownField = "the field is not known to this version of Watertight"

// The structs below are those fields of Cilium's own that say who may talk to whom, as the
// CRDs of 1.20 have them (pkg/policy/api in github.com/cilium/cilium). Pointers in lists
// tell null elements, which no API server takes, from empty ones.

// ciliumHead is spec.
type ciliumHead struct {
	EndpointSelector  *ciliumLabels `json:"endpointSelector"`
	NodeSelector      *ciliumLabels `json:"nodeSelector"`
	EnableDefaultDeny struct {
		Ingress *bool `json:"ingress"`
		Egress  *bool `json:"egress"`
	} `json:"enableDefaultDeny"`
	Ingress     []any `json:"ingress"`
	IngressDeny []any `json:"ingressDeny"`
	Egress      []any `json:"egress"`
	EgressDeny  []any `json:"egressDeny"`
	// These say nothing about traffic.
	Labels      []any          `json:"labels"`
	Description string         `json:"description"`
	Log         map[string]any `json:"log"`
}

// list is the list of rules that l describes.
func (h *ciliumHead) list(l ciliumList) *[]any {
	return [2][2]*[]any{{&h.Ingress, &h.IngressDeny}, {&h.Egress, &h.EgressDeny}}[l.direction][l.action]
}

// ciliumLabels is an EndpointSelector.
type ciliumLabels struct {
	MatchLabels      map[string]*string  `json:"matchLabels"`
	MatchExpressions []*ciliumExpression `json:"matchExpressions"`
}

type ciliumExpression struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}

// ciliumIngress is an element of ingress or ingressDeny.
type ciliumIngress struct {
	FromEndpoints []*ciliumLabels `json:"fromEndpoints"`
	FromRequires  []any           `json:"fromRequires"`
	FromCIDR      []string        `json:"fromCIDR"`
	FromCIDRSet   []*ciliumCIDR   `json:"fromCIDRSet"`
	FromEntities  []string        `json:"fromEntities"`
	FromGroups    []any           `json:"fromGroups"`
	FromNodes     []*ciliumLabels `json:"fromNodes"`
	ciliumTraffic `json:",inline"`
}

// ciliumEgress is an element of egress or egressDeny.
type ciliumEgress struct {
	ToEndpoints   []*ciliumLabels `json:"toEndpoints"`
	ToRequires    []any           `json:"toRequires"`
	ToCIDR        []string        `json:"toCIDR"`
	ToCIDRSet     []*ciliumCIDR   `json:"toCIDRSet"`
	ToEntities    []string        `json:"toEntities"`
	ToGroups      []any           `json:"toGroups"`
	ToNodes       []*ciliumLabels `json:"toNodes"`
	ToServices    []any           `json:"toServices"`
	ToFQDNs       []any           `json:"toFQDNs"`
	ciliumTraffic `json:",inline"`
}

// ciliumTraffic is what both directions have.
type ciliumTraffic struct {
	ToPorts        []*ciliumPorts `json:"toPorts"`
	ICMPs          []any          `json:"icmps"`
	Authentication *struct {
		Mode string `json:"mode"`
	} `json:"authentication"`
}

type ciliumCIDR struct {
	CIDR              string         `json:"cidr"`
	CIDRGroupRef      string         `json:"cidrGroupRef"`
	CIDRGroupSelector map[string]any `json:"cidrGroupSelector"`
	Except            []string       `json:"except"`
}

type ciliumPorts struct {
	Ports          []*ciliumPort  `json:"ports"`
	TerminatingTLS map[string]any `json:"terminatingTLS"`
	OriginatingTLS map[string]any `json:"originatingTLS"`
	ServerNames    []string       `json:"serverNames"`
	Listener       map[string]any `json:"listener"`
	Rules          map[string]any `json:"rules"`
}

type ciliumPort struct {
	Port     string `json:"port"`
	EndPort  int64  `json:"endPort"`
	Protocol string `json:"protocol"`
}

// decodeCilium fills a struct and lists the fields that it does not know. A value of the
// wrong type is an error.
func decodeCilium[T any](field string, value any) (*T, []string, error) {
	m, ok := value.(map[string]any)
	if !ok {
		return nil, nil, fmt.Errorf("%s is not an object", field)
	}
	out := new(T)
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(m, out, true)
	if strict, ok := runtime.AsStrictDecodingError(err); ok {
		var unknown []string
		for _, e := range strict.Errors() {
			name := strings.Trim(strings.TrimPrefix(e.Error(), "unknown field "), `"`)
			unknown = append(unknown, field+"."+name)
		}
		slices.Sort(unknown)
		return out, unknown, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s%w", field, wrongType[T](m, err))
	}
	return out, nil, nil
}

// wrongType finds the field that the converter's error does not name.
func wrongType[T any](m map[string]any, err error) error {
	data, failed := json.Marshal(m)
	if failed != nil {
		return fmt.Errorf(": %w", err)
	}
	wrong := new(json.UnmarshalTypeError)
	if errors.As(json.Unmarshal(data, new(T)), &wrong) {
		return fmt.Errorf(".%s: a %s is not what belongs there", wrong.Field, wrong.Value)
	}
	return fmt.Errorf(": %w", err)
}
