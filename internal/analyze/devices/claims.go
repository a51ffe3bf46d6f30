package devices

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	resourcev1beta1 "k8s.io/api/resource/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"watertight.dev/watertight/internal/snapshot"
)

// claims are the objects of resource.k8s.io (Dynamic Resource Allocation, KEP-4381), in
// whichever version they are.
type claims struct {
	// byKey holds claims and templates by "Kind namespace/name".
	byKey   map[string]*claim
	ordered []*claim
	classes map[string]*deviceClass
	// slices are the devices that drivers advertise, by "driver/pool/device".
	devices map[string]device
}

// claim is a ResourceClaim or ResourceClaimTemplate.
type claim struct {
	object *unstructured.Unstructured
	// namespace where it is, "default" where a folder leaves it out.
	namespace string
	requests  []request
	results   []result
	// fault says why it cannot be judged.
	fault string
}

// request is one request, or one of its alternatives.
type request struct {
	field, class string
	admin        bool
}

// result is an allocated device.
type result struct {
	field, device string
	admin         bool
}

type deviceClass struct {
	name, extended string
	kind           kind
}

type device struct {
	kind kind
	// multiple is true where the driver gives it to several claims (KEP-5075).
	multiple bool
}

const group = "resource.k8s.io"

func claimsOf(s *snapshot.Snapshot) *claims {
	c := &claims{byKey: map[string]*claim{}, classes: map[string]*deviceClass{}, devices: map[string]device{}}
	for _, o := range s.Others {
		if o.GroupVersionKind().Group != group {
			continue
		}
		switch o.GetKind() {
		case "ResourceClaim", "ResourceClaimTemplate":
			read := readClaim(o)
			c.byKey[o.GetKind()+" "+read.namespace+"/"+o.GetName()] = read
			c.ordered = append(c.ordered, read)
		case "DeviceClass":
			c.classes[o.GetName()] = readClass(o)
		case "ResourceSlice":
			c.readSlice(o)
		}
	}
	return c
}

// classOf is the DeviceClass that serves an extended resource (KEP-5004), or nil.
func (c *claims) classOf(resource string) *deviceClass {
	implied, ok := strings.CutPrefix(resource, "deviceclass.resource.kubernetes.io/")
	for _, name := range sortedNames(c.classes) {
		if c.classes[name].extended == resource || ok && name == implied {
			return c.classes[name]
		}
	}
	return nil
}

func sortedNames(classes map[string]*deviceClass) []string {
	names := make([]string, 0, len(classes))
	for n := range classes {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// kind is what a device class gives: by its selectors where it is in the picture, else
// by the names that NVIDIA's driver installs.
func (c *claims) kind(class string) kind {
	if k, ok := c.classes[class]; ok {
		return k.kind
	}
	return map[string]kind{"gpu.nvidia.com": whole, "mig.nvidia.com": partition, "vfio.gpu.nvidia.com": handed}[class]
}

func readClaim(o *unstructured.Unstructured) *claim {
	c := &claim{object: o, namespace: cmp.Or(o.GetNamespace(), "default")}
	at := "spec.devices.requests"
	body := o.Object
	if o.GetKind() == "ResourceClaimTemplate" {
		at = "spec." + at
		body, _, _ = unstructured.NestedMap(o.Object, "spec")
	}
	switch version := o.GroupVersionKind().Version; version {
	case "v1", "v1beta2": // the same, but for defaults
		var typed resourcev1.ResourceClaim
		c.fault = convert(body, &typed)
		c.take(at, &typed)
	case "v1beta1":
		var typed resourcev1beta1.ResourceClaim
		c.fault = convert(body, &typed)
		c.takeBeta(at, &typed)
	default:
		c.fault = "has version " + version + ", which is not understood"
	}
	return c
}

func convert(body map[string]any, into any) string {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(body, into); err != nil {
		return "cannot be read: " + err.Error()
	}
	return ""
}

func yes(b *bool) bool { return b != nil && *b }

func (c *claim) take(at string, typed *resourcev1.ResourceClaim) {
	for i, r := range typed.Spec.Devices.Requests {
		here := fmt.Sprintf("%s[%d]", at, i)
		if r.Exactly != nil {
			c.requests = append(c.requests, request{here + ".exactly", r.Exactly.DeviceClassName, yes(r.Exactly.AdminAccess)})
		}
		for k, sub := range r.FirstAvailable {
			c.requests = append(c.requests, request{fmt.Sprintf("%s.firstAvailable[%d]", here, k), sub.DeviceClassName, false})
		}
	}
	if typed.Status.Allocation == nil {
		return
	}
	for i, r := range typed.Status.Allocation.Devices.Results {
		c.results = append(c.results, result{fmt.Sprintf("status.allocation.devices.results[%d]", i), r.Driver + "/" + r.Pool + "/" + r.Device, yes(r.AdminAccess)})
	}
}

func (c *claim) takeBeta(at string, typed *resourcev1beta1.ResourceClaim) {
	for i, r := range typed.Spec.Devices.Requests {
		here := fmt.Sprintf("%s[%d]", at, i)
		if r.DeviceClassName != "" {
			c.requests = append(c.requests, request{here, r.DeviceClassName, yes(r.AdminAccess)})
		}
		for k, sub := range r.FirstAvailable {
			c.requests = append(c.requests, request{fmt.Sprintf("%s.firstAvailable[%d]", here, k), sub.DeviceClassName, false})
		}
	}
	if typed.Status.Allocation == nil {
		return
	}
	for i, r := range typed.Status.Allocation.Devices.Results {
		c.results = append(c.results, result{fmt.Sprintf("status.allocation.devices.results[%d]", i), r.Driver + "/" + r.Pool + "/" + r.Device, yes(r.AdminAccess)})
	}
}

// typeSelector is how the selectors of NVIDIA's device classes choose by type.
var typeSelector = regexp.MustCompile(`\.type\s*==\s*["'](gpu|mig|vfio)["']`)

// readClass tells the kind from the selectors. What else they may say is not evaluated:
// an alternative or a negation makes the kind unknown.
func readClass(o *unstructured.Unstructured) *deviceClass {
	c := &deviceClass{name: o.GetName()}
	c.extended, _, _ = unstructured.NestedString(o.Object, "spec", "extendedResourceName")
	selectors, _, _ := unstructured.NestedSlice(o.Object, "spec", "selectors")
	kinds := map[string]kind{"gpu": whole, "mig": partition, "vfio": handed}
	for _, s := range selectors {
		fields, _ := s.(map[string]any)
		text, _, _ := unstructured.NestedString(fields, "cel", "expression")
		if found := typeSelector.FindAllStringSubmatch(text, -1); len(found) == 1 && !strings.Contains(text, "||") && !strings.Contains(strings.ReplaceAll(text, "!=", ""), "!") && !strings.Contains(text, "?") {
			c.kind = kinds[found[0][1]]
		}
	}
	return c
}

// readSlice notes the type of every device: v1beta1 has it one level deeper ("basic").
func (c *claims) readSlice(o *unstructured.Unstructured) {
	driver, _, _ := unstructured.NestedString(o.Object, "spec", "driver")
	pool, _, _ := unstructured.NestedString(o.Object, "spec", "pool", "name")
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "devices")
	for _, entry := range list {
		fields, _ := entry.(map[string]any)
		name, _, _ := unstructured.NestedString(fields, "name")
		if basic, ok, _ := unstructured.NestedMap(fields, "basic"); ok {
			fields = basic
		}
		var d device
		d.multiple, _, _ = unstructured.NestedBool(fields, "allowMultipleAllocations")
		attributes, _, _ := unstructured.NestedMap(fields, "attributes")
		for _, key := range []string{"type", driver + "/type"} {
			attribute, _ := attributes[key].(map[string]any)
			text, _ := attribute["string"].(string)
			if k, ok := map[string]kind{"gpu": whole, "mig": partition, "vfio": handed}[text]; ok {
				d.kind = k
			}
		}
		c.devices[driver+"/"+pool+"/"+name] = d
	}
}
