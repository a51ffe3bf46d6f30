package load

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"watertight.dev/watertight/internal/snapshot"
)

const (
	pageSize = 500 // objects per answer, as kubectl asks for
	workers  = 4   // lists under way at a time
)

// foreignGroups are groups whose every kind bears on verdicts, though the snapshot has
// no field for it: other policy engines, meshes, gateways, devices, and
// what custom resources there are. Named are kinds that could open or close something, so
// that they are missed by name where their group cannot be looked into.
var foreignGroups = []struct {
	name  string
	kinds []string
}{
	{"policy.networking.k8s.io", []string{"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"}},
	{"cilium.io", []string{"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"}},
	{"crd.projectcalico.org", []string{"NetworkPolicy", "GlobalNetworkPolicy"}},
	{"projectcalico.org", []string{"NetworkPolicy", "GlobalNetworkPolicy"}},
	{"security.istio.io", []string{"PeerAuthentication", "AuthorizationPolicy"}},
	{"networking.istio.io", []string{"ServiceEntry", "Gateway", "VirtualService", "DestinationRule", "Sidecar"}},
	{"policy.linkerd.io", []string{"Server", "AuthorizationPolicy", "ServerAuthorization", "MeshTLSAuthentication", "NetworkAuthentication"}},
	{"gateway.networking.k8s.io", []string{"Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "ReferenceGrant"}},
	{"resource.k8s.io", []string{"ResourceClaim", "ResourceClaimTemplate", "DeviceClass"}},
	{"apiextensions.k8s.io", []string{"CustomResourceDefinition"}},
}

// Live reads the kinds that verdicts rest on from an API server, in pages. A kind that
// may not be listed or is not served becomes a Problem. Secrets and ConfigMaps are not
// read.
func Live(ctx context.Context, config *rest.Config) (*snapshot.Snapshot, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 100, 200
	if err := reach(ctx, config); err != nil {
		return nil, err
	}
	lists, err := newListers(config)
	if err != nil {
		return nil, fmt.Errorf("read cluster %s: %w", config.Host, err)
	}
	answers := make([]answer, len(lists))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, l := range lists {
		group.Go(func() error {
			answers[i] = l.all(ctx)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read cluster %s: %w", config.Host, err)
	}
	var objects []runtime.Object
	var problems []snapshot.Problem
	for _, a := range answers {
		objects = append(objects, a.objects...)
		problems = append(problems, a.problems...)
	}
	return snapshot.New(snapshot.Parts{Objects: objects, Problems: problems, Origin: snapshot.OriginLive}), nil
}

// answer is what listing a kind gave.
type answer struct {
	objects  []runtime.Object
	problems []snapshot.Problem
}

// lister lists one kind page by page.
type lister struct {
	resource schema.GroupVersionResource
	kind     string
	page     func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error)
	// broken is why the kind cannot be listed, where that is known before asking.
	broken error
}

func newListers(config *rest.Config) ([]lister, error) {
	var lists []lister
	for _, k := range kinds {
		client, err := typedClient(config, k.GroupVersion())
		if err != nil {
			return nil, fmt.Errorf("make client for %s: %w", k.Kind, err)
		}
		lists = append(lists, typedLister(client, k))
	}
	foreign, err := foreignListers(config)
	return append(lists, foreign...), err
}

// typedClient speaks protobuf with Kubernetes' own groups and JSON with ours.
func typedClient(config *rest.Config, gv schema.GroupVersion) (*rest.RESTClient, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &gv, "/apis"
	if gv.Group == "" {
		c.APIPath = "/api"
	}
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if gv.Group == "watertight.dev" {
		c.ContentType, c.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	}
	return rest.RESTClientFor(c)
}

func typedLister(client *rest.RESTClient, k snapshot.Kind) lister {
	l := lister{resource: k.GroupVersion().WithResource(k.Resource), kind: k.Kind}
	l.page = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		list, err := scheme.New(k.GroupVersion().WithKind(k.Kind + "List"))
		if err != nil {
			return nil, err
		}
		err = client.Get().Resource(k.Resource).
			VersionedParams(&options, metav1.ParameterCodec).Do(ctx).Into(list)
		return list, err
	}
	return l
}

// foreignListers lists what the server has of the foreign groups. A group that is not
// there is no problem; one that cannot be looked into is.
func foreignListers(config *rest.Config) ([]lister, error) {
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make discovery client: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make dynamic client: %w", err)
	}
	groups, err := disco.ServerGroups()
	if err != nil {
		return []lister{{kind: "", broken: fmt.Errorf("discover API groups: %w", err)}}, nil
	}
	var lists []lister
	for _, f := range foreignGroups {
		for _, g := range groups.Groups {
			if g.Name == f.name {
				lists = append(lists, groupListers(disco, client, g, f.kinds)...)
			}
		}
	}
	return lists, nil
}

// groupListers lists every kind of a group once: in the preferred version if that has it,
// else in another, for a group may serve some kinds in older versions only.
func groupListers(disco discovery.DiscoveryInterface, client dynamic.Interface, group metav1.APIGroup, named []string) []lister {
	versions := []string{group.PreferredVersion.GroupVersion}
	for _, v := range group.Versions {
		if v.GroupVersion != versions[0] {
			versions = append(versions, v.GroupVersion)
		}
	}
	var lists, broken []lister
	seen := map[string]bool{}
	for _, version := range versions {
		gv, _ := schema.ParseGroupVersion(version)
		resources, err := disco.ServerResourcesForGroupVersion(version)
		if err != nil {
			for _, kind := range named {
				broken = append(broken, lister{resource: gv.WithResource(""), kind: kind, broken: fmt.Errorf("discover %s: %w", version, err)})
			}
			continue
		}
		for _, r := range resources.APIResources {
			if slices.Contains(r.Verbs, "list") && !seen[r.Kind] {
				seen[r.Kind] = true
				lists = append(lists, foreignLister(client, gv.WithResource(r.Name), r.Kind))
			}
		}
	}
	for _, b := range broken { // unless another version has the kind
		if !seen[b.kind] {
			seen[b.kind] = true
			lists = append(lists, b)
		}
	}
	return lists
}

func foreignLister(client dynamic.Interface, resource schema.GroupVersionResource, kind string) lister {
	return lister{resource: resource, kind: kind, page: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.Resource(resource).List(ctx, options)
	}}
}

// all lists every page. A list that grew too old on the way is taken up where the
// server says it can be.
func (l lister) all(ctx context.Context) answer {
	if l.broken != nil {
		return l.failed(l.broken)
	}
	var out answer
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := l.page(ctx, options)
		if (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) && options.Continue != "" {
			options, out = metav1.ListOptions{}, answer{} // once more, in one piece
			continue
		}
		if err != nil {
			return l.failed(err)
		}
		items, err := meta.ExtractList(page)
		if err != nil {
			return l.failed(err)
		}
		for _, o := range items {
			out.objects = append(out.objects, lean(o))
		}
		list, err := meta.ListAccessor(page)
		if err != nil || list.GetContinue() == "" {
			return out
		}
		options.Continue = list.GetContinue()
	}
}

// lean drops what no verdict rests on and takes much memory.
func lean(o runtime.Object) runtime.Object {
	if u, ok := o.(*unstructured.Unstructured); ok {
		reduce(u)
	}
	if object, ok := o.(snapshot.Object); ok {
		forget(object)
	}
	return o
}

// failed says why a kind is missing.
func (l lister) failed(err error) answer {
	message := fmt.Sprintf("%s cannot be listed: %s", l.resource.Resource, oneLine(err))
	switch {
	case apierrors.IsForbidden(err) && l.resource.Resource == "":
		message = fmt.Sprintf("%s cannot be looked for (403): allow the verb get on /apis/%s to whoever runs watertight", l.kind, l.resource.GroupVersion())
	case apierrors.IsForbidden(err):
		message = fmt.Sprintf("%s may not be listed (403): allow the verb list on %s to whoever runs watertight", l.kind, l.resource.GroupResource())
	case apierrors.IsNotFound(err):
		message = fmt.Sprintf("%s is not served in version %s by this API server", l.kind, l.resource.GroupVersion())
	}
	source := l.resource.Resource
	if source == "" {
		source = "discovery"
	}
	return answer{problems: []snapshot.Problem{{Source: source, Kind: l.kind, Message: message}}}
}
